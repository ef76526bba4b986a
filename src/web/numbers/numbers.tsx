/**
 * The part Numbers: exact numbers, with what is known of them before, how far they are, their digits, and how often each
 * digit is there.
 * @module
 */
import { useEffect, useRef, useState } from "hono/jsx/dom";
import { type Asked, type KindName, KINDS, NUMBER_KINDS, readAsked } from "../kinds.ts";
import { Formula } from "../formula.tsx";
import { type Place, showPlace, useAsked } from "../place.ts";
import type { Server } from "../server.ts";
import { Notice } from "../words.tsx";
import { Hint, NumberForm, type TypedTexts } from "./form.tsx";
import { Progress } from "./progress.tsx";
import { Result } from "./result.tsx";
import { useWork } from "./work.ts";

const TYPED_FIRST: TypedTexts = Object.fromEntries(
  NUMBER_KINDS.map((kind) => [kind, KINDS[kind].typed ?? []]),
);
const SHOWN_FIRST: Asked = { kind: "fibonacci", numbers: ["100000"] };

/** The part. */
export function Numbers({ server }: { readonly server: Server }) {
  const [kind, setKind] = useState<KindName>("fibonacci");
  const [texts, setTexts] = useState<TypedTexts>(TYPED_FIRST);
  const [wrong, setWrong] = useState<readonly (string | undefined)[]>([]);
  const { work, compute, look, showFirst, openTask, follow, cancel, dismiss } = useWork(server);
  const { run, found, error, said } = work;
  const typed = texts[kind] ?? [];

  const typeInto = (into: KindName, next: readonly string[]) => {
    setTexts((was) => ({ ...was, [into]: next }));
    setWrong([]);
    dismiss();
  };
  const choose = (next: KindName) => {
    setKind(next);
    setWrong([]);
    dismiss();
  };
  const submit = () => {
    const read = readAsked(kind, typed);
    if ("wrong" in read) {
      setWrong(read.wrong);
      const first = KINDS[kind].fields[read.wrong.findIndex((each) => each !== undefined)];
      document.getElementById(`number-${first?.name}`)?.focus();
      return;
    }
    compute(read.asked);
    showPlace("numbers", kind, ...read.asked.numbers);
  };
  const fill = (into: KindName, next: readonly string[]) => {
    if (!NUMBER_KINDS.includes(into)) return;
    choose(into);
    typeInto(into, next);
  };
  const open = ({ path: [name, ...rest] }: Place) => {
    if (name === "task" && rest[0]) openTask(rest[0], ({ kind: of, numbers }) => fill(of, numbers));
    const asks = NUMBER_KINDS.find((each) => each === name);
    if (asks === undefined) return;
    const texted = KINDS[asks].fields.map((_, i) => rest[i] ?? "");
    fill(asks, texted);
    const read = readAsked(asks, texted);
    if ("wrong" in read) setWrong(read.wrong);
    else look(read.asked);
  };
  const place = useAsked("numbers");
  const isFirst = useRef(true);
  useEffect(() => {
    if (place !== undefined && place.path.length > 0) open(place);
    else if (isFirst.current) showFirst(SHOWN_FIRST, 20_899);
    isFirst.current = false;
  }, [place, server]);

  return (
    <>
      <div class="head">
        <h2>Numbers</h2>
        <p>Exact, of any length. How many digits it has is known before anything is computed.</p>
      </div>
      <NumberForm
        kind={kind}
        typed={typed}
        wrong={wrong}
        onKind={choose}
        onTyped={(next) => typeInto(kind, next)}
        onCompute={submit}
      >
        <Hint server={server} kind={kind} typed={typed} />
        <p class="said" role="status">
          {said && <Formula text={said} />}
        </p>
        {run && (
          <Progress run={run} onNews={(news) => void follow(run, news)} onCancel={() => void cancel(run)} />
        )}
      </NumberForm>
      <Notice error={error} />
      {found !== undefined ? (
        <Result server={server} found={found} />
      ) : (
        error === undefined && <div class="room" />
      )}
    </>
  );
}
