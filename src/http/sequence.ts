/**
 * `/v1/sequence`: the terms F(from) … as one text, of which any range can be had.
 * @module
 */
import { type Context, Hono } from "hono";
import { FibError } from "../errors.ts";
import { fibonacciPair } from "../numbers/fibonacci.ts";
import { LAYOUTS, type SequenceLayout } from "../numbers/layouts.ts";
import { termDigits } from "../numbers/offsets.ts";
import type { Results } from "../numbers/results.ts";
import { openSequence, planSequence, type SequencePlan, type SequenceReader } from "../numbers/sequence.ts";
import type { Asker } from "./asker.ts";
import { FORMAT_VERSION, type NumberServices } from "./numbers.ts";
import { parseNatural, queryOnce } from "./parameters.ts";
import { answerAsPreferred } from "./prefer.ts";
import { chooseFormat, type Format, MEDIA_TYPES } from "./representation.ts";
import { type Resource, sendResource } from "./resource.ts";

/** Sequences that begin earlier are begun at once: 3 ms at most. */
const INLINE_INDEX_MAX = 1_000_000;

/** What this route needs. */
export interface SequenceServices extends NumberServices {
  /** Terms of the longest sequence. */
  readonly termsMax: number;
}

/** The route for sequences. */
export function sequenceRoutes(services: SequenceServices) {
  return new Hono().get("/sequence", (c) => {
    const { from, count, sizeBytes } = readExtent(c, services);
    const format = chooseFormat(c, "text");
    const send = () => {
      const about = sequenceName(from, count, format);
      return sendResource(
        c,
        sequenceResource(services.results, from, count, LAYOUTS[format], about),
        services.streams,
      );
    };
    return answerAsPreferred(c, services, {
      request: { kind: "sequence", from, count },
      sizeBytes,
      now: send,
      ofTask: send,
    });
  });
}

/** The terms from F(from), checked. */
export interface Extent {
  readonly from: number;
  readonly count: number;
  /** Of the text, one term a line. */
  readonly sizeBytes: number;
}

/**
 * Checks how much a sequence is before any of it is computed.
 *
 * @throws {@link FibError} `result_too_large`.
 */
export function checkExtent(
  from: bigint,
  count: bigint,
  { digitsMax, termsMax }: Pick<SequenceServices, "digitsMax" | "termsMax">,
): Extent {
  if (count > termsMax) {
    throw new FibError(
      "result_too_large",
      `Cannot write ${count} terms: the limit is ${termsMax}; ask for parts`,
    );
  }
  if (from > Number.MAX_SAFE_INTEGER / 2)
    throw new FibError("result_too_large", `Cannot begin at ${from}: its digits alone would not fit`);
  const extent = { from: Number(from), count: Number(count) };
  const digits = extent.count === 0 ? 0 : termDigits(extent.from + extent.count - 1);
  if (digits > digitsMax) {
    throw new FibError(
      "result_too_large",
      `Cannot write this sequence: its last term has ${digits} digits, and the limit is ${digitsMax}`,
    );
  }
  return { ...extent, sizeBytes: planSequence({ ...extent, layout: LAYOUTS.text }).sizeBytes };
}

/** What a sequence under `/v1` is called, and its type. */
export function sequenceName(from: number, count: number, format: Format) {
  return { name: `${FORMAT_VERSION}.sequence.${from}.${count}.${format}`, contentType: MEDIA_TYPES[format] };
}

/** Terms as something that can be sent. */
export function sequenceResource(
  results: Results,
  from: number,
  count: number,
  layout: SequenceLayout,
  about: { name: string; contentType: string },
): Resource {
  const whole = planSequence({ from, count, layout });
  return {
    ...about,
    sizeBytes: whole.sizeBytes,
    open: async (range, asker) => {
      const isWhole = range.end - range.start === whole.sizeBytes;
      return await begin(results, isWhole ? whole : planSequence(whole, range), asker);
    },
  };
}

async function begin(
  results: Results,
  plan: SequencePlan,
  { signal, holder }: Asker,
): Promise<SequenceReader> {
  const { firstIndex } = plan;
  if (plan.touchedCount === 0) return openSequence(plan);
  if (firstIndex <= INLINE_INDEX_MAX) return openSequence(plan, fibonacciPair(firstIndex));
  const digits = termDigits(firstIndex);
  const sizeBytes = digits + termDigits(firstIndex + 1);
  const pair = await results.take({ kind: "pair", n: firstIndex }, sizeBytes, signal, holder);
  try {
    return openSequence(plan, [pair.digits.subarray(0, digits), pair.digits.subarray(digits)]);
  } finally {
    pair.release();
  }
}

function readExtent(c: Context, limits: Pick<SequenceServices, "digitsMax" | "termsMax">): Extent {
  const read = (name: string) => {
    const text = queryOnce(c, name);
    return text === undefined ? undefined : parseNatural(text, name);
  };
  const from = read("from") ?? 0n;
  const [to, counted] = [read("to"), read("count")];
  if (to !== undefined && counted !== undefined) {
    throw new FibError(
      "bad_argument",
      "Cannot use both count and to: the first is how many terms, the second the last index",
    );
  }
  if (to !== undefined && to < from)
    throw new FibError("bad_argument", `Cannot go from ${from} to ${to}: from comes after to`);
  return checkExtent(from, counted ?? (to === undefined ? 100n : to - from + 1n), limits);
}
