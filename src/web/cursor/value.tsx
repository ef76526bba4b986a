/**
 * The value of a cursor, as large as it fits.
 * @module
 */
import type { FibClient } from "@fibserver/client";
import { useEffect, useRef, useState } from "hono/jsx/dom";
import { useCopy } from "../copy.ts";
import { counted } from "../numerals.ts";
import { type Folded, hiddenCount, inGroups, lineEms } from "./fold.ts";
import type { Known, Shown } from "./session.ts";

interface ValueProps {
  readonly client: FibClient;
  readonly name: string;
  readonly known: Known;
}

/** The value, how long it is, and what copies all of it. */
export function Value({ client, name, known: { state, shown } }: ValueProps) {
  return (
    <div class={state === "there" ? "value" : "value past"}>
      {shown === undefined ? null : (
        <>
          <Digits value={shown.value} />
          <p class="note">
            {counted(shown.value.count, "digit")}
            <CopyButton client={client} shown={shown} />
          </p>
        </>
      )}
      {state === "absent" ? (
        <p class="none" role="status">
          There is no cursor <b>{name}</b> yet.
          <br />
          Next makes it.
        </p>
      ) : null}
      <Spoken shown={shown} />
    </div>
  );
}

function Digits({ value }: { readonly value: Folded }) {
  const hidden = hiddenCount(value);
  return (
    <output style={{ "--ems": String(lineEms(value.first.length + value.last.length)) }} aria-live="off">
      {inGroups(value.first)}
      {hidden === 0 ? null : <em>… {counted(hidden, "digit")} …</em>}
      {inGroups(value.last)}
    </output>
  );
}

/** Copies the value: what is not shown is asked for only now. */
function CopyButton({
  client,
  shown: { index, value },
}: {
  readonly client: FibClient;
  readonly shown: Shown;
}) {
  const { said, copy } = useCopy(
    async () => (hiddenCount(value) === 0 ? value.first : client.fibonacci(index, { as: "text" })),
    index,
  );
  return (
    <>
      <button type="button" class="quiet" onClick={copy}>
        Copy
      </button>
      <span role="status">{said}</span>
    </>
  );
}

function spoken({ index, value }: Shown): string {
  return `F(${index}) is ${hiddenCount(value) === 0 ? value.first : `a number of ${counted(value.count, "digit")}`}`;
}

/** So long it has to stand still until it is read aloud. */
const STILL_MS = 700;

/** The value for whoever listens: where it comes to rest, not each step of a held key. */
function Spoken({ shown }: { readonly shown: Shown | undefined }) {
  const [text, setText] = useState("");
  // Not by what an effect returns: Hono may call that after the next effect.
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setText(shown === undefined ? "" : spoken(shown)), STILL_MS);
  }, [shown?.index]);
  return (
    <p class="spoken" aria-live="polite">
      {text}
    </p>
  );
}
