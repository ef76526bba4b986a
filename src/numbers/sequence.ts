/**
 * The terms F(from), F(from + 1), … as text, or those of another sequence of the same rule (start.ts), or any range of
 * the bytes of that text.
 *
 * In two steps, because the first is cheap and pure and the second may not be: `planSequence` says how
 * long the text is and with which term a range begins; `openSequence` takes that term and its successor
 * (a worker thread may have computed them) and hands out the bytes, as views of the kernel's memory.
 *
 * Pulling is synchronous: the kernel writes faster than any socket takes. The caller decides when to
 * wait and when to let others run, and nothing is buffered here.
 *
 * Every chunk is checked before it is handed out. One that is wrong is written again, by another instance of the
 * kernel and from terms that are computed anew; the reader does not notice, and whoever runs the process is told.
 * @module
 */
import { FibError } from "../errors.ts";
import { noticeFailed } from "../notices.ts";
import {
  type Adder,
  type ChunkFault,
  CHUNK_BYTES,
  MODULUS,
  adderMemoryBytes,
  returnAdder,
  takeAdder,
} from "./adder.ts";
import type { SequenceLayout } from "./layouts.ts";
import { SequenceOffsets, termDigits } from "./offsets.ts";
import { type Start, termName, termResidues } from "./start.ts";
import { termPair, termPairMemoryBytes } from "./term-pair.ts";

/** Which terms, and how they are written. `from` and `count` are integers from 0. */
export interface SequenceRequest {
  readonly from: number;
  readonly count: number;
  /** Of another sequence than F. */
  readonly start?: Start | undefined;
  readonly layout: SequenceLayout;
}

/** A part of a text: from byte `start` to before byte `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What is known about a text before any of it is computed. */
export interface SequencePlan extends SequenceRequest {
  /** Length of the whole text, whatever the range. */
  readonly sizeBytes: number;
  readonly range: ByteRange;
  /** The term that the range begins with: {@link openSequence} needs it and the next one. */
  readonly firstIndex: number;
  /** How many terms the range touches. 0 if there are none in the text. */
  readonly touchedCount: number;
  /** Offsets in the whole text of the touched terms' records, the end with one more separator. */
  readonly touched: ByteRange;
  /** Digits of the longest touched term. */
  readonly digitsMax: number;
}

/**
 * Finds out what a range of a text consists of, in some microseconds.
 *
 * @param range - Within the text, not empty; the whole text if left out.
 * @throws {@link FibError} `range_not_satisfiable`; `result_too_large` for texts of more than 2^53 bytes.
 */
export function planSequence(request: SequenceRequest, range?: ByteRange): SequencePlan {
  const { layout, from, count, start } = request;
  const offsets = new SequenceOffsets(layout, from, count, start);
  const { sizeBytes } = offsets;
  const bytes = range ?? { start: 0, end: sizeBytes };
  if (range !== undefined && !(range.start >= 0 && range.start < range.end && range.end <= sizeBytes)) {
    const what = `bytes ${range.start} to ${range.end - 1}`;
    throw new FibError("range_not_satisfiable", `Cannot send ${what}: the text has ${sizeBytes} bytes`);
  }
  const first = bytes.start === 0 ? 0 : offsets.positionOf(bytes.start);
  const last = bytes.end === sizeBytes ? Math.max(count - 1, 0) : offsets.positionOf(bytes.end - 1);
  return {
    ...request,
    sizeBytes,
    range: bytes,
    firstIndex: from + first,
    touchedCount: Math.min(last - first + 1, count),
    touched: { start: offsets.offsetOf(first), end: offsets.offsetOf(Math.min(last + 1, count)) },
    // The last one, or G(0).
    digitsMax: Math.max(termDigits(from + first, start), termDigits(from + last, start)),
  };
}

const NOTHING: Uint8Array = new Uint8Array();

/** Hands out the bytes of a {@link SequencePlan}. */
export class SequenceReader {
  readonly #plan: SequencePlan;
  readonly #fault: ChunkFault | undefined;
  #adder: Adder | undefined;
  /** What the kernel has written and nobody has taken yet. */
  #chunk = NOTHING;
  /** Offset in the whole text of what the kernel writes next. */
  #writeOffset: number;
  #skipBytes: number;
  #leftBytes: number;

  /** Use {@link openSequence}. */
  constructor(plan: SequencePlan, adder: Adder | undefined, fault?: ChunkFault) {
    const { range, touched } = plan;
    this.#plan = plan;
    this.#fault = fault;
    this.#adder = adder;
    this.#writeOffset = touched.start;
    this.#skipBytes = range.start - touched.start;
    this.#leftBytes = range.end - range.start;
    if (adder !== undefined) return;
    this.#chunk = Buffer.from(plan.layout.head + plan.layout.tail).subarray(range.start, range.end);
  }

