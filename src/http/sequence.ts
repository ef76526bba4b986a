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
import { type SizedSequence, type SizeLimits, sizeSequence } from "../numbers/sizes.ts";
import type { Asker } from "./asker.ts";
import { FORMAT_VERSION, type NumberServices } from "./numbers.ts";
import { parseNatural, queryOnce } from "./parameters.ts";
import { answerAsPreferred } from "./prefer.ts";
import { chooseFormat, type Format, MEDIA_TYPES } from "./representation.ts";
import { type Resource, sendResource } from "./resource.ts";

/** Sequences that begin earlier are begun at once: 3 ms at most. */
const INLINE_INDEX_MAX = 1_000_000;

/** What this route needs. */
export interface SequenceServices extends NumberServices, SizeLimits {}

/** The route for sequences. */
export function sequenceRoutes(services: SequenceServices) {
  return new Hono().get("/sequence", (c) => {
    const { from, count, sizeBytes } = readTerms(c, services);
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

function readTerms(c: Context, limits: SizeLimits): SizedSequence {
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
  return sizeSequence(from, counted ?? (to === undefined ? 100n : to - from + 1n), limits);
}
