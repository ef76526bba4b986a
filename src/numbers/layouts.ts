/**
 * How results are written: the text around their digits. A sequence is
 *
 *     head  record separator record separator … record  tail      (no records: head tail)
 *     record = prefix [index infix] value suffix
 *
 * All representations are this one shape with other pieces, so one loop writes them all
 * (kernel/add.ts) and one formula knows where each byte belongs (offsets.ts). The pieces are
 * ASCII; adder.ts says how long they may be.
 * @module
 */

/** The pieces of one representation. */
export interface SequenceLayout {
  readonly head: string;
  readonly prefix: string;
  /** Between index and value; undefined if the records carry no index. */
  readonly infix: string | undefined;
  readonly suffix: string;
  readonly separator: string;
  readonly tail: string;
}

const BARE: SequenceLayout = { head: "", prefix: "", infix: undefined, suffix: "", separator: "", tail: "" };

/** The representations, by the name that `?format=` and the shell use for those that have one. */
export const LAYOUTS = {
  /** One term a line. */
  text: { ...BARE, suffix: "\n" },
  /** Each term followed by a space. */
  spaced: { ...BARE, suffix: " " },
  /** Single spaces between the terms. */
  joined: { ...BARE, separator: " " },
  /** An array of strings: numbers of JSON readers end at 2^53. */
  json: { ...BARE, head: "[", prefix: '"', suffix: '"', separator: ",", tail: "]" },
  ndjson: { ...BARE, prefix: '{"n":"', infix: '","value":"', suffix: '"}\n' },
  csv: { ...BARE, head: "n,value\n", infix: ",", suffix: "\n" },
  /** As the OEIS has it: https://oeis.org/SubmitB.html */
  bfile: { ...BARE, infix: " ", suffix: "\n" },
} as const satisfies Record<string, SequenceLayout>;

/** A layout with other text before its first record and behind its last, at most 64 bytes each. */
export const framed = (layout: SequenceLayout, head: string, tail = ""): SequenceLayout => ({
  ...layout,
  head,
  tail,
});

/** A number as JSON: what stands around its digits. The digits come last, so that they can be sent as they come. */
export const jsonFrame = (
  given: Readonly<Record<string, string | undefined>>,
  digits: number | undefined,
): { head: string; tail: string } => ({
  head: `${JSON.stringify({ ...given, digits }).slice(0, -1)},"value":"`,
  tail: '"}',
});
