/** `/v1/sequence`: the text of any terms, and any range of it; method: compare with BigInt's text. */
import { describe, expect, onTestFinished, test } from "bun:test";
import * as fc from "fast-check";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { listen } from "../../src/http/server.ts";
import reference from "../vectors/reference.json";
import { startServer, temporaryFolder } from "../binary.ts";
import { bigPair, bigTerms, sha256 } from "../oracle.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";

/** A server on a free port: only Bun's own writer copies a view of the kernel's memory before it changes. */
async function open(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const server = listen(services.app, { host: "127.0.0.1", port: 0, allowHosts: [] });
  onTestFinished(async () => void (await server.stop()));
  const get = (query: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(new URL(`v1/sequence${query}`, server.url), { method, headers });
  return { ...services, get, url: server.url };
}

const RENDERINGS: Record<string, { type: string; write: (from: number, terms: string[]) => string }> = {
  text: { type: "text/plain", write: (_, terms) => terms.map((term) => `${term}\n`).join("") },
  json: { type: "application/json", write: (_, terms) => JSON.stringify(terms) },
  ndjson: {
    type: "application/x-ndjson",
    write: (from, terms) =>
      terms.map((value, i) => `${JSON.stringify({ n: String(from + i), value })}\n`).join(""),
  },
  csv: {
    type: "text/csv",
    write: (from, terms) => `n,value\n${terms.map((value, i) => `${from + i},${value}\n`).join("")}`,
  },
};

describe("representations", () => {
  for (const [format, { type, write }] of Object.entries(RENDERINGS)) {
    test(`GET /v1/sequence as ${type}, by Accept and by ?format=`, async () => {
      const { get } = await open();
      for (const [from, count] of [
        [0, 0],
        [0, 1],
        [0, 100],
        [7, 0],
        [95, 12],
        [999, 30],
        [0, 3000],
        [20_000, 100],
      ] as const) {
        const expected = write(from, bigTerms(from, count));
        const byAccept = await get(`?from=${from}&count=${count}`, { accept: type });
        const byFormat = await get(`?from=${from}&count=${count}&format=${format}`);
        for (const response of [byAccept, byFormat]) {
          expect(response.status).toBe(200);
          expect(response.headers.get("content-type")).toBe(type);
          expect(response.headers.get("vary")).toBe("Accept");
          expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
          expect(response.headers.get("server-timing")).toStartWith("compute;dur=");
          expect((await response.text()) === expected, `${count} terms from ${from}`).toBe(true);
        }
        const head = await get(`?from=${from}&count=${count}&format=${format}`, {}, "HEAD");
        expect(head.headers.get("content-length")).toBe(String(expected.length));
        expect(head.headers.get("etag")).toBe(byAccept.headers.get("etag"));
      }
    });
  }

  test("text is the default, 100 terms from 0; to= is the last index", async () => {
    const { get } = await open();
    const hundred = RENDERINGS["text"]!.write(0, bigTerms(0, 100));
    for (const query of ["", "?from=0", "?count=100", "?to=99", "?from=0&to=99"]) {
      const response = await get(query);
      expect(response.headers.get("content-type")).toBe("text/plain");
      expect(await response.text()).toBe(hundred);
    }
    expect(await (await get("?from=10&to=10")).text()).toBe("55\n");
    expect(await (await get("?from=10&to=12&format=json")).json()).toEqual(["55", "89", "144"]);
  });

  test("If-None-Match with the tag is 304, whatever the length, and nothing is computed", async () => {
    const { get, results, streams } = await open();
    for (const query of ["?count=5", "?count=1000000", "?from=50000000&count=1000"]) {
      const etag = (await get(query, {}, "HEAD")).headers.get("etag")!;
      const response = await get(query, { "if-none-match": etag });
      expect([response.status, await response.text()]).toEqual([304, ""]);
    }
    expect([results.taken, streams.count]).toEqual([[], 0]);
  });
});

describe("digests", () => {
  for (const { from, count, bytes, sha256: digest } of reference.sequences.list.filter(
    (row) => row.count < 100_000,
  )) {
    test(`the reference digest of ${count} terms from F(${from})`, async () => {
      const { get } = await open();
      const text = await (await get(`?from=${from}&count=${count}`)).text();
      expect(text.length).toBe(bytes);
      expect(sha256(text.replaceAll("\n", " "))).toBe(digest);
    });
  }

  test("the first 100,000 terms, 1.045 GB, through little memory", async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    const expected = reference.sequences.list.find(({ count }) => count === 100_000)!;
    // The earlier spelling has the spaces that the reference has.
    const response = await fetch(`${server.url}/?sn=100000`);
    const digest = createHash("sha256");
    let length = 0;
    for await (const chunk of response.body!) {
      digest.update(chunk);
      length += chunk.length;
    }
    expect([length, digest.digest("hex")]).toEqual([expected.bytes, expected.sha256]);
    expect(peakBytes(server.pid)).toBeLessThan(150e6);
  }, 300_000);
});

