/**
 * From the bytes of a text to the form in which it is wanted.
 * @module
 */
import { readDigits } from "./digits.ts";
import { FibClientError } from "./error.ts";
import type { NumberForm, NumberForms, SequenceForm, SequenceForms } from "./forms.ts";
import type { Limits } from "./limits.ts";
import { type Bytes, type Open, streamOf } from "./resume.ts";

/** ASCII is the same in all of these, and this one need not look for longer characters. */
const ASCII = "latin1";

/** More is not kept in memory, nor in one line: V8's texts end at 536,870,888, and what is read at once comes on top. */
const TEXT_BYTES_MAX = 500_000_000;

/**
 * The whole text.
 *
 * @param bytesMax - Where to stop.
 * @throws {@link FibClientError} `result_too_large` for one that says so before, `bad_answer` for one that goes on and on.
 */
export async function joinText({ pieces, sizeBytes = 0 }: Bytes, bytesMax = TEXT_BYTES_MAX): Promise<string> {
  const decoder = new TextDecoder(ASCII);
  const texts: string[] = [];
  let rest = bytesMax;
  for await (const piece of pieces) {
    rest -= piece.length;
    if (rest < 0 || sizeBytes > bytesMax) {
      const code = sizeBytes > bytesMax ? "result_too_large" : "bad_answer";
      throw new FibClientError(code, `The text has more than ${bytesMax} bytes: take it as a stream`);
    }
    texts.push(decoder.decode(piece));
  }
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
  charsMax = TEXT_BYTES_MAX,
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

/** How a text is read as a number in each form; a stream may still be cut off by its reader. */
export const NUMBERS: {
  readonly [Form in NumberForm]: (open: Open, limits: Limits) => Promise<NumberForms[Form]>;
} = {
  // A RangeError for more than the engine can hold.
  bigint: async (open, limits) => BigInt(await joinText(await open(limits))),
  text: async (open, limits) => joinText(await open(limits)),
  stream: async (open, limits) => {
    const { stream, begin } = streamOf(open, limits);
    await begin();
    return stream;
  },
};

/** How lines are read as a sequence in each form; they are opened when the first of them is asked for. */
export const SEQUENCES: {
  readonly [Form in SequenceForm]: (open: Open, limits: Limits) => SequenceForms[Form];
} = {
  async *bigint(open, limits) {
    for await (const line of linesOf(open, limits)) yield BigInt(line);
  },
  text: linesOf,
  stream: (open, limits) => streamOf(open, limits).stream,
};

async function* linesOf(open: Open, limits: Limits): AsyncGenerator<string, void> {
  for await (const line of splitLines((await open(limits)).pieces)) yield readDigits(line);
}
