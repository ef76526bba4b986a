/**
 * Servers that are broken, or mean harm, asked about cursors by name: what they say is checked, and what they say again
 * and again holds no call. And what is wrong in a call asks nothing of any server.
 */
import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { array, assert, constantFrom, oneof, property, stringMatching } from "fast-check";
import { FibClient, FibClientError } from "../../src/client/client.ts";
import { parseName } from "../../src/cursor-name.ts";
import { openScripted } from "./server.ts";

setDefaultTimeout(300_000);

const ENTRY = { name: "a", index: "7", movedAt: "2026-11-27T09:00:00.000Z" };

test("FibClient.cursor() takes the names that the server takes, and asks nothing of another", async () => {
  await using server = openScripted(() => Response.json({ index: "7", value: "13" }));
  const fib = new FibClient(server.url);
  const alphabet = constantFrom(
    "a",
    "A",
    "z",
    "0",
    "9",
    ".",
    "_",
    "-",
    "/",
    "%",
    "\n",
    " ",
    "\u00e4",
    "client-",
    "..",
  );
  const names = array(alphabet, { maxLength: 66 }).map((parts) => parts.join(""));
  assert(
    property(oneof(names, stringMatching(/^[a-z0-9.]{1,70}$/)), (name) => {
      expect(accepts(() => fib.cursor(name))).toBe(accepts(() => parseName(name, "name")));
    }),
  );
  for (const name of ["", ".", "..", "a/b", "Alice", "client-a", "x".repeat(65), "a\n", "\u001b[2J"]) {
    expect(() => fib.cursor(name)).toThrow(TypeError);
  }
  for (const name of [undefined, null, 7, {}, ["a"]]) {
    expect(() => fib.cursor(name as string)).toThrow(TypeError);
  }
  expect(server.requests).toEqual([]);
  await fib.cursor("a.b_c-9").next();
  expect(server.requests.map(({ method, url }) => `${method} ${new URL(url).pathname}`)).toEqual([
    "POST /v1/cursors/a.b_c-9/next",
  ]);
});

test("what is wrong in a call on cursors is thrown at once, and asks nothing", async () => {
  await using server = openScripted(() => new Response());
  const fib = new FibClient(server.url);
  expect(() => fib.cursor.watch({ as: "stream" as "text" })).toThrow(TypeError);
  expect(() => fib.cursor.watch({ timeoutMs: 0 })).toThrow(RangeError);
  expect(() => fib.cursors.list({ limit: -1 })).toThrow(RangeError);
  expect(() => fib.cursors.list({ prefix: 7 as unknown as string })).toThrow(TypeError);
  expect(() => fib.cursors.list({ retriesMax: -1 })).toThrow(RangeError);
  expect(await thrown(fib.cursor("a").set(-1))).toBeInstanceOf(RangeError);
  expect(server.requests).toEqual([]);
});

for (const [what, texts] of [
  ["with nothing", [""]],
  ["with heartbeats", [": still here\n\n: still here\n\n"]],
  ["with the same position", [told(7)]],
  ["with two positions in turn", [told(8), told(7)]],
  ["with earlier positions", [told(8), told(7), told(6), told(5)]],
  ["with events of other types", ["event: news\ndata: {}\n\n", "data: {}\n\n"]],
] as const) {
  test(`CursorClient.watch() ends after retriesMax connections that end ${what}`, async () => {
    // Time stands still: a connection that a slow machine keeps for five seconds would be a sound one.
    using _clock = spyOn(performance, "now").mockReturnValue(0);
    let count = 0;
    await using server = openScripted(() => events(texts[count++ % texts.length]!));
    const { cursor } = new FibClient(server.url, { retriesMax: 2 });
    expect(await refusal(Array.fromAsync(cursor.watch()))).toMatchObject({ code: "unreachable" });
    expect(count).toBe(3);
  });
}

test("CursorClient.watch() makes no sound connection out of a slow reader", async () => {
  let nowMs = 0;
  using _clock = spyOn(performance, "now").mockImplementation(() => nowMs);
  let count = 0;
  await using server = openScripted(() => {
    count++;
    return events(told(8) + told(7) + told(8));
  });
  const { cursor } = new FibClient(server.url, { retriesMax: 2 });
  const reading = async () => {
    for await (const { index } of cursor.watch()) nowMs += 10_000 + index;
  };
  expect(await refusal(reading())).toMatchObject({ code: "unreachable" });
  expect(count).toBe(3);
});

