/** Long bodies and long computations with clients that stall, leave or come in crowds; method: real sockets. */
import { describe, expect, onTestFinished, test } from "bun:test";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { listen } from "../../src/http/server.ts";
import { type Source, Streams } from "../../src/http/streams.ts";
import { idleAdders } from "../../src/numbers/adder.ts";
import type { Digits } from "../../src/numbers/decimal.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import reference from "../vectors/reference.json";
import { startServer, temporaryFolder, until } from "../binary.ts";
import { untilScrape } from "../scrape.ts";
import { openServices } from "../services.ts";
import { connect, exchange, requestBytes, statusOf } from "../wire.ts";

/** For the tests that wait until a connection is cut: seconds; Bun counts them in steps of four. */
const IDLE_SECONDS = 1;
/** For the others, which must not be overtaken by that. */
const PATIENT_SECONDS = 240;

/** Some 100 GB: nobody waits for its end. */
const ENDLESS = "/v1/sequence?count=1000000";

/** Computes for a minute or so. */
const SLOW = "/v1/fibonacci/1200000000";

/** The same, with little memory and a short answer. */
const SLOW_AND_SMALL = `/v1/fibonacci/${"9".repeat(7500)}?mod=${"7".repeat(7500)}`;

/** A server on a free port, in this process. */
async function serve(options: Parameters<typeof openServices>[0] = {}, idleTimeoutSeconds = PATIENT_SECONDS) {
  const services = await openServices({ digitsMax: 1_000_000_000, ...options });
  const arrivals: Request[] = [];
  const watched = {
    fetch: (request: Request, ...rest: unknown[]) => {
      arrivals.push(request);
      return services.app.fetch(request, ...(rest as []));
    },
  };
  const where = { host: "127.0.0.1", port: 0, allowHosts: [], idleTimeoutSeconds };
  const server = listen(watched, where);
  onTestFinished(async () => void (await server.stop()));
  return { ...services, arrivals, url: server.url, port: Number(new URL(server.url).port) };
}

/** A client that asks and then reads nothing. */
async function stalledClient(port: number, target: string) {
  const client = await connect(port);
  client.socket.pause();
  client.socket.write(requestBytes(`GET ${target}`));
  return client;
}

async function digestOf(response: Response): Promise<string> {
  const digest = createHash("sha256");
  for await (const chunk of response.body!) digest.update(chunk);
  return digest.digest("hex");
}

describe("a reader that stalls", () => {
  test("costs no more memory than a few chunks, and is cut at the time limit", async () => {
    const { port, streams, bugs } = await serve({}, IDLE_SECONDS);
    const before = idleAdders();
    await stalledClient(port, ENDLESS);
    await until("the stream is open", () => streams.count === 1);
    const startBytes = process.memoryUsage.rss();
    await until("the stream is ended", () => streams.count === 0);
    expect(process.memoryUsage.rss() - startBytes).toBeLessThan(100e6);
    expect(idleAdders()).toBeGreaterThanOrEqual(before);
    expect(bugs).toEqual([]);
    expect(statusOf(await exchange(port, requestBytes("GET /api0/current")))).toBe(200);
  }, 300_000);
});

