/**
 * What was found, as it is shown.
 * @module
 */
import { type Child, useEffect, useMemo, useRef, useState } from "hono/jsx/dom";
import { useComeback } from "../comeback.ts";
import { DigitPane } from "../digits/digit-pane.tsx";
import { numberRows } from "../digits/rows.ts";
import { termRows } from "../digits/term-rows.ts";
import { Download, fetchBlob } from "../download.tsx";
import { Formula } from "../formula.tsx";
import { shortTime } from "../measures.ts";
import type { Server } from "../server.ts";
import { counted, grouped } from "../numerals.ts";
import { Notice } from "../words.tsx";
import { Actions } from "./actions.tsx";
import type { Digits, Found, Took } from "./ask.ts";
import { blobServer } from "./blob-server.ts";
import { DigitChart } from "./digit-chart.tsx";
import { limitNote } from "./limits.ts";
import { countDigits } from "./statistics.ts";

/** Of fewer digits there is nothing to be said about chance. */
const COUNTED_DIGITS_MIN = 100;
/** Of a sum: what is longer is folded. */
const TERMS_SHOWN_MAX = 60;
const TERMS_FOLDED = 20;

interface ResultProps<F extends Found = Found> {
  readonly server: Server;
  readonly found: F;
}

type Of<What extends Found["what"]> = Extract<Found, { readonly what: What }>;

/** The result. */
export function Result({ server, found }: ResultProps) {
  switch (found.what) {
    case "digits":
      return <DigitsFound server={server} found={found} key={found.path} />;
    case "ends":
      return <EndsFound found={found} />;
    case "sum":
      return <SumFound found={found} />;
    case "counts":
      return <CountsFound found={found} />;
    default:
      return <TermsFound server={server} found={found} key={found.path} />;
  }
}

function Titled({
  title,
  note,
  children,
}: {
  readonly title: string;
  readonly note: string;
  readonly children: Child;
}) {
  return (
    <>
      <div class="title">
        <h3>
          <Formula text={title} />
        </h3>
        <p class="note" role="status">
          {note}
        </p>
      </div>
      {children}
    </>
  );
}

function DigitsFound({ server, found }: ResultProps<Digits>) {
  const { title, digits, path, blob, text, took } = found;
  const note = [counted(digits, "digit"), tookWords(took)].filter(Boolean).join(", ");
  // Where the digits are here, nobody is asked for them again.
  const source = useMemo(() => (blob === undefined ? server : blobServer(server, blob)), [server, blob]);
  const actions = <Actions server={server} found={found} />;
  return (
    <Titled title={title} note={note}>
      {text === undefined ? (
        <div class="beside-chart">
          <div>
            <DigitPane
              server={source}
              path={path}
              label={`Digits of ${title}`}
              rows={(width) => numberRows(digits, width)}
            />
            {actions}
          </div>
          {digits >= COUNTED_DIGITS_MIN && <Counts server={server} found={found} />}
        </div>
      ) : (
        <>
          <p class="short" style={{ "--length": String(grouped(text).length) }}>
            <span>{grouped(text)}</span>
          </p>
          {actions}
        </>
      )}
    </Titled>
  );
}

/** How often each digit is there: at once where they are here, else when somebody wants it. */
function Counts({ server, found: { title, path, blob, digits } }: ResultProps<Digits>) {
  const [isWanted, setWanted] = useState(blob !== undefined);
  const [counts, setCounts] = useState<readonly number[] | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isWanted) return undefined;
    const abort = new AbortController();
    const count = async () => {
      try {
        const { signal } = abort;
        const text = await fetchBlob(server, { path, bytes: digits, blob }, signal);
        const found = await countDigits(text.stream());
        // The button goes away, and whoever has pressed it stays here.
        if (box.current?.contains(document.activeElement)) box.current.focus();
        setCounts(found);
      } catch (reason) {
        if (abort.signal.aborted) return;
        setError(reason);
        setWanted(false);
      }
    };
    void count();
    return () => abort.abort();
  }, [isWanted, blob, path, server]);
  const want = () => {
    setError(undefined);
    setWanted(true);
  };
  useComeback(error, want);
  return (
    <div class="counts" tabindex={-1} ref={box}>
      {counts !== undefined && <DigitChart title={`Digits of ${title}`} counts={counts} />}
      {counts === undefined && blob === undefined && (
        <>
          <button type="button" aria-busy={String(isWanted)} onClick={want}>
            {isWanted ? "Counting the digits" : "Count the digits"}
          </button>
          <p class="note">{`How often each of the ten is there. This page reads all ${grouped(digits)} for it.`}</p>
          <Notice error={error} />
        </>
      )}
    </div>
  );
}

function EndsFound({ found: { title, ends, refusal } }: Pick<ResultProps<Of<"ends">>, "found">) {
  const { digits, first = "", last = "" } = ends;
  const between = digits - BigInt(first.length + last.length);
  return (
    <Titled title={title} note={counted(digits, "digit")}>
      <p class="folded">
        <span class="digits">{inTens(first)}</span> <em>{`… ${counted(between, "digit")} …`}</em>{" "}
        <span class="digits">{inTens(last)}</span>
      </p>
      <p class="note">
        These are its first and its last digits.{" "}
        <Formula text={limitNote(refusal.detail) ?? "Nobody can write out all of them."} />
      </p>
    </Titled>
  );
}

function SumFound({ found: { title, indices } }: Pick<ResultProps<Of<"sum">>, "found">) {
  const isLong = indices.length > TERMS_SHOWN_MAX;
  const terms = indices.map((index) => `F(${grouped(index)})`);
  const [first, more, last] = isLong
    ? [terms.slice(0, TERMS_FOLDED), terms.length - 2 * TERMS_FOLDED, terms.slice(-TERMS_FOLDED)]
    : [terms, 0, []];
  return (
    <Titled title={title} note={`a sum of ${counted(indices.length, "Fibonacci number")}`}>
      <p class="sum">
        = <Formula text={first.join(" + ") || "0"} />
        {more > 0 && (
          <>
            {" + "}
            <em>{`… ${grouped(more)} more …`}</em> + <Formula text={last.join(" + ")} />
          </>
        )}
      </p>
    </Titled>
  );
}

function CountsFound({ found: { title, counts } }: Pick<ResultProps<Of<"counts">>, "found">) {
  const digits = counts.reduce((sum, count) => sum + count);
  return (
    <Titled title={title} note={counted(digits, "digit")}>
      <DigitChart title={title} counts={counts} />
    </Titled>
  );
}

function TermsFound({ server, found }: ResultProps<Of<"terms">>) {
  const { title, bytes, path, file, terms = 0 } = found;
  return (
    <Titled title={title} note={counted(bytes, "byte")}>
      {terms > 0 && (
        <DigitPane
          server={server}
          path={path}
          label={title}
          rows={(width) => termRows(terms, width)}
          gutter
        />
      )}
      <p class="actions">
        <Download server={server} path={path} file={file} bytes={bytes} label={`Download ${title}`} />
      </p>
    </Titled>
  );
}

function tookWords(took: Took | undefined): string {
  // What a task computes at once has begun and ended in the same millisecond.
  if (!took || !(took.ms > 0)) return "";
  return `${took.by === "server" ? "computed in" : "here after"} ${shortTime(took.ms / 1000)}`;
}

function inTens(digits: string): string {
  return digits.replaceAll(/\d{10}(?!$)/g, "$& ");
}
