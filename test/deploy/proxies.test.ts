/**
 * What nginx, Caddy and HAProxy pass on, as `deploy/` has them: moves, conditions, ranges, events, a gigabyte, the page.
 * Method: the same questions through each of them, over https, with the compiled server behind it.
 */
import { afterAll, expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import http2 from "node:http2";
import { FibClient } from "../../dist/client/client.js";
import { until } from "../binary.ts";
import { scrape, type Scrape, untilScrape } from "../scrape.ts";
import { behindEach, connect, peakBytes, type Wire } from "./behind.ts";
import { hasIpv6, type Proxy } from "./proxies.ts";

// Three gigabytes for each of them.
setDefaultTimeout(1_200_000);

/** 1.045 GB of text. */
const LONG = "/v1/sequence?count=100000";
/** 104 GB. */
const LONGER = "/v1/sequence?count=1000000";

const FLAGS = ["--max-index", "1000000", "--per-client", "--max-computations", "1"];

const positionOf = (response: Response) => response.json() as Promise<{ index: string; value: string }>;

/** A client of the package that is published, which trusts the proxy's certificate. */
const clientOf = ({ url, ca }: Proxy) =>
  new FibClient(url, { fetch: (input, init) => fetch(input, { ...init, tls: { ca } }) });

behindEach(FLAGS, (test, behind, early) => {
  test("its own check finds nothing to complain of, and its own format is the file's", async () => {
    const { kind, proxy } = behind();
    expect(proxy.complaints).toBe("");
    if (kind.name !== "caddy") return;
    const { stdout, exitCode } = Bun.spawnSync(["caddy", "fmt", `${proxy.folder}/Caddyfile`]);
    expect([exitCode, stdout.toString()]).toEqual([0, fs.readFileSync(`${proxy.folder}/Caddyfile`, "utf8")]);
  });

  test("moves of 64 clients are each made once, and in order; one that is sent again is not", async () => {
    const { proxy } = behind();
    const move = async (key: string) => {
      const init = { method: "POST", headers: { "Idempotency-Key": key, "X-Request-Id": key } };
      const response = await proxy.fetch("/v1/cursor/next", init);
      expect([response.status, response.headers.get("x-request-id")]).toEqual([200, key]);
      return { index: Number((await positionOf(response)).index), response };
    };
    const before = Number((await positionOf(await proxy.fetch("/v1/cursor"))).index);
    const moved = await Promise.all(
      Array.from({ length: 64 }, async (_, client) => {
        const indexes: number[] = [];
        for (let turn = 0; turn < 4; turn++) indexes.push((await move(`c${client}-${turn}`)).index);
        expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
        return indexes;
      }),
    );
    expect(moved.flat().toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 256 }, (_, at) => before + 1 + at),
    );
    const first = await move("again");
    const second = await move("again");
    expect([second.index, second.response.headers.get("idempotency-replayed")]).toEqual([
      first.index,
      "true",
    ]);
  });

  test("conditions, ETags, preferences, HEAD and OPTIONS reach the server, and its answers the client", async () => {
    const { proxy } = behind();
    const position = await proxy.fetch("/v1/cursor");
    const etag = position.headers.get("etag")!;
    expect(etag).toMatch(/^"\d+"$/);
    expect((await proxy.fetch("/v1/cursor", { headers: { "If-None-Match": etag } })).status).toBe(304);
    const put = (index: string, condition: string) =>
      proxy.fetch("/v1/cursor", {
        method: "PUT",
        body: JSON.stringify({ index }),
        headers: { "If-Match": condition },
      });
    expect((await put("7", etag)).status).toBe(200);
    expect((await put("8", etag)).status).toBe(412);
    const minimal = await proxy.fetch("/v1/cursor", { headers: { Prefer: "return=minimal" } });
    expect(await minimal.json()).toEqual({ index: "7", digits: 2 });
    const number = await proxy.fetch("/v1/fibonacci/1000", { headers: { "Accept-Encoding": "gzip, br" } });
    const strong = number.headers.get("etag")!;
    expect([strong, number.headers.get("content-encoding")]).toEqual([expect.stringMatching(/^"/), null]);
    expect((await proxy.fetch("/v1/fibonacci/1000", { headers: { "If-None-Match": strong } })).status).toBe(
      304,
    );
    const head = await proxy.fetch(LONGER, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "104494866149"]);
    const options = await proxy.fetch("/v1/cursor", { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([405, expect.stringContaining("PUT")]);
    const later = await proxy.fetch("/v1/fibonacci/4321", { headers: { Prefer: "respond-async" } });
    expect([later.status, later.headers.get("location")]).toEqual([
      202,
      expect.stringContaining("/v1/tasks/"),
    ]);
  });

  test("a range deep in 104 GB is that range, and If-Range holds", async () => {
    const { proxy, server } = behind();
    const Range = "bytes=51936778400-51936778499";
    const etag = (await proxy.fetch(LONGER, { method: "HEAD" })).headers.get("etag")!;
    const [part, direct] = [
      await proxy.fetch(LONGER, { headers: { Range, "If-Range": etag } }),
      await fetch(server.url + LONGER, { headers: { Range } }),
    ];
    expect([part.status, part.headers.get("content-range"), part.headers.get("fibserver-term")]).toEqual([
      206,
      "bytes 51936778400-51936778499/104494866149",
      "705000+4",
    ]);
    expect(await part.text()).toBe(await direct.text());
  });

  test("the page, its files and /docs arrive as they were compressed, by HTTP/2 as well", async () => {
    const { proxy } = behind();
    const page = await proxy.fetch("/", { headers: { Accept: "text/html" } });
    expect([page.headers.get("content-type"), page.headers.get("content-security-policy")]).toEqual([
      expect.stringContaining("text/html"),
      expect.stringContaining("default-src 'none'"),
    ]);
    const script = /src="([^"]+\.js)"/.exec(await page.text())![1]!;
    const headers = { "Accept-Encoding": "br" };
    const asset = await proxy.fetch(new URL(script, `${proxy.url}/`).href, { headers });
    expect([asset.status, asset.headers.get("content-encoding")]).toEqual([200, "br"]);
    expect(await asset.text()).not.toBe("");
    expect((await proxy.fetch("/docs", { headers: { Accept: "text/html" } })).status).toBe(200);
    const told = ["-w", "%{http_version} %{http_code}", "-o", "/dev/null"];
    const { stdout } = Bun.spawnSync(["curl", "-s", "--cacert", proxy.caFile, ...told, `${proxy.url}/livez`]);
    expect(stdout.toString()).toBe("2 200");
  });

  test("a connection of HTTP/2 has two hundred requests, events, and a stream that is cancelled alone", async () => {
    const { proxy, server } = behind();
    const session = http2.connect(proxy.url, { ca: proxy.ca });
    try {
      const ask = (path: string, method = "GET") => {
        const stream = session.request({ ":path": path, ":method": method }, { endStream: true });
        let said = "";
        stream.on("data", (bytes: Buffer) => (said += bytes.toString()));
        const status = new Promise<number>((done, fail) => {
          stream.on("response", (headers) => done(Number(headers[":status"])));
          stream.on("error", fail);
        });
        return { stream, status, said: () => said };
      };
      await ask("/v1/cursors/second/next", "POST").status;
      const events = ask("/v1/cursors/second/events");
      expect(await events.status).toBe(200);
      // Bun's client does not look at how many streams it may have: fewer at once than nginx takes.
      for (let round = 0; round < 4; round++) {
        const statuses = Array.from({ length: 50 }, () => ask("/livez").status);
        expect(new Set(await Promise.all(statuses))).toEqual(new Set([200]));
      }
      const reading = session.request({ ":path": LONGER });
      reading.on("error", () => {});
      await untilScrape(server, "it streams", (told) => told.get("fibserver_streams") === 1);
      reading.close(http2.constants.NGHTTP2_CANCEL);
      await untilScrape(server, "its stream is over", (told) => told.get("fibserver_streams") === 0);
      expect(await ask("/v1/cursors/second/next", "POST").status).toBe(200);
      await until("the move is told", () => events.said().includes('"index":"2"'));
    } finally {
      session.destroy();
    }
  });

  test("it listens on IPv6 as well", async () => {
    if (!hasIpv6) return;
    const { socket, ended } = await connect(behind().proxy, "::1");
    socket.write("GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect(await ended).toContain(" 200 ");
  });

  test("the cookie of a client is Secure, and http leads to https with the method", async () => {
    const { proxy } = behind();
    const first = await proxy.fetch("/api0/next");
    const cookie = first.headers.get("set-cookie")!;
    expect(cookie).toContain("Secure");
    const headers = { Cookie: cookie.split(";")[0]!, "X-Forwarded-Proto": "http" };
    expect(await (await proxy.fetch("/api0/next", { headers })).json()).toEqual({
      value: "1",
      status: "200",
    });
    const there = await fetch(`http://localhost:${proxy.httpPort}/v1/cursor/next`, {
      method: "POST",
      redirect: "manual",
    });
    expect([301, 308]).toContain(there.status);
    expect(there.headers.get("location")).toMatch(/^https:\/\/localhost(:\d+)?\/v1\/cursor\/next$/);
  });

  test("the published client moves, watches, makes tasks and reads sequences", async () => {
    const client = clientOf(behind().proxy);
    const seen: number[] = [];
    const leaving = new AbortController();
    const watching = (async () => {
      for await (const { index } of client.cursor.watch({ signal: leaving.signal })) seen.push(index);
    })().catch(() => {});
    await until("the position is told", () => seen.length > 0);
    const { index } = await client.cursor.next();
    await until("the move is told", () => seen.at(-1) === index);
    leaving.abort();
    await watching;
    const task = await client.tasks.create({ kind: "fibonacci", n: 300_000 });
    const states: string[] = [];
    for await (const { state } of task.events()) states.push(state);
    expect(states.at(-1)).toBe("ready");
    expect((await task.result({ as: "text" })).length).toBe(62_696);
    const terms: bigint[] = [];
    for await (const term of client.sequence({ count: 5 })) terms.push(term);
    expect(terms).toEqual([0n, 1n, 1n, 2n, 3n]);
  });

  test("a client that leaves ends its computations and its stream", async () => {
    const { proxy, server } = behind();
    const leaving = new AbortController();
    const { signal } = leaving;
    // Two seconds each, one after the other: most are there still, however late it is seen that some wait.
    const asked = Array.from({ length: 24 }, (_, n) =>
      proxy.fetch(`/v1/factorial/${3_000_000 + n}`, { signal }),
    );
    const reading = proxy.fetch(LONGER, { signal });
    const running = 'fibserver_computations{state="running"}';
    const waiting = 'fibserver_computations{state="waiting"}';
    await untilScrape(server, "they wait", (told) => told.get(running) === 1 && told.get(waiting)! > 0);
    await untilScrape(server, "it streams", (told) => told.get("fibserver_streams") === 1);
    leaving.abort();
    await Promise.allSettled([reading, ...asked]);
    const isOver = (told: Scrape) =>
      told.get(running) === 0 && told.get(waiting) === 0 && told.get("fibserver_streams") === 0;
    await untilScrape(server, "nothing is computed or sent any more", isOver);
    const computed = (await scrape(server)).get('fibserver_computation_seconds_count{kind="factorial"}');
    expect(computed).toBeLessThan(asked.length);
  });

  test("a gigabyte arrives as it was sent, and none of it is kept: a reader that stops stops the server", async () => {
    const { proxy, server } = behind();
    const direct = await digestOf(await fetch(server.url + LONG));
    // What is not read is cut after a minute, as the files say: nothing long may come in between.
    const reader = (await proxy.fetch(LONG)).body!.getReader();
    // Read until then is what fits into the buffers on the way; the scrapes themselves are sent as well.
    let sentBytes = Number.NaN;
    await until("the server waits for the reader", async () => {
      await Bun.sleep(500);
      const beforeBytes = sentBytes;
      sentBytes = (await scrape(server)).get("http_response_bytes_total")!;
      return sentBytes - beforeBytes < 100_000;
    });
    const files = fs.readdirSync(`/proc/${proxy.pid}/fd`).map((fd) => linkOf(`/proc/${proxy.pid}/fd/${fd}`));
    expect(files.filter((file) => file.startsWith(proxy.folder) && !file.endsWith("/log"))).toEqual([]);
    await untilScrape(server, "the other one waits", (told) => told.get("fibserver_streams") === 1);
    await reader.cancel();
    expect(await digestOf(await proxy.fetch(LONG))).toEqual(direct);
    expect(await peakBytes(proxy.pid)).toBeLessThan(200e6);
    expect(await peakBytes(server.pid)).toBeLessThan(400e6);
    await untilScrape(server, "both are over", (told) => told.get("fibserver_streams") === 0);
  });

  // Begun before all others, and looked at in the end: by then it has been silent for long.
  let quiet: Wire | undefined;
  let startMs: number;
  early(async () => {
    if (!behind()) return;
    await behind().proxy.fetch("/v1/cursors/quiet/next", { method: "POST" });
    startMs = performance.now();
    quiet = await connect(behind().proxy);
    quiet.socket.write("GET /v1/cursors/quiet/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  });
  afterAll(() => void quiet?.socket.destroy());

  test("events arrive at once, also after a silence with nothing but comments", async () => {
    const { proxy } = behind();
    await until("a comment came", () => quiet!.received().includes(": still here"));
    expect(quiet!.received()).toMatch(/"index":"1"/);
    expect(quiet!.received()).not.toMatch(/"index":"2"/);
    expect(performance.now() - startMs).toBeGreaterThan(10_000);
    await proxy.fetch("/v1/cursors/quiet/next", { method: "POST" });
    await until("the move is told", () => /"index":"2"/.test(quiet!.received()));
  });
});

async function digestOf(response: Response): Promise<[sizeBytes: number, digest: string]> {
  const hasher = new Bun.CryptoHasher("sha1");
  let sizeBytes = 0;
  for await (const chunk of response.body!) {
    hasher.update(chunk);
    sizeBytes += chunk.length;
  }
  return [sizeBytes, hasher.digest("hex")];
}

function linkOf(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return "";
  }
}
