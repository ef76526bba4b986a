/**
 * The part Sequence: all terms that the server writes in one text, in one scroll bar. A million of them are 104 GB, of
 * which a pane holds 8 KiB.
 * @module
 */
import { useEffect, useLayoutEffect, useRef, useState } from "hono/jsx/dom";
import { DigitPane } from "../digits/digit-pane.tsx";
import type { Row } from "../digits/rows.ts";
import { bytesOfFirst, termRows } from "../digits/term-rows.ts";
import { showPlace, useAsked } from "../place.ts";
import { link, type Server } from "../server.ts";
import { createStore, useStore } from "../store.ts";
import { counted, grouped } from "../numerals.ts";
import { Notice } from "../words.tsx";
import { type Answer, GoTo, SAID_ID } from "./go-to.tsx";
import { findSpelled, spelledPlace } from "./places.ts";

/** What a server writes that does not say how much. */
const TERMS = 1_000_000;

/** Beyond, the bytes of the text could not be counted in the numbers of a browser: these are 10^15. */
const TERMS_MAX = 100_000_000;

/** The row at the top, of some width. */
interface Top {
  readonly row: Row;
  readonly width: number;
}

/** What stands at the top, in each frame, and where that has come to rest. */
const top = createStore<Top | undefined>(undefined);
const rested = createStore<Top | undefined>(undefined);

/** How many terms the server writes in one text; undefined until it has said so. */
function useTerms(server: Server): number | undefined {
  const [terms, setTerms] = useState<number | undefined>(undefined);
  const state = useStore(link);
  // Again when it is back, perhaps with another limit.
  useEffect(() => {
    if (state !== "live") return undefined;
    const asking = new AbortController();
    const ask = async () => {
      const status = await server.client.status({ signal: asking.signal }).catch(() => undefined);
      if (!asking.signal.aborted) setTerms(Math.min(status?.limits?.terms || TERMS, TERMS_MAX));
    };
    void ask();
    return () => asking.abort();
  }, [server, state]);
  return terms;
}

/** The part. */
export function Sequence({ server }: { readonly server: Server }) {
  const terms = useTerms(server);
  const count = terms ?? TERMS;
  const place = useAsked("sequence");
  const [asked, setAsked] = useState<{ readonly byte: number } | undefined>(undefined);
  const [answer, setAnswer] = useState<Answer | undefined>(undefined);
  /** Whether the address has led here: then it stays as it was sent. */
  const isAddressed = useRef(false);
  const goToSpelled = (spelled: string, isAddress: boolean) => {
    isAddressed.current = isAddress;
    const found = findSpelled(spelled, count);
    if ("byte" in found) setAsked(found);
    setAnswer("byte" in found ? undefined : found);
  };
  // Before the next frame, for which an effect would wait.
  useLayoutEffect(() => {
    const [spelled] = place?.path ?? [];
    if (spelled !== undefined && terms !== undefined) goToSpelled(spelled, true);
  }, [place, terms]);
  return (
    <>
      <div class="head">
        <h2>Sequence</h2>
        <p>
          The first {count === 1_000_000 ? "million terms" : counted(count, "term")}:{" "}
          {grouped(bytesOfFirst(count))} bytes, fetched where you look.
        </p>
        <GoTo
          server={server}
          count={count}
          answer={answer}
          onFound={(byte) => {
            isAddressed.current = false;
            setAsked({ byte });
          }}
          onAnswer={setAnswer}
        />
      </div>
      {terms === undefined ? (
        <div class="digit-pane">
          <div class="box" />
        </div>
      ) : (
        <DigitPane
          server={server}
          path={`v1/sequence?from=0&count=${terms}&format=text`}
          rows={(width) => termRows(terms, width)}
          label={`The digits of F(0) to F(${grouped(terms - 1)}), one number a line`}
          gutter
          asked={asked}
          onPlace={(row, width) => top.set({ row, width })}
          onRest={(row, width, isByHand) => {
            rested.set({ row, width });
            if (isByHand || !isAddressed.current)
              showPlace("sequence", spelledPlace(row.term, row.line * width));
          }}
        />
      )}
      <div class="foot">
        <Where />
        <Said
          answer={answer}
          count={count}
          onTerm={(index) => {
            goToSpelled(String(index), false);
            // The link goes with the answer.
            document.querySelector<HTMLElement>("#sequence .box")!.focus({ preventScroll: true });
          }}
        />
      </div>
    </>
  );
}

/** What stands at the top: for the eyes in each frame, for the ears when it rests. */
function Where() {
  const now = useStore(top);
  const last = useStore(rested);
  return (
    <>
      <p class="note" aria-hidden="true">
        {now === undefined ? "\u00a0" : <Place top={now} />}
      </p>
      <p class="spoken" role="status">
        {last === undefined ? null : <Place top={last} />}
      </p>
    </>
  );
}

function Place({ top: { row, width } }: { readonly top: Top }) {
  const { term, line, digits, byte } = row;
  return (
    <>
      <i>F</i>({grouped(term)}), digit {grouped(line * width + 1)} of {grouped(digits)} ·{" "}
      <span class="byte">byte {grouped(byte)}</span>
    </>
  );
}

/** What came of a question, where that did not simply lead somewhere. */
function Said({
  answer,
  count,
  onTerm,
}: {
  readonly answer: Answer | undefined;
  /** Beyond these terms nothing leads. */
  readonly count: number;
  readonly onTerm: (index: number) => void;
}) {
  const term = (index: number) => {
    const name = (
      <>
        <i>F</i>({grouped(index)})
      </>
    );
    if (index >= count) return name;
    const follow = (event: Event) => {
      event.preventDefault();
      onTerm(index);
    };
    return (
      <a href={`#sequence/${index}`} onClick={follow}>
        {name}
      </a>
    );
  };
  if (answer !== undefined && "error" in answer) return <Notice error={answer.error} />;
  return (
    <p class="said" id={SAID_ID} role="status">
      {answer === undefined ? null : "problem" in answer ? (
        <span class="wrong">{answer.problem}</span>
      ) : (
        <>
          No Fibonacci number: it lies between {term(answer.below)} and {term(answer.above)}.
        </>
      )}
    </p>
  );
}
