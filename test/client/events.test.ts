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

id: 1\u00002
id: \u20ac
data: these ids are dropped

id
data: {"reason":"π ≠ 3"}

data: the end is missing
`;

const EVENTS = [
  { id: undefined, type: "message", data: "plain" },
  { id: "7", type: "named", data: "no space\n two spaces" },
  { id: "7", type: "message", data: "" },
  { id: "8", type: "message", data: "these ids are dropped" },
  { id: "", type: "message", data: '{"reason":"π ≠ 3"}' },
];

async function* pieces(bytes: Uint8Array, cut: number) {
  yield bytes.subarray(0, cut);
  yield bytes.subarray(cut);
}

for (const [lineEnd, text] of [
  ["LF", TEXT],
  ["CR LF", TEXT.replaceAll("\n", "\r\n")],
  ["CR", TEXT.replaceAll("\n", "\r")],
] as const) {
  test(`parseEvents() reads the same events from lines with ${lineEnd}, cut at any byte`, async () => {
    const bytes = new TextEncoder().encode(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(await Array.fromAsync(parseEvents(pieces(bytes, cut))), `cut at ${cut}`).toEqual(EVENTS);
    }
  });
}
