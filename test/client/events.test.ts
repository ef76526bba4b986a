/** Events are read right, wherever the bytes are cut. */
import { expect, test } from "bun:test";
import { FibClient } from "../../src/client/client.ts";
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

test("a server that says the same again and again, and ends each time, is given up; news is followed for ever", async () => {
  const id = "01a1fd64-51f4-7678-af12-2ee8e6058112";
  const statusOf = (progress: number) =>
    JSON.stringify({ id, kind: "fibonacci", state: "running", progress });
  for (const [isNews, expected] of [
    [false, 3],
    // Twelve with news, and two retries.
    [true, 14],
  ] as const) {
    let asked = 0;
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      routes: {
        [`/v1/tasks/${id}`]: () => new Response(statusOf(0)),
        [`/v1/tasks/${id}/events`]: () => {
          asked++;
          const isOver = asked > 12;
          return new Response(isOver ? "" : `data: ${statusOf(isNews ? asked / 100 : 0)}\n\n`, {
            headers: { "content-type": "text/event-stream" },
          });
        },
      },
    });
    const task = await new FibClient(server.url.origin, { retriesMax: 2 }).tasks.get(id);
    const follow = async () => {
      for await (const _ of task.events()) continue;
    };
    expect(await follow().catch(({ code }: { code: string }) => code)).toBe("unreachable");
    expect(asked).toBe(expected);
  }
});
