/**
 * `/v1/sequence`: the terms F(from) …, or those of a sequence with another start, as one text, of which any range can be
 * had, and `/v1/sequence/locate` (locate.ts) for where in it they are.
 * @module
 */
import { type Context, Hono } from "hono";
import { FibError } from "../errors.ts";
import { LAYOUTS, type SequenceLayout } from "../numbers/layouts.ts";
import { SequenceOffsets, termDigits } from "../numbers/offsets.ts";
import type { Results } from "../numbers/results.ts";
import { openSequence, planSequence, type SequencePlan, type SequenceReader } from "../numbers/sequence.ts";
import { type SizedSequence, type SizeLimits, sizeSequence } from "../numbers/sizes.ts";
import type { SequenceRequest } from "../tasks/task.ts";
import type { Asker } from "./asker.ts";
import { refuseQueries } from "./inquiries.ts";
import { placeResource } from "./locate.ts";
import type { NumberServices } from "./numbers.ts";
import { parseNatural, parseStart, queryOnce } from "./parameters.ts";
import { answerAsPreferred } from "./prefer.ts";
import { chooseFormat, contentName, type Format, MEDIA_TYPES } from "./representation.ts";
import { type Resource, sendResource } from "./resource.ts";

/** Sequences that begin earlier are begun at once: 3 ms at most. */
const INLINE_INDEX_MAX = 1_000_000;

/** What this route needs. */
export interface SequenceServices extends NumberServices, SizeLimits {}

/** The routes for sequences. */
export function sequenceRoutes(services: SequenceServices) {
  return new Hono()
    .get("/sequence", (c) => {
      refuseQueries(c, "start");
      const { sizeBytes, ...terms } = readTerms(c, services);
      const format = chooseSequenceFormat(c);
      const send = () => sendResource(c, termsResource(services.results, terms, format), services.streams);
      const request = { kind: "sequence", ...terms } as const;
      return answerAsPreferred(c, services, { request, sizeBytes, now: send, ofTask: send });
    })
    .get("/sequence/locate", (c) => {
      refuseQueries(c, "start");
      return sendResource(c, placeResource(c, readTerms(c, services)), services.streams);
    });
}

/** Which terms. */
type Terms = Omit<SequenceRequest, "kind">;

/** Chooses how terms under `/v1` are written: as text, unless it is said; as a b-file, if its name is given. */
export function chooseSequenceFormat(c: Context): Format | "bfile" {
  return chooseFormat(c, "text", ["bfile"]);
}

/** Terms as `/v1` writes them. */
export function termsResource(results: Results, terms: Terms, format: Format | "bfile"): Resource {
  const { from, count, start = [] } = terms;
  // A comma would end the tag in a list of them.
  const name = contentName(["sequence", from, count, ...start.map(String)], format);
  const contentType = format === "bfile" ? MEDIA_TYPES.text : MEDIA_TYPES[format];
  return {
    ...sequenceResource(results, terms, LAYOUTS[format], { name, contentType }),
    placeOf: (startByte) => {
      // The brackets of an empty array belong to no term.
      if (count === 0) return {};
      const offsets = new SequenceOffsets(LAYOUTS[format], from, count, terms.start);
      const position = offsets.positionOf(startByte);
      return { "fibserver-term": `${from + position}+${startByte - offsets.offsetOf(position)}` };
    },
  };
}

/** Terms as something that can be sent. */
export function sequenceResource(
  results: Results,
  { from, count, start }: Terms,
  layout: SequenceLayout,
  about: { name: string; contentType: string },
): Resource {
  const whole = planSequence({ from, count, start, layout });
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
  const { firstIndex, start } = plan;
  if (plan.touchedCount === 0 || firstIndex <= INLINE_INDEX_MAX) return openSequence(plan);
  const digits = termDigits(firstIndex, start);
  const sizeBytes = digits + termDigits(firstIndex + 1, start);
  const pair = await results.take({ kind: "pair", n: firstIndex, start }, sizeBytes, signal, holder);
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
  const start = queryOnce(c, "start");
  const count = counted ?? (to === undefined ? 100n : to - from + 1n);
  return sizeSequence(from, count, limits, start === undefined ? undefined : parseStart(start));
}