describe("ranges", () => {
  test("random ranges of every representation are slices of the whole", async () => {
    const { get } = await open();
    for (const format of Object.keys(RENDERINGS)) {
      for (const query of ["?count=40", "?from=2000&count=300"]) {
        const address = `${query}&format=${format}`;
        const whole = await (await get(address)).text();
        await fc.assert(
          fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(whole.length - 1), async (a, b) => {
            const [start, end] = [Math.min(a, b), Math.max(a, b)];
            const response = await get(address, { range: `bytes=${start}-${end}` });
            expect(response.status).toBe(206);
            expect(response.headers.get("content-range")).toBe(`bytes ${start}-${end}/${whole.length}`);
            expect(await response.text()).toBe(whole.slice(start, end + 1));
          }),
          { numRuns: 40 },
        );
      }
    }
  });

  test("a range far into a million terms is the tail that BigInt has there", async () => {
    const { get } = await open();
    const [start, end] = [104_000_000_000, 104_000_000_999];
    const response = await get("?from=0&count=1000000", { range: `bytes=${start}-${end}` });
    expect(response.status).toBe(206);
    const sizeBytes = Number(
      /^bytes 104000000000-104000000999\/(\d+)$/.exec(response.headers.get("content-range")!)![1],
    );
    // From the end backwards: F(999,999), F(999,998), … and their lines, until the range is covered.
    let text = "";
    let textStart = sizeBytes;
    let digits = 208_988;
    let power = 10n ** BigInt(digits - 1);
    for (let [f, next] = bigPair(999_999); textStart > start; [f, next] = [next - f, f]) {
      while (f < power) [digits, power] = [digits - 1, power / 10n];
      textStart -= digits + 1;
      if (textStart <= end) text = `${f}\n${text}`;
    }
    expect(await response.text()).toBe(text.slice(start - textStart, end + 1 - textStart));
  }, 300_000);

  test("ranges around the beginning and the end of a long text", async () => {
    const { get } = await open();
    const query = "?from=0&count=100000";
    const size = 1_045_042_806;
    for (const [range, expected] of [
      ["bytes=0-9", "0\n1\n1\n2\n3\n"],
      ["bytes=-5", `${bigTerms(99_999, 1)[0]}\n`.slice(-5)],
      [`bytes=${size - 1}-`, "\n"],
    ]) {
      const response = await get(query, { range: range! });
      expect([response.status, await response.text()]).toEqual([206, expected!]);
    }
    expect((await get(query, { range: "bytes=0-9,x" })).status).toBe(416);
    const beyond = await get(query, { range: `bytes=${size}-` });
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get("content-range")).toBe(`bytes */${size}`);
  });

  test("of an empty text every range is 416", async () => {
    const { get } = await open();
    const whole = await get("?count=0");
    expect([whole.status, await whole.text()]).toEqual([200, ""]);
    for (const range of ["bytes=0-0", "bytes=0-", "bytes=-1"]) {
      const response = await get("?count=0", { range });
      expect(response.status).toBe(416);
      expect(response.headers.get("content-range")).toBe("bytes */0");
    }
  });
});