describe("a client that leaves", () => {
  test("in the middle of a stream ends it, and its memory is given back", async () => {
    const { port, streams, bugs } = await serve({ streamsMax: 1 });
    for (let round = 0; round < 10; round++) {
      const { socket, received } = await connect(port);
      socket.write(requestBytes(`GET ${ENDLESS}`));
      await until("bytes have come", () => received().length > 100_000);
      socket.terminate();
      await until("the stream is ended", () => streams.count === 0);
    }
    const digest = await digestOf(await fetch(`http://127.0.0.1:${port}/?sn=10000`));
    expect(digest).toBe(reference.sequences.list.find(({ count }) => count === 10_000)!.sha256);
    expect(bugs).toEqual([]);
  }, 300_000);

  test("before its stream begins takes no place in it", async () => {
    const { port, streams, pool, arrivals } = await serve({ streamsMax: 1 });
    // Another client waits for the same number, so it is computed although the first has left.
    const target = "/v1/fibonacci/20000000";
    const leaving = await connect(port);
    leaving.socket.write(requestBytes(`GET ${target}`));
    await until("it has arrived", () => arrivals.length === 1);
    const staying = fetch(`http://127.0.0.1:${port}${target}?format=text`);
    await until("both have arrived", () => arrivals.length === 2);
    leaving.socket.terminate();
    const response = await staying;
    await response.text();
    await until("all streams are ended", () => streams.count === 0 && pool.running === 0);
    expect((await fetch(`http://127.0.0.1:${port}/?sn=10000`)).status).toBe(200);
  }, 300_000);

  test("ends its computation, unless somebody else waits for the same", async () => {
    const { port, pool, arrivals } = await serve();
    const clients = await Promise.all([1, 2, 3].map(() => connect(port)));
    for (const { socket } of clients) socket.write(requestBytes(`GET ${SLOW}`));
    await until("all wait for it", () => arrivals.length === 3 && pool.running === 1);
    clients[0]!.socket.terminate();
    clients[1]!.socket.terminate();
    expect(statusOf(await exchange(port, requestBytes("GET /v1/fibonacci/10000")))).toBe(200);
    expect([pool.running, pool.waiting]).toEqual([1, 0]);
    clients[2]!.socket.terminate();
    await until("the computation is ended", () => pool.running === 0);
    // The slot is free again.
    expect(statusOf(await exchange(port, requestBytes("GET /v1/fibonacci/100000")))).toBe(200);
  }, 300_000);
});

describe("a crowd", () => {
  test("six streams at once share: all finish, none long before another, with the right digests", async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    const received = [0, 0, 0, 0, 0, 0];
    let whenFirstEnds: number[] | undefined;
    const digests = received.map(async (_, client) => {
      const digest = createHash("sha256");
      // 94 MB each; a few of them are in the buffers of the kernel.
      for await (const chunk of (await fetch(`${server.url}/?sn=30000`)).body!) {
        digest.update(chunk);
        received[client]! += chunk.length;
      }
      whenFirstEnds ??= [...received];
      return digest.digest("hex");
    });
    expect(new Set(await Promise.all(digests)).size).toBe(1);
    expect(new Set(received).size).toBe(1);
    expect(Math.min(...whenFirstEnds!)).toBeGreaterThan(received[0]! / 4);
    const six = Array.from({ length: 6 }, async () => digestOf(await fetch(`${server.url}/?sn=10000`)));
    const { sha256 } = reference.sequences.list.find(({ count }) => count === 10_000)!;
    expect(await Promise.all(six)).toEqual(Array.from({ length: 6 }, () => sha256));
  }, 300_000);

  test("--max-streams are shared: one address gets half and 503 beyond, another is served beside it", async () => {
    const { app, port, url, streams } = await serve({ streamsMax: 4 });
    const stalled = [await stalledClient(port, ENDLESS), await stalledClient(port, ENDLESS)];
    await until("both are open", () => streams.count === 2);
    const refused = await fetch(`${url}?sn=100000`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ code: "overloaded" });
    // What is short is no stream.
    expect((await fetch(`${url}v1/fibonacci/1000`)).status).toBe(200);
    // Without a port it is another address.
    expect((await digestOf(await app.request("/?sn=10000"))).length).toBe(64);
    // A socket that is paused would wait for its reader.
    stalled[0]!.socket.resume();
    stalled[0]!.socket.terminate();
    await until("one is ended", () => streams.count === 1);
    expect((await digestOf(await fetch(`${url}?sn=10000`))).length).toBe(64);
    stalled[1]!.socket.resume();
    stalled[1]!.socket.terminate();
  }, 300_000);

  test("a number that many ask for is computed once", async () => {
    const { url, results, pool } = await serve({ queueMax: 0 });
    const { sha256 } = reference.fibonacci.find(({ n }) => n === 10_000_000)!;
    const digests = Array.from({ length: 20 }, async () =>
      digestOf(await fetch(`${url}v1/fibonacci/10000000?format=text`)),
    );
    expect(new Set(await Promise.all(digests))).toEqual(new Set([sha256]));
    expect(results.taken.length).toBe(20);
    expect(pool.running).toBe(0);
  }, 300_000);

  test("a computation that takes longer than a silent connection may is answered", async () => {
    const computed = Promise.withResolvers<Digits>();
    const { port, url, results } = await serve({ run: () => computed.promise }, IDLE_SECONDS);
    const waiting = fetch(`${url}v1/fibonacci/100000?format=text`);
    await until("it waits", () => results.taken.length === 1);
    const silent = await connect(port);
    silent.socket.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(statusOf(await silent.ended)).toBe(200);
    computed.resolve(fibonacci(100_000));
    const digest = await digestOf(await waiting);
    expect(digest).toBe(reference.fibonacci.find(({ n }) => n === 100_000)!.sha256);
  }, 300_000);

  test("a hundred clients that ask for long numbers get a clear answer each, and the cursor goes on", async () => {
    using folder = temporaryFolder();
    const limits = ["--max-computations", "1", "--max-queue", "10"];
    await using server = await startServer(["-f", path.join(folder.path, "cursor"), ...limits]);
    // All others wait, or are refused, until this one leaves.
    const first = new AbortController();
    const held = fetch(`${server.url}${SLOW_AND_SMALL}`, { signal: first.signal }).catch(() => {});
    await untilScrape(
      server,
      "it computes",
      (found) => found.by("fibserver_computations")['state="running"'] === 1,
    );
    let answered = 0;
    const answers = Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const response = await fetch(`${server.url}/v1/fibonacci/${10_000_000 + i}?format=text`);
        const { status, headers } = response;
        const length = (await response.arrayBuffer()).byteLength;
        answered++;
        return { status, length, retryAfter: headers.get("retry-after") };
      }),
    );
    let asked = 0;
    do {
      const response = await fetch(`${server.url}/api0/current`);
      expect(await response.text()).toBe(`{"value":"0","status":"200"}`);
      // Ten wait at most.
      if (++asked > 5 && answered >= 90) first.abort();
    } while (Bun.peek.status(answers) === "pending");
    const all = await answers;
    await held;
    const good = all.filter(({ status }) => status === 200);
    // One address may have half of the ten that wait.
    expect(good.length).toBeGreaterThanOrEqual(5);
    for (const { length } of good) expect(length).toBeWithin(2_089_877, 2_089_900);
    const refused = all.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    for (const { status, retryAfter } of refused) expect([status, retryAfter]).toEqual([503, "1"]);
    expect(asked).toBeGreaterThan(5);
    expect(peakBytes(server.pid)).toBeLessThan(400e6);
  }, 300_000);
});