test("CursorClient.watch() follows a cursor that was restored, and goes on as long as connections hold", async () => {
  let nowMs = 0;
  // Each look at the clock is ten seconds after the last.
  using _clock = spyOn(performance, "now").mockImplementation(() => (nowMs += 10_000));
  let count = 0;
  await using server = openScripted(() => events(++count === 1 ? told(900) : told(count)));
  const seen: string[] = [];
  const { cursor } = new FibClient(server.url, { retriesMax: 2 });
  for await (const { etag } of cursor.watch()) if (seen.push(etag) === 12) break;
  expect(seen).toEqual(['"900"', ...Array.from({ length: 11 }, (_, i) => `"${i + 2}"`)]);
});

test("CursorClient.watch() tells each position once, and names the last one when it comes back", async () => {
  await using server = openScripted(
    () => events(`retry: 1000\n\n: hello\n\n${told(7)}${told(8)}event: position\nid: 9\ndata: {"ind`),
    () => events(told(8)),
    () => events(told(8) + told(9)),
    // A store that has lost moves gives a generation once more.
    () => events(told(9).replace(`"7","value":"13"`, `"8","value":"21"`)),
    () => events("event: removed\ndata: {}\n\n"),
  );
  const { cursor } = new FibClient(server.url);
  const seen = await Array.fromAsync(cursor.watch());
  expect(seen.map(({ etag, index }) => [etag, index])).toEqual([
    ['"7"', 7],
    ['"8"', 7],
    ['"9"', 7],
    ['"9"', 8],
  ]);
  const ids = server.requests.map(({ headers }) => headers.get("last-event-id"));
  expect(ids).toEqual([null, "8", "8", "9", "9"]);
});

test("CursorClient.watch() ends when the cursor was removed between two connections", async () => {
  await using server = openScripted(() => events(told(7)), unknown);
  const seen = await Array.fromAsync(new FibClient(server.url).cursor("a").watch());
  expect(seen).toHaveLength(1);
  expect(server.requests).toHaveLength(2);
  await using other = openScripted(unknown);
  const watch = new FibClient(other.url).cursor("a").watch();
  expect(await refusal(watch.next())).toMatchObject({ code: "cursor_unknown" });
});

test("CursorClient.watch() hands out nothing that is no position", async () => {
  for (const [id, data] of [
    ["7", `{"index":"x","value":"13"}`],
    ["7", `{"index":7,"value":"13"}`],
    ["7", `{"index":"9999999999999999","value":"13"}`],
    ["7", `{"index":"7","value":"1\\u001b[2J"}`],
    ["7", `{"index":"7","value":13}`],
    ["7", `{"index":"7","value":null,"digits":5}`],
    ["7", `{"index":"7"}`],
    ["7", `{"index":"7","digits":-1}`],
    ["7", `{"index":"7","digits":"1045"}`],
    ["7", `{"index":"7","digits":1.5}`],
    ["7", `{"index":{"toString":1},"value":"13"}`],
    ["7", "null"],
    ["7", "no JSON"],
    ["x", `{"index":"7","value":"13"}`],
    ["", `{"index":"7","value":"13"}`],
  ] as const) {
    for (const as of ["bigint", "text"] as const) {
      await using server = openScripted(() => events(`id: ${id}\nevent: position\ndata: ${data}\n\n`));
      const watch = Array.fromAsync<unknown>(new FibClient(server.url).cursor.watch({ as }));
      expect(await refusal(watch), data).toMatchObject({ code: "bad_answer" });
      expect(server.requests).toHaveLength(1);
    }
  }
});

test("CursorClient.watch() keeps no event without end in memory", async () => {
  let sizeBytes = 0;
  const bytes = new TextEncoder().encode(`data: {"index":"7"}\n`.repeat(5000));
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sizeBytes += bytes.length;
      controller.enqueue(bytes);
    },
  });
  const { cursor } = new FibClient("http://fib.test", {
    fetch: async () => new Response(endless, { headers: { "content-type": "text/event-stream" } }),
  });
  expect(await refusal(cursor.watch().next())).toMatchObject({ code: "bad_answer" });
  expect(sizeBytes).toBeLessThan(8e6);
});

