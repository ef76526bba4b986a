/** Events are read right, wherever the bytes are cut. */
import { expect, test } from "bun:test";
import { parseEvents } from "../../src/client/events.ts";

const TEXT = `retry: 1000

: a comment
data: plain

id: 7
event: named
data:no space
data:  two spaces

data

id: 8

id
data: {"reason":"π ≠ 3"}

data: the end is missing
`;

const EVENTS = [
  { id: undefined, data: "plain" },
  { id: "7", data: "no space\n two spaces" },
  { id: "7", data: "" },
  { id: "", data: '{"reason":"π ≠ 3"}' },
];

async function* pieces(bytes: Uint8Array, cut: number) {
  yield bytes.subarray(0, cut);
  yield bytes.subarray(cut);
}

for (const [lineEnd, text] of [
  ["LF", TEXT],
  ["CR LF", TEXT.replaceAll("\n", "\r\n")],
] as const) {
  test(`parseEvents() reads the same events from lines with ${lineEnd}, cut at any byte`, async () => {
    const bytes = new TextEncoder().encode(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(await Array.fromAsync(parseEvents(pieces(bytes, cut))), `cut at ${cut}`).toEqual(EVENTS);
    }
  });
}