  /**
   * The next bytes, at most {@link CHUNK_BYTES}, or undefined after the last.
   *
   * @returns A view of memory that is used again: valid until the next call, and until {@link close}.
   * @throws {@link FibError} `machine_unreliable`, when the bytes are wrong twice.
   */
  next(): Uint8Array | undefined {
    if (this.#leftBytes === 0) {
      this.close();
      return undefined;
    }
    const chunk = this.#chunk.length === 0 ? this.#fill() : this.#chunk;
    // A view costs 50 ns, a hundredth of a chunk's time: most chunks are handed out as they are.
    const view = chunk.length > CHUNK_BYTES ? chunk.subarray(0, CHUNK_BYTES) : chunk;
    this.#chunk = view === chunk ? NOTHING : chunk.subarray(CHUNK_BYTES);
    this.#leftBytes -= view.length;
    return view;
  }

  /** Gives the memory back, also before the end of the text. Further calls do nothing. */
  close(): void {
    if (this.#adder !== undefined) returnAdder(this.#adder);
    this.#adder = undefined;
    this.#chunk = NOTHING;
    this.#leftBytes = 0;
  }

  #fill(): Uint8Array {
    const { layout, sizeBytes } = this.#plan;
    for (let isAgain = false; ; isAgain = true) {
      let chunk = this.#adder!.fill(this.#fault);
      const endOffset = this.#writeOffset + (chunk?.length ?? 0);
      if (chunk !== undefined && endOffset === sizeBytes - layout.tail.length + layout.separator.length) {
        chunk = this.#adder!.finish(chunk, layout.separator.length, layout.tail);
      }
      // The formula said how long these records are; the kernel has to agree to the byte.
      if (chunk !== undefined && chunk.length > this.#skipBytes && endOffset <= this.#plan.touched.end) {
        this.#writeOffset = endOffset;
        return this.#wanted(chunk);
      }
      this.#beginAgain(isAgain);
    }
  }

  #wanted(chunk: Uint8Array): Uint8Array {
    const start = this.#skipBytes;
    this.#skipBytes = 0;
    const isWhole = start === 0 && chunk.length <= this.#leftBytes;
    return isWhole ? chunk : chunk.subarray(start, start + this.#leftBytes);
  }

  /** With another instance, and with terms that are computed anew. The last one is not given back: it may be damaged. */
  #beginAgain(isAgain: boolean): void {
    this.#adder = undefined;
    const { from, count, layout, start } = this.#plan;
    const index = from + new SequenceOffsets(layout, from, count, start).positionOf(this.#writeOffset);
    const what = `The terms from ${termName(index, start)} were wrong before they were sent`;
    noticeFailed("recurrence", what);
    if (isAgain) throw new FibError("machine_unreliable", `${what}, twice: the memory or the CPU is failing`);
    this.#adder = beginAt(this.#plan, index, termPair(index, start));
  }
}

/** Bytes of memory that {@link openSequence} needs at its peak, to be asked before it is called. */
export const sequenceMemoryBytes = ({ firstIndex, start, digitsMax }: SequencePlan): number =>
  // What computed the first two terms keeps its memory.
  termPairMemoryBytes(firstIndex, start) + adderMemoryBytes(digitsMax);

/**
 * Starts to write what was planned.
 *
 * @param pair - The term plan.firstIndex and the next one, if the caller has them. Else they are computed here:
 * 0.4 s at 10^8, 3 ms at 10^6.
 * @throws {@link FibError} `result_too_large`, when there is no memory for four terms.
 */
export function openSequence(
  plan: SequencePlan,
  pair?: readonly [Uint8Array, Uint8Array],
  fault?: ChunkFault,
): SequenceReader {
  const { firstIndex, touchedCount, range } = plan;
  if (touchedCount === 0 || range.end === range.start) return new SequenceReader(plan, undefined);
  return new SequenceReader(plan, beginAt(plan, firstIndex, pair ?? termPair(firstIndex, plan.start)), fault);
}

/** An instance of the kernel that writes the terms of a plan from an index on. */
function beginAt(plan: SequencePlan, index: number, pair: readonly [Uint8Array, Uint8Array]): Adder {
  const { layout, from, firstIndex, touchedCount } = plan;
  const [first, second] = pair;
  const digitsMax = Math.max(plan.digitsMax, first.length, second.length);
  const adder = takeAdder(digitsMax);
  adder.begin({
    first,
    second,
    residues: termResidues(index, MODULUS, plan.start),
    digitsMax,
    count: firstIndex + touchedCount - index,
    head: index === from ? layout.head : "",
    prefix: layout.prefix,
    index: layout.infix === undefined ? "" : String(index),
    infix: layout.infix ?? "",
    suffix: layout.suffix + layout.separator,
  });
  return adder;
}

/**
 * All bytes of a plan in one array of their own: for short texts.
 *
 * @throws `RangeError`, when there is no memory for them; {@link FibError} as {@link openSequence} does.
 */
export function readSequence(plan: SequencePlan, pair?: readonly [Uint8Array, Uint8Array]): Uint8Array {
  const text = new Uint8Array(plan.range.end - plan.range.start);
  const reader = openSequence(plan, pair);
  let length = 0;
  for (let view = reader.next(); view !== undefined; view = reader.next()) {
    text.set(view, length);
    length += view.length;
  }
  return text;
}
