/**
 * Which number is wanted.
 * @module
 */
import { type Child, useEffect, useState } from "hono/jsx/dom";
import { Formula } from "../formula.tsx";
import { type KindName, KINDS, NUMBER_KINDS, readAsked } from "../kinds.ts";
import type { Server } from "../server.ts";
import { counted } from "../numerals.ts";
import { sizeOf } from "./ask.ts";
import { refusalHint } from "./limits.ts";

/** What is typed, for each kind. */
export type TypedTexts = Readonly<Partial<Record<KindName, readonly string[]>>>;

/** As long as somebody types, nobody is asked. */
const TYPING_MS = 150;

interface FormProps {
  readonly kind: KindName;
  readonly typed: readonly string[];
  /** What is wrong with what was typed, for each input. */
  readonly wrong: readonly (string | undefined)[];
  readonly onKind: (kind: KindName) => void;
  readonly onTyped: (typed: readonly string[]) => void;
  readonly onCompute: () => void;
  /** What is beside the button. */
  readonly children: Child;
}

/** The form. */
export function NumberForm({ kind, typed, wrong, onKind, onTyped, onCompute, children }: FormProps) {
  const submit = (event: Event) => {
    event.preventDefault();
    onCompute();
  };
  return (
    <form class="asked" onSubmit={submit}>
      <div class="choice" role="radiogroup" aria-label="Kind of number">
        {NUMBER_KINDS.map((name) => (
          <label key={name}>
            <input type="radio" name="kind" checked={name === kind} onChange={() => onKind(name)} />
            <span>
              <Formula text={KINDS[name].label} />
            </span>
          </label>
        ))}
      </div>
      <div class="given">
        {KINDS[kind].fields.map(({ name }, i) => (
          <label class="field" key={`${kind} ${name}`}>
            <span>
              <i>{name}</i> =
            </span>
            <input
              id={`number-${name}`}
              inputmode="text"
              autocomplete="off"
              spellcheck={false}
              value={typed[i]}
              aria-invalid={wrong[i] === undefined ? "false" : "true"}
              aria-describedby={wrong[i] === undefined ? "number-hint" : `number-${name}-wrong`}
              onInput={(event: Event) => onTyped(typed.with(i, (event.target as HTMLInputElement).value))}
            />
          </label>
        ))}
        <button class="main">Compute</button>
        <div class="beside">
          {children}
          {KINDS[kind].fields.map(({ name }, i) =>
            wrong[i] === undefined ? null : (
              <p class="wrong" id={`number-${name}-wrong`} key={name}>
                {wrong[i]}
              </p>
            ),
          )}
        </div>
      </div>
    </form>
  );
}

/** What is known of a number before it is computed. */
export function Hint({
  server,
  kind,
  typed,
}: { readonly server: Server } & Pick<FormProps, "kind" | "typed">) {
  const { isSized, note = "" } = KINDS[kind];
  const [known, setKnown] = useState({ what: "", text: "" });
  const what = [kind, ...typed].join();
  useEffect(() => {
    const read = readAsked(kind, typed);
    if (!isSized || "wrong" in read) return undefined;
    const abort = new AbortController();
    const look = async () => {
      try {
        const size = await sizeOf(server, read.asked, abort.signal);
        if ("refusal" in size) setKnown({ what, text: refusalHint(size.refusal.detail) });
        else if (size.digits !== undefined) setKnown({ what, text: counted(size.digits, "digit") });
      } catch {
        // It is a hint.
      }
    };
    const timer = setTimeout(() => void look(), TYPING_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [server, what]);
  const text = known.what === what ? known.text : note;
  return (
    <p class="note" id="number-hint">
      <Formula text={text} />
    </p>
  );
}
