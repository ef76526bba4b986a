/**
 * The page: one column with five parts, each on its own, so that one that fails leaves the others.
 * @module
 */
import { type Child, ErrorBoundary, useEffect } from "hono/jsx/dom";
import { Cursor } from "./cursor/cursor.tsx";
import { Numbers } from "./numbers/numbers.tsx";
import { type PartName, PARTS, readAddress, useAskedPlace } from "./place.ts";
import { Sequence } from "./sequence/sequence.tsx";
import { link, lock, type Server, server, token } from "./server.ts";
import { ServerPart } from "./status/status.tsx";
import { useStore } from "./store.ts";
import { Tasks } from "./tasks/tasks.tsx";
import { TokenForm } from "./token-form.tsx";
import { Notice } from "./words.tsx";

const NAMES: Readonly<Record<PartName, string>> = {
  cursor: "Cursor",
  sequence: "Sequence",
  numbers: "Numbers",
  tasks: "Tasks",
  server: "Server",
};

/** What each part is drawn by. */
const DRAWN: Readonly<Record<PartName, (props: { readonly server: Server }) => Child>> = {
  cursor: Cursor,
  sequence: Sequence,
  numbers: Numbers,
  tasks: Tasks,
  server: ServerPart,
};

/** The whole page. */
export function App() {
  const state = useStore(lock);
  const isLocked = state === "barred" || state === "shut";
  useAskedPart(isLocked);
  return (
    <>
      <header class="top">
        <a class="mark" href="#cursor">
          fibserver
        </a>
        {isLocked ? null : (
          <nav aria-label="Parts">
            {PARTS.map((part) => (
              <a href={`#${part}`}>{NAMES[part]}</a>
            ))}
          </nav>
        )}
        <div class="link">
          {isLocked || token.get() === undefined ? null : <ForgetToken />}
          <LinkNote />
        </div>
      </header>
      <main>
        {isLocked ? <TokenForm /> : null}
        {state === "barred" ? null : (
          <div class={isLocked ? "locked" : ""}>
            {PARTS.map((part) => (
              <Framed part={part} key={part} />
            ))}
          </div>
        )}
      </main>
    </>
  );
}

/** A part's frame: what is thrown in it is shown in its place, and told to whoever looks for errors. */
function Framed({ part }: { readonly part: PartName }) {
  const Part = DRAWN[part];
  return (
    <section id={part} aria-label={NAMES[part]} tabindex={-1}>
      <ErrorBoundary
        onError={reportError}
        fallbackRender={(error) => <Notice title="This part has failed" error={error} />}
      >
        <Part server={server} />
      </ErrorBoundary>
    </section>
  );
}

/** Whether the server answers. */
function LinkNote() {
  const state = useStore(link);
  return (
    <p class={state} role="status">
      <span class="dot" aria-hidden="true" />
      {state === "live" ? "live" : state === "away" ? "the server is away" : "locked"}
    </p>
  );
}

/** Asks as nobody again: what was done with the token ends with it. */
function forget(): void {
  token.remove();
  readAddress();
  lock.set("barred");
  link.set("unauthorized");
}

function ForgetToken() {
  return (
    <button type="button" class="quiet" onClick={forget}>
      Forget token
    </button>
  );
}

/** Goes to the part that the address asks for, once it is there. */
function useAskedPart(isLocked: boolean): void {
  const place = useAskedPlace();
  useEffect(() => {
    if (place === undefined) return;
    const section = document.getElementById(place.part);
    section?.scrollIntoView();
    section?.focus({ preventScroll: true });
  }, [place, isLocked]);
}
