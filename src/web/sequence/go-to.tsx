/**
 * The form that leads to a term, a byte or a value. A value's index is found by the server, since it may have thousands
 * of digits; one that is no Fibonacci number lies between two that are.
 * @module
 */
import { FibClientError } from "@fibserver/client";
import { useRef, useState } from "hono/jsx/dom";
import { bytesOfFirst } from "../digits/term-rows.ts";
import type { Server } from "../server.ts";
import { grouped, typedNatural } from "../numerals.ts";
import { findByte, findTerm, type Found, type Kind, KINDS } from "./places.ts";

/** Of the element that says it. */
export const SAID_ID = "sequence-said";

/** What came of going somewhere, besides being there. */
export type Answer =
  | { readonly problem: string }
  | { readonly below: number; readonly above: number }
  | { readonly error: unknown };

interface GoToProps {
  readonly server: Server;
  /** How many terms the text has. */
  readonly count: number;
  /** What came of the last question. */
  readonly answer: Answer | undefined;
  readonly onFound: (byte: number) => void;
  /** Undefined when there is nothing to say. */
  readonly onAnswer: (answer: Answer | undefined) => void;
}

/** The form; what came of a question is said by the element {@link SAID_ID}. */
export function GoTo({ server, count, answer, onFound, onAnswer }: GoToProps) {
  const [kind, setKind] = useState<Kind>("Term");
  const input = useRef<HTMLInputElement>(null);
  const asking = useRef<AbortController | null>(null);
  /** It is another question now: what came of the last one says nothing of it. */
  const renew = () => {
    asking.current?.abort();
    onAnswer(undefined);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    renew();
    const { signal } = (asking.current = new AbortController());
    const found = await find(server, kind, input.current!.value, count, signal);
    if (signal.aborted) return;
    if ("byte" in found) return onFound(found.byte);
    onAnswer(found);
    if ("problem" in found) input.current!.focus();
  };
  return (
    <form class="go-to" onSubmit={(event: Event) => void submit(event)}>
      <span class="choice" role="radiogroup" aria-label="Go to a">
        {KINDS.map((each) => (
          <label>
            <input
              type="radio"
              name="kind"
              value={each}
              checked={each === kind}
              onChange={() => {
                setKind(each);
                renew();
              }}
            />
            <span>{each}</span>
          </label>
        ))}
      </span>
      <span class="inline">
        <input
          ref={input}
          name="place"
          inputmode="numeric"
          autocomplete="off"
          required
          aria-label={`${kind} to go to`}
          aria-invalid={answer !== undefined && "problem" in answer ? "true" : "false"}
          aria-describedby={SAID_ID}
          onInput={renew}
          placeholder={placeholder(kind, count)}
        />
        <button>Go</button>
      </span>
    </form>
  );
}

function placeholder(kind: Kind, count: number): string {
  if (kind === "Value") return `such as ${grouped(10_946)}`;
  return `0 – ${grouped(kind === "Term" ? count - 1 : bytesOfFirst(count) - 1)}`;
}

/** The value is a part of the address that is asked for. */
const TOO_LONG = { problem: "This value is too long for a request: the server takes up to 16 000 digits." };

async function find(
  server: Server,
  kind: Kind,
  typed: string,
  count: number,
  signal: AbortSignal,
): Promise<Found | Answer> {
  if (kind === "Term") return findTerm(typed, count);
  if (kind === "Byte") return findByte(typed, count);
  const value = typedNatural(typed);
  if (value === undefined) return { problem: "A value is a whole number, such as 10 946." };
  try {
    const found = await server.client.index(value, { signal });
    return found.isTerm ? findTerm(String(found.index), count) : found;
  } catch (error) {
    if (error instanceof FibClientError && (error.status === 431 || error.status === 414)) return TOO_LONG;
    return { error };
  }
}
