/**
 * The forms in which numbers and sequences are handed out.
 * @module
 */

/** What a number may be had as. */
export interface NumberForms {
  /** Engines end it somewhere between 300,000 and 300 million digits, and reading it takes longer than sending. */
  bigint: bigint;
  /** Decimal digits. */
  text: string;
  /** Decimal digits, in ASCII. */
  stream: ReadableStream<Uint8Array>;
}

/** The name of one. */
export type NumberForm = keyof NumberForms;

/** The first two terms of a sequence in which each is the sum of the two before it: `[0, 1]` are Fibonacci's. */
export type SequenceStart = readonly [number | bigint, number | bigint];

/** What a sequence may be had as. */
export interface SequenceForms {
  bigint: AsyncGenerator<bigint, void>;
  /** Decimal digits, term by term. */
  text: AsyncGenerator<string, void>;
  /** One term a line, in ASCII. */
  stream: ReadableStream<Uint8Array>;
}

/** The name of one. */
export type SequenceForm = keyof SequenceForms;