test("CursorsClient.list() ends when the server's pages go round, or are empty without end", async () => {
  for (const [pages, expectedCount] of [
    [() => page("b", ENTRY), 2],
    [(count: number) => page("bc"[count % 2]!, ENTRY), 3],
    [(count: number) => page(String(count)), 3],
  ] as const) {
    let count = 0;
    await using server = openScripted(() => pages(count++));
    const { cursors } = new FibClient(server.url, { retriesMax: 2 });
    expect(await refusal(Array.fromAsync(cursors.list()))).toMatchObject({ code: "bad_answer" });
    expect(count).toBe(expectedCount);
  }
});

test("CursorsClient.list() goes on behind pages that are empty, as long as others come between", async () => {
  const cursors = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? [] : [ENTRY]));
  const pages = cursors.map((entries, i) => () => page(String(i), ...entries));
  await using server = openScripted(...pages, () => Response.json({ cursors: [] }));
  const { cursors: all } = new FibClient(server.url, { retriesMax: 2 });
  expect(await Array.fromAsync(all.list())).toHaveLength(4);
});

test("CursorClient takes an answer for a replayed one only when the server says so", async () => {
  for (const [header, replayed] of [
    ["true", true],
    ["false", false],
  ] as const) {
    const headers = { "idempotency-replayed": header };
    await using server = openScripted(() => Response.json({ index: "7", value: "13" }, { headers }));
    expect(await new FibClient(server.url).cursor.next()).toMatchObject({ index: 7, replayed });
  }
});

test("CursorsClient.list() hands out nothing that is no cursor", async () => {
  const names = ["", "A", "client-a", "\u001b[2J", 7, null, undefined].map((name) => ({ name }));
  const indexes = ["x", 7, "-1", "9999999999999999", undefined].map((index) => ({ index }));
  const times = ["yesterday", 7, null, "\u001b[2J"].map((movedAt) => ({ movedAt }));
  for (const wrong of [...names, ...indexes, ...times, null]) {
    const entry = wrong && { ...ENTRY, ...wrong };
    await using server = openScripted(() => Response.json({ cursors: [entry] }));
    const listing = Array.fromAsync(new FibClient(server.url).cursors.list());
    expect(await refusal(listing), JSON.stringify(wrong)).toMatchObject({ code: "bad_answer" });
  }
});

for (const [what, answers, expected] of [
  ["removed, though the first attempt found none later", [busy, unknown], undefined],
  ["removed, when nothing matches and there is none", [busy, moved, unknown], undefined],
  ["one that has moved, when there still is one", [busy, moved, () => new Response("{}")], "cursor_moved"],
  ["one that has moved, when the first attempt says so", [moved, unknown], "cursor_moved"],
  ["none, when the first attempt says so", [unknown], "cursor_unknown"],
  ["forbidden, when one may not look", [busy, moved, forbidden], "forbidden"],
] as const) {
  test(`CursorClient.remove() takes it for ${what}`, async () => {
    await using server = openScripted(...answers);
    const removal = new FibClient(server.url).cursor("a").remove({ ifMatch: '"7"' });
    if (expected === undefined) expect(await removal).toBeUndefined();
    else expect(await refusal(removal)).toMatchObject({ code: expected });
    const [first] = server.requests;
    expect(first!.method).toBe("DELETE");
    expect(first!.headers.get("if-match")).toBe('"7"');
  });
}

/** An event with F(7), at a generation. */
function told(generation: number): string {
  return `event: position\nid: ${generation}\ndata: {"index":"7","value":"13"}\n\n`;
}

function events(text: string): Response {
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

function accepts(take: () => unknown): boolean {
  try {
    take();
    return true;
  } catch {
    return false;
  }
}

function page(next: string, ...cursors: unknown[]): Response {
  return Response.json({ cursors, next });
}

function unknown(): Response {
  return Response.json({ code: "cursor_unknown" }, { status: 404 });
}

function moved(): Response {
  return Response.json({ code: "cursor_moved" }, { status: 412 });
}

function forbidden(): Response {
  return Response.json({ code: "forbidden" }, { status: 403 });
}

function busy(): Response {
  return new Response("<html>", { status: 502 });
}

async function thrown(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

async function refusal(call: Promise<unknown>): Promise<FibClientError> {
  const error = await thrown(call);
  expect(error).toBeInstanceOf(FibClientError);
  return error as FibClientError;
}