describe("limits", () => {
  test("what is no extent is 400, and the reason is said", async () => {
    const { get, bugs } = await open();
    for (const [query, said] of [
      ["?from=abc", "no whole number"],
      ["?from=1.5", "no whole number"],
      ["?from=-1", "negative"],
      ["?from=", "empty"],
      ["?count=", "empty"],
      ["?count=007", "leading zeros"],
      ["?count=%2B5", "no whole number"],
      ["?count=1&count=2", "given 2 times"],
      ["?from=1&from=1", "given 2 times"],
      ["?to=1&to=2&to=3", "given 3 times"],
      ["?count=1&to=2", "both count and to"],
      ["?from=5&to=4", "from comes after to"],
      ["?format=text&format=csv", "given 2 times"],
      [`?from=${"9".repeat(1001)}`, "1001 digits"],
    ]) {
      const response = await get(query!);
      expect(response.status, query).toBe(400);
      const { code, detail } = await problemOf(response);
      expect(code).toBe("bad_argument");
      expect(detail).toContain(said!);
    }
    expect((await get("?format=xml")).status).toBe(406);
    expect((await get("", { accept: "image/png" })).status).toBe(406);
    expect((await get("", {}, "POST")).status).toBe(405);
    expect(bugs).toEqual([]);
  });

  test("too many terms, and terms that are too long, are 422 with the figures", async () => {
    const { get, results } = await open();
    for (const [query, said] of [
      ["?count=1000001", "1000001 terms: the limit is 1000000"],
      ["?to=1000000", "1000001 terms: the limit is 1000000"],
      [`?count=${10n ** 30n}`, "the limit is 1000000"],
      ["?from=119624301&count=1", "25000001 digits, and the limit is 25000000"],
      ["?from=119000000&count=1000000", "digits, and the limit is 25000000"],
      [`?from=${10n ** 14n}`, "the limit is 25000000"],
      [`?from=${10n ** 15n}&count=0`, "its last index is 281474976710655 at most"],
      [`?from=${10n ** 30n}`, "its last index is 281474976710655 at most"],
      [`?from=${10n ** 30n}&to=${10n ** 30n}`, "its last index is 281474976710655 at most"],
    ]) {
      const response = await get(query!);
      expect(response.status, query).toBe(422);
      const { code, detail } = await problemOf(response);
      expect(code).toBe("result_too_large");
      expect(detail).toContain(said!);
    }
    expect(results.taken).toEqual([]);
  });

  test("--max-sequence is exact", async () => {
    const { get } = await open({ termsMax: 10 });
    expect((await get("?count=10")).status).toBe(200);
    expect((await get("?count=11")).status).toBe(422);
  });
});

describe("far from the start", () => {
  test("the first two terms are one job for a thread, and the rest is added from them", async () => {
    const { get, results, pool } = await open();
    const text = await (await get("?from=10000000&count=3", { range: "bytes=0-2089876" })).text();
    expect(sha256(text)).toBe(reference.fibonacci.find(({ n }) => n === 10_000_000)!.sha256);
    expect(results.taken).toEqual([{ kind: "pair", n: 10_000_000 }]);
    expect([pool.running, pool.waiting]).toEqual([0, 0]);
  }, 300_000);

  test("one thread without a queue is enough", async () => {
    const { get, pool } = await open({ computationsMax: 1, queueMax: 0 });
    const response = await get("?from=2000000&count=2", { range: "bytes=-100" });
    expect(response.status).toBe(206);
    expect(await response.text()).toBe(`${bigPair(2_000_001)[0] % 10n ** 99n}\n`.padStart(100, "0"));
    expect(pool.running).toBe(0);
  }, 300_000);

  test("a sequence for which there is no room is refused, and keeps nothing", async () => {
    const { get, results } = await open({ resultBytesMax: 6_000_000 });
    const nobody = new AbortController().signal;
    // 2.1 MB of 6, and the two terms that a sequence begins with have 4.2.
    const held = await results.take({ kind: "fibonacci", n: 10_000_005 }, 2_089_878, nobody);
    expect((await get("?from=10000000&count=2")).status).toBe(503);
    held.release();
    expect((await get("?from=10000000&count=2")).status).toBe(200);
    expect((await get("?from=10000000&count=2")).status).toBe(200);
  }, 300_000);
});

/** The most memory that a process ever had. */
function peakBytes(pid: number): number {
  return 1024 * Number(/VmHWM:\s*(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, "latin1"))![1]);
}
