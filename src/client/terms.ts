/**
 * From the bytes of a text to the form in which it is wanted.
 * @module
 */
import { FibClientError } from "./error.ts";
import type { NumberForm, NumberForms, SequenceForm, SequenceForms } from "./forms.ts";
import { type Bytes, streamOf } from "./resume.ts";

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
 * @param charsMax - Of a line that is still without an end.
 * @throws {@link FibClientError} `bad_answer` for a longer one.
 */
export async function* splitLines(
  pieces: AsyncIterable<Uint8Array>,
  encoding: "latin1" | "utf-8" = ASCII,
  charsMax = Number.POSITIVE_INFINITY,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder(encoding);
  let rest = "";
  for await (const piece of pieces) {
    const lines = decoder.decode(piece, { stream: true }).split("\n");
    // The rest is looked through once only, however many pieces a long line takes.
    lines[0] = rest + lines[0];
    rest = lines.pop()!;
    if (rest.length > charsMax) throw new FibClientError("bad_answer", "The server sent a line without end");
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

/** How a text is read as a number in each form; a stream may still be cut off by its reader. */
export const NUMBERS: { readonly [Form in NumberForm]: (bytes: Bytes) => Promise<NumberForms[Form]> } = {
  bigint: async (bytes) => toBigInt(await joinText(bytes)),
  text: joinText,
  stream: (bytes) => Promise.resolve(streamOf(() => Promise.resolve(bytes))),
};

/** How lines are read as a sequence in each form; they are opened when the first of them is asked for. */
export const SEQUENCES: {
  readonly [Form in SequenceForm]: (open: () => Promise<Bytes>) => SequenceForms[Form];
} = {
  bigint: (open) => toBigInts(linesOf(open)),
  text: linesOf,
  stream: streamOf,
};

async function* linesOf(open: () => Promise<Bytes>): AsyncGenerator<string, void> {
  yield* splitLines((await open()).pieces);
}
