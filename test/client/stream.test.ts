/** A text that is cut arrives whole, from any byte on, and no faster than it is read. */
import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { FibClient, FibClientError } from "../../src/client/client.ts";
import { until } from "../binary.ts";
import { bigTerms, sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json" with { type: "json" };
import { startProxy } from "./proxy.ts";
import { openScripted, openServer, TASK } from "./server.ts";

setDefaultTimeout(300_000);

test("FibClient.sequence() delivers a gigabyte through twenty cuts whole", async () => {
  const expected = reference.sequences.list.find(({ from, count }) => from === 0 && count === 100_000)!;
  await using server = await openServer();
  await using proxy = await startProxy(server.url, (connection) =>
    // Not at the borders of anything.
    connection < 20 ? { cutAfterBytes: 49_999_001 + 1013 * connection } : {},
  );
  const hash = new Bun.CryptoHasher("sha256");
  let sizeBytes = 0;
  for await (const term of new FibClient(proxy.url).sequence({ count: 100_000, as: "text" })) {
    hash.update(term);
    hash.update(" ");
    sizeBytes += term.length + 1;
  }
  expect({ sizeBytes, sha256: hash.digest("hex"), cutCount: proxy.cutCount() }).toEqual({
    sizeBytes: expected.bytes,
    sha256: expected.sha256,
    cutCount: 20,
  });
  // It goes through this process four times.
}, 900_000);

test("FibClient.sequence() goes on from every byte of an answer", async () => {
  await using server = await openServer();
  const expected = bigTerms(0, 40);
  // The head of the answer has some 400 bytes; the rest of the cuts is in the text.
  const { answerBytes, timingBytes } = await answerSize(
    server.url,
    "/v1/sequence?from=0&count=40&format=text",
  );
  // `Server-Timing` is not always as long: an answer ends somewhere between these, and then nothing is cut.
  const [shortestBytes, longestBytes] = [answerBytes - timingBytes, answerBytes + timingBytes];
  expect(shortestBytes).toBeGreaterThan(500);
  const read = async (cutAfterBytes: number) => {
    await using proxy = await startProxy(server.url, (connection) =>
      connection === 0 ? { cutAfterBytes } : {},
    );
    const terms = await all(new FibClient(proxy.url).sequence({ from: 0, count: 40, as: "text" }));
    return { cutAfterBytes, terms, cutCount: proxy.cutCount() };
  };
  for (let start = 1; start < longestBytes; start += 60) {
    const cuts = Array.from({ length: Math.min(60, longestBytes - start) }, (_, i) => start + i);
    for (const { terms, cutCount, cutAfterBytes } of await Promise.all(cuts.map(read))) {
      expect({ cutAfterBytes, terms }).toEqual({ cutAfterBytes, terms: expected });
      if (cutAfterBytes < shortestBytes)
        expect({ cutAfterBytes, cutCount }).toEqual({ cutAfterBytes, cutCount: 1 });
    }
  }
});

test("FibClient.fibonacci() goes on after a cut, in each form", async () => {
  await using server = await openServer();
  const whole = await (await fetch(`${server.url}/v1/fibonacci/100000?format=text`)).text();
  for (const as of ["bigint", "text", "stream"] as const) {
    await using proxy = await startProxy(server.url, (connection) =>
      connection === 0 ? { cutAfterBytes: 10_000 } : {},
    );
    const number = await new FibClient(proxy.url).fibonacci(100_000, { as });
    expect(number instanceof ReadableStream ? await new Response(number).text() : String(number)).toBe(whole);
    expect(proxy.cutCount()).toBe(1);
  }
});

test("FibClient.sequence() gives up when a connection breaks again and again without progress", async () => {
  await using server = await openServer();
  await using proxy = await startProxy(server.url, (connection) => ({
    cutAfterBytes: connection === 0 ? 5000 : 20,
  }));
  const terms = new FibClient(proxy.url, { retriesMax: 2 }).sequence({ count: 1000 });
  expect(await refusal(all(terms))).toMatchObject({ code: "unreachable" });
  expect(proxy.connectionCount()).toBe(3);
});

test("FibClient.sequence() refuses to go on in another text", async () => {
  for (const second of [
    part('"b"', "1\n1\n", "2-5/6"),
    part('"a"', "1\n1\n", "2-5/7"),
    part('"a"', "0\n1\n1\n", "0-5/6"),
    () => new Response("0\n1\n1\n", { headers: { etag: '"a"', "content-length": "6" } }),
  ]) {
    await using server = openScripted(part('"a"', "0\n", "0-5/6"), second);
    expect(await refusal(all(new FibClient(server.url).sequence({ count: 3 })))).toMatchObject({
      code: "changed",
    });
    expect(server.requests[1]!.headers.get("if-range")).toBe('"a"');
    expect(server.requests[1]!.headers.get("range")).toBe("bytes=2-");
  }
});

test("FibClient.sequence() asks for no more than its reader takes, and ends the connection with it", async () => {
  await using server = await openServer();
  await using proxy = await startProxy(server.url, () => ({}));
  for (const leave of ["break", "cancel"] as const) {
    const before = proxy.sentBytes();
    const client = new FibClient(proxy.url);
    if (leave === "break") {
      for await (const term of client.sequence({ from: 50_000, count: 50_000, as: "text" })) {
        expect(term).toHaveLength(10_450);
        await settled(proxy.sentBytes);
        break;
      }
    } else {
      const stream = client.sequence({ from: 50_000, count: 50_000, as: "stream" });
      const reader = stream.getReader();
      expect((await reader.read()).value?.length).toBeGreaterThan(0);
      await settled(proxy.sentBytes);
      await reader.cancel();
    }
    // What the buffers of the sockets hold; the whole has 780 MB.
    expect(proxy.sentBytes() - before).toBeLessThan(32e6);
    await until(`${leave} closes the connection`, () => proxy.openCount() === 0);
  }
});

test("who cancels a stream ends what was begun for it, wherever that is, and begins nothing", async () => {
  const status = { ...TASK, kind: "sequence", from: "0", count: "3" };
  const task = () => Response.json(status);
  let attempts = 0;
  // With news each time, so that the next try comes within 0.1 s.
  const events = () =>
    new Response(`data: ${JSON.stringify({ ...status, attempts: ++attempts })}\n\n`, {
      headers: { "content-type": "text/event-stream" },
    });
  for (const [what, answers, open] of [
    ["the head of the text", [silent], (client: FibClient) => client.sequence({ as: "stream" })],
    [
      "the head of the events",
      [task, silent],
      async ({ tasks }: FibClient) => (await tasks.get("a")).terms({ as: "stream" }),
    ],
    [
      "the next try",
      [task, events],
      async ({ tasks }: FibClient) => (await tasks.get("a")).terms({ as: "stream" }),
    ],
  ] as const) {
    await using server = openScripted(...answers);
    const sent: AbortSignal[] = [];
    let waits = 0;
    const client = new FibClient(server.url, {
      fetch: (url, init) => {
        sent.push(init.signal!);
        return fetch(url, init);
      },
      onRetry: () => waits++,
    });
    const stream = await open(client);
    await new Promise(setImmediate);
    const before = sent.length;
    const reader = stream.getReader();
    const read = reader.read();
    await until(`${what} is waited for`, () => (what === "the next try" ? waits > 1 : sent.length > before));
    await reader.cancel();
    expect(await read).toEqual({ done: true, value: undefined });
    const after = sent.length;
    expect({ what, aborted: sent.at(-1)!.aborted || what === "the next try" }).toEqual({
      what,
      aborted: true,
    });
    if (what === "the next try") await settled(() => sent.length);
    expect(sent.length - after).toBeLessThan(2);
  }
  await using server = openScripted(silent);
  await new FibClient(server.url).sequence({ as: "stream" }).cancel();
  expect(server.requests).toEqual([]);
});

test("a signal ends a stream that is read, and many calls at once add one listener to it", async () => {
  await using server = await openServer();
  const abort = new AbortController();
  const added = spyOn(abort.signal, "addEventListener");
  const client = new FibClient(server.url);
  await Promise.all(Array.from({ length: 50 }, () => client.fibonacci(10, { signal: abort.signal })));
  expect(added).toHaveBeenCalledTimes(1);
  for (const open of [
    (signal: AbortSignal) => client.sequence({ from: 50_000, count: 50_000, as: "stream", signal }),
    (signal: AbortSignal) => client.fibonacci(100_000_000, { as: "stream", signal }),
  ]) {
    const ending = new AbortController();
    const reader = (await open(ending.signal)).getReader();
    await reader.read();
    ending.abort(new Error("enough"));
    const rest = async () => {
      while (!(await reader.read()).done);
    };
    expect(await rest().catch((error: unknown) => error)).toEqual(new Error("enough"));
  }
});

test("FibClient.sequence() delivers no terms, one, and those from an index to another", async () => {
  await using server = await openServer();
  const client = new FibClient(server.url);
  expect(await all(client.sequence({ count: 0 }))).toEqual([]);
  expect(await all(client.sequence({ from: 0, count: 1 }))).toEqual([0n]);
  expect(await all(client.sequence({ from: 10, to: 12 }))).toEqual([55n, 89n, 144n]);
  expect(await all(client.sequence())).toHaveLength(100);
  expect(await new Response(client.sequence({ count: 4, as: "stream" })).text()).toBe("0\n1\n1\n2\n");
  const [last] = await all(client.sequence({ from: 1_000_000, count: 1, as: "text" }));
  expect(sha256(last!)).toBe(reference.fibonacci.find(({ n }) => n === 1_000_000)!.sha256);
});

function part(etag: string, text: string, range: string): () => Response {
  return () => new Response(text, { status: 206, headers: { etag, "content-range": `bytes ${range}` } });
}

function silent(): Promise<Response> {
  return new Promise(() => {});
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  return Array.fromAsync(values);
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FibClientError);
  return error;
}

/** Bytes of an answer with its head, as they go over the wire, and of the value in it that is not always as long. */
async function answerSize(url: string, path: string) {
  await using proxy = await startProxy(url, () => ({}));
  const response = await fetch(proxy.url + path, { headers: { range: "bytes=0-" } });
  await response.text();
  const timingBytes = response.headers.get("server-timing")!.length;
  return { answerBytes: proxy.sentBytes(), timingBytes };
}

/** Waits until a number has stood still for a moment. */
async function settled(value: () => number): Promise<void> {
  let [last, sinceMs] = [value(), performance.now()];
  await until("it stands still", () => {
    if (value() !== last) [last, sinceMs] = [value(), performance.now()];
    return performance.now() - sinceMs > 300;
  });
}