test("a stream that fails in the middle is cut, and does not look complete", async () => {
  const { streams } = await openServices();
  let chunks = 0;
  const source = {
    next: () => {
      if (++chunks > 3) throw new Error("made up");
      return new Uint8Array(65_536);
    },
    close: () => {},
  };
  const app = {
    fetch: (request: Request) => new Response(streams.open({ holder: "", signal: request.signal }, source)),
  };
  const server = listen(app, { host: "127.0.0.1", port: 0, allowHosts: [] });
  onTestFinished(async () => void (await server.stop()));
  const answer = await exchange(Number(new URL(server.url).port), requestBytes("GET /"));
  expect(statusOf(answer)).toBe(200);
  expect(answer).not.toEndWith("0\r\n\r\n");
  expect(streams.count).toBe(0);
});

/** The most memory that a process ever had. */
function peakBytes(pid: number): number {
  return 1024 * Number(/VmHWM:\s*(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, "latin1"))![1]);
}

test("a source is closed, and its place free again, whatever the end of its stream is", async () => {
  const streams = new Streams(1, { add: () => {} });
  let closedCount = 0;
  const source = (chunks: (Uint8Array | Error)[]): Source => ({
    next: () => {
      const chunk = chunks.shift();
      if (chunk instanceof Error) throw chunk;
      return chunk;
    },
    close: () => void closedCount++,
  });
  const asker = { holder: "one", signal: new AbortController().signal };
  const unread = streams.open(asker, source([]));
  expect(() => streams.open(asker, source([]))).toThrow("too many long bodies");
  expect([closedCount, streams.count]).toEqual([1, 1]);
  await unread.cancel();
  expect([closedCount, streams.count]).toEqual([2, 0]);
  const read = new Response(streams.open(asker, source([Buffer.from("a"), Buffer.from("b")])));
  expect(await read.text()).toBe("ab");
  expect([closedCount, streams.count]).toEqual([3, 0]);
  const failing = new Response(streams.open(asker, source([new Error("made up")])));
  expect(await failing.text().catch(() => "cut")).toBe("cut");
  expect([closedCount, streams.count]).toEqual([4, 0]);
});
