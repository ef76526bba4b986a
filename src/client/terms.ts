/**
 * The forms in which texts are handed out: integers, text, streams.
 * @module
 */
import { FibClientError } from "./error.ts";
import { type Bytes, streamOf } from "./resume.ts";

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

/** ASCII is the same in all of these, and this one need not look for longer characters. */
const ASCII = "latin1";

/** The whole text. */
async function joinText({ pieces }: Bytes): Promise<string> {
  const decoder = new TextDecoder(ASCII);
  const texts: string[] = [];
  for await (const piece of pieces) texts.push(decoder.decode(piece));
  return texts.join("");
}

/**
 * The lines of a text, wherever its pieces were cut; the last one needs no end.
 *
 * @param encoding - Numbers are ASCII; words are not.
 */
export async function* splitLines(
  pieces: AsyncIterable<Uint8Array>,
  encoding: "latin1" | "utf-8" = ASCII,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder(encoding);
  let rest = "";
  for await (const piece of pieces) {
    const lines = decoder.decode(piece, { stream: true }).split("\n");
    // The rest is looked through once only, however many pieces a long line takes.
    lines[0] = rest + lines[0];
    rest = lines.pop()!;
    for (const line of lines) yield line;
  }
  if (rest !== "") yield rest;
}

/** Lines as integers. @throws {@link FibClientError} as {@link toBigInt} does. */
async function* toBigInts(lines: AsyncIterable<string>): AsyncGenerator<bigint, void> {
  for await (const line of lines) yield toBigInt(line);
}

/**
 * Decimal digits as an integer.
 *
 * @throws {@link FibClientError} `bad_answer` for what is none; a RangeError for more than the engine can hold.
 */
export function toBigInt(digits: unknown): bigint {
  if (typeof digits === "string" && /^\d+$/.test(digits)) return BigInt(digits);
  throw new FibClientError("bad_answer", `The server sent no number: ${String(digits).slice(0, 40)}`);
}

/** A text as a number in the form that is wanted; a stream may still be cut off by its reader. */
export async function numberAs<F extends NumberForm>(bytes: Bytes, form: F): Promise<NumberForms[F]> {
  const forms: { [Form in NumberForm]: () => NumberForms[Form] | Promise<NumberForms[Form]> } = {
    bigint: async () => toBigInt(await joinText(bytes)),
    text: () => joinText(bytes),
    stream: () => streamOf(() => Promise.resolve(bytes)),
  };
  return forms[form]();
}

/** A text of lines as a sequence in the form that is wanted; it is opened when the first of it is asked for. */
export function sequenceAs<F extends SequenceForm>(open: () => Promise<Bytes>, form: F): SequenceForms[F] {
  const forms: { [Form in SequenceForm]: () => SequenceForms[Form] } = {
    bigint: () => toBigInts(linesOf(open)),
    text: () => linesOf(open),
    stream: () => streamOf(open),
  };
  return forms[form]();
}

async function* linesOf(open: () => Promise<Bytes>): AsyncGenerator<string, void> {
  yield* splitLines((await open()).pieces);
}
