/** Single numbers over HTTP: every representation and range of them, and nothing computed in vain. */
import { describe, expect, onTestFinished, test } from "bun:test";
import * as fc from "fast-check";
import { listen } from "../../src/http/server.ts";
import { WHOLE_BYTES_MAX } from "../../src/http/streams.ts";
import { sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";
import { exchange, headersOf, requestBytes, statusOf } from "../wire.ts";

async function open(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const get = async (target: string, headers: Record<string, string> = {}, method = "GET") =>
    services.app.request(target, { method, headers });
  return { ...services, get };
}

const F100 = "354224848179261915075";
const JSON_F100 = `{"n":"100","digits":21,"value":"${F100}"}`;

describe("representations", () => {
  for (const [route, bodies] of [
    [
      "/v1/fibonacci/100",
      {
        "text/plain": F100,
        "application/json": JSON_F100,
        "application/x-ndjson": `${JSON_F100}\n`,
        "text/csv": `n,value\n100,${F100}\n`,
      },
    ],
    [
      "/v1/factorial/20",
      {
        "text/plain": "2432902008176640000",
        "application/json": `{"n":"20","digits":19,"value":"2432902008176640000"}`,
        "application/x-ndjson": `{"n":"20","digits":19,"value":"2432902008176640000"}\n`,
        "text/csv": "n,value\n20,2432902008176640000\n",
      },
    ],
    [
      "/v1/ackermann/3/10",
      {
        "text/plain": "8189",
        "application/json": `{"m":"3","n":"10","digits":4,"value":"8189"}`,
        "application/x-ndjson": `{"m":"3","n":"10","digits":4,"value":"8189"}\n`,
        "text/csv": "m,n,value\n3,10,8189\n",
      },
    ],
    [
      "/v1/index/144",
      {
        "text/plain": "12",
        "application/json": `{"value":"144","index":"12"}`,
        "application/x-ndjson": `{"value":"144","index":"12"}\n`,
        "text/csv": "value,index\n144,12\n",
      },
    ],
  ] as const) {
    test(`GET ${route} in each of them, by Accept and by ?format=`, async () => {
      const { get } = await open();
      const etags = new Set<string | null>();
      for (const [format, [type, body]] of Object.entries({
        text: ["text/plain", bodies["text/plain"]],
        json: ["application/json", bodies["application/json"]],
        ndjson: ["application/x-ndjson", bodies["application/x-ndjson"]],
        csv: ["text/csv", bodies["text/csv"]],
      })) {
        const byAccept = await get(route, { accept: type! });
        const byFormat = await get(`${route}?format=${format}`, { accept: "image/png" });
        for (const response of [byAccept, byFormat]) {
          expect(response.status).toBe(200);
          expect(await response.text()).toBe(body!);
          expect(response.headers.get("content-type")).toBe(type!);
          expect(response.headers.get("vary")).toBe("Accept");
          expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
          expect(response.headers.get("accept-ranges")).toBe("bytes");
          expect(response.headers.get("server-timing")).toMatch(/^compute;dur=\d+\.\d\d$/);
        }
        expect(byAccept.headers.get("etag")).toMatch(/^"[\w.]+"$/);
        expect(byFormat.headers.get("etag")).toBe(byAccept.headers.get("etag"));
        etags.add(byAccept.headers.get("etag"));
      }
      expect(etags.size).toBe(4);
      expect(await (await get(route)).text()).toBe(bodies["application/json"]);
    });
  }

  for (const [accept, type] of [
    ["", "application/json"],
    ["*/*", "application/json"],
    ["text/plain", "text/plain"],
    ["TEXT/Plain", "text/plain"],
    ["text/*", "text/plain"],
    ["application/*", "application/json"],
    ["text/csv;q=0.5, text/plain;q=0.1", "text/csv"],
    ["text/plain;q=0.1, application/x-ndjson", "application/x-ndjson"],
    ["text/html, */*;q=0.1", "application/json"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"],
    ["text/html, image/gif, *; q=.2, */*; q=.2", "application/json"],
    ["application/json;q=0, */*", "text/plain"],
    ["*", "application/json"],
    ["*;q=0", undefined],
    ["text/plain;q=0.5, *", "application/json"],
    ["text/*;q=0.3, text/csv;q=0.7, */*;q=0.5", "text/csv"],
    ["text/*;q=0.9, text/plain;q=0.1", "text/csv"],
    ["application/json; charset=utf-8", "application/json"],
    ["image/png", undefined],
    ["text/plain;q=0", undefined],
    ["application/json;q=0.0, text/html", undefined],
    ["*/*;q=0", undefined],
  ] as const) {
    test(`Accept: ${accept} gets ${type ?? "406"}`, async () => {
      const { get } = await open();
      const response = await get("/v1/fibonacci/10", { accept });
      expect(response.status).toBe(type === undefined ? 406 : 200);
      if (type !== undefined) expect(response.headers.get("content-type")).toBe(type);
      else expect((await problemOf(response)).detail).toContain("text/csv");
    });
  }

  test("an unknown ?format= is 406 and says what there is; one given twice is 400", async () => {
    const { get } = await open();
    for (const format of ["xml", "", "TEXT", "__proto__", "toString", "text%20"]) {
      const response = await get(`/v1/fibonacci/10?format=${format}`);
      expect(response.status, format).toBe(406);
      expect(await problemOf(response)).toMatchObject({
        code: "not_acceptable",
        detail: expect.stringContaining("text, json, ndjson, csv"),
      });
    }
    const twice = await get("/v1/fibonacci/10?format=text&format=json");
    expect(twice.status).toBe(400);
    expect((await problemOf(twice)).code).toBe("bad_argument");
  });
});

describe("values", () => {
  test("F(0) to F(300) are the reference's", async () => {
    const { get } = await open();
    for (const [n, value] of reference.small.entries()) {
      expect(await (await get(`/v1/fibonacci/${n}?format=text`)).text()).toBe(value);
    }
  });

  test("long numbers have the digests of the reference, whether whole or streamed", async () => {
    const { get, bugs } = await open();
    const texts = reference.fibonacci.filter(({ n }) => n <= 10_000_000);
    expect(texts.length).toBeGreaterThan(40);
    for (const { n, sha256: digest, bytes } of texts) {
      const text = await (await get(`/v1/fibonacci/${n}?format=text`)).text();
      expect([n, text.length, sha256(text)]).toEqual([n, bytes, digest]);
    }
    for (const { n, sha256: digest } of reference.factorials.list.filter((row) => row.n <= 100_000)) {
      expect([n, sha256(await (await get(`/v1/factorial/${n}?format=text`)).text())]).toEqual([n, digest]);
    }
    expect(bugs).toEqual([]);
  }, 300_000);

  test("A(m,n) are the reference's, and what cannot be written down is 422", async () => {
    const { get } = await open();
    for (const { m, n, value, sha256: digest } of reference.ackermann) {
      const text = await (await get(`/v1/ackermann/${m}/${n}?format=text`)).text();
      if (value === undefined) expect(sha256(text)).toBe(digest);
      else expect(text).toBe(value);
    }
    expect(await (await get(`/v1/ackermann/2/${10n ** 30n}?format=text`)).text()).toBe(
      "2000000000000000000000000000003",
    );
    for (const target of ["4/3", "5/1", "6/0", `${10n ** 30n}/${10n ** 30n}`]) {
      const response = await get(`/v1/ackermann/${target}`);
      expect(response.status).toBe(422);
      expect((await problemOf(response)).detail).toContain("cannot be written down");
    }
  });

  test("GET /v1/index finds what GET /v1/fibonacci says, and is 404 with the neighbours else", async () => {
    const { get } = await open();
    for (const n of [0, 1, 3, 50, 100, 4782, 12_345]) {
      const value = await (await get(`/v1/fibonacci/${n}?format=text`)).text();
      expect(await (await get(`/v1/index/${value}`)).json()).toEqual({ value, index: String(n) });
    }
    for (const [value, below, above] of [
      ["4", 4, 5],
      ["143", 11, 12],
      [String(BigInt(F100) + 1n), 100, 101],
      [String(10n ** 1000n), 4786, 4787],
    ]) {
      const response = await get(`/v1/index/${value}`);
      expect(response.status).toBe(404);
      const body = await problemOf(response);
      expect(body).toMatchObject({ code: "not_fibonacci", below: String(below), above: String(above) });
    }
  });
});

describe("bad input", () => {
  const numbers = [
    ["abc", "no whole number"],
    ["1.0", "no whole number"],
    ["1e3", "no whole number"],
    ["0x10", "no whole number"],
    ["%2B5", "no whole number"],
    ["%205", "no whole number"],
    ["%D9%A3", "no whole number"],
    ["-5", "negative"],
    ["-0", "negative"],
    ["007", "leading zeros"],
    ["00", "leading zeros"],
    ["9".repeat(1001), "1001 digits"],
  ] as const;

  test("what is no number from 0 in its one spelling is 400, and the reason is said", async () => {
    const { get, bugs } = await open();
    for (const [text, said] of numbers) {
      for (const route of [
        `/v1/fibonacci/${text}`,
        `/v1/factorial/${text}`,
        `/v1/ackermann/${text}/1`,
        `/v1/ackermann/1/${text}`,
      ]) {
        const response = await get(route);
        expect(response.status, route).toBe(400);
        const { code, detail } = await problemOf(response);
        expect(code).toBe("bad_argument");
        expect(detail).toContain(said);
        expect(detail.length).toBeLessThan(200);
      }
    }
    for (const text of ["abc", "1.0", "-5", "007", "%2B5"]) {
      expect((await get(`/v1/index/${text}`)).status, text).toBe(400);
    }
    expect(bugs).toEqual([]);
  });

  test("a number that is missing is 404: there is nothing at that address", async () => {
    const { get } = await open();
    for (const target of [
      "/v1/fibonacci",
      "/v1/fibonacci/",
      "/v1/factorial/",
      "/v1/ackermann/3",
      "/v1/ackermann/3/",
      "/v1/ackermann//3",
      "/v1/index/",
      "/v1/fibonacci/1/2",
    ]) {
      const response = await get(target);
      expect(response.status, target).toBe(404);
      expect((await problemOf(response)).instance).toBe(target);
    }
  });

  test("too large is 422 with the number of digits, and nothing is computed", async () => {
    const { get, results } = await open();
    for (const [target, digits] of [
      ["/v1/fibonacci/119624301", "25000001"],
      ["/v1/fibonacci/1000000000", "208987640"],
      [`/v1/fibonacci/${10n ** 30n}`, "208987640249978733769272089238"],
      [`/v1/fibonacci/${10n ** 100n}`, "about 10^99"],
      [`/v1/fibonacci/${"9".repeat(128)}`, "about 10^127"],
      ["/v1/factorial/10000000", "65657060"],
      [`/v1/factorial/${10n ** 30n}`, "about 10^31"],
      [`/v1/ackermann/3/${10n ** 9n}`, "301029997"],
    ]) {
      const response = await get(target!);
      expect(response.status, target).toBe(422);
      const { code, detail } = await problemOf(response);
      expect(code).toBe("result_too_large");
      expect(detail).toContain(digits!);
      expect(detail).toContain("25000000");
    }
    expect(results.taken).toEqual([]);
  });

  test("--max-digits is exact: the last that has so many is sent, the next one is not", async () => {
    const { get } = await open({ digitsMax: 21 });
    expect((await get("/v1/fibonacci/102")).status).toBe(200);
    expect((await get("/v1/fibonacci/103")).status).toBe(422);
  });

  test("another method is 405 with Allow", async () => {
    const { get } = await open();
    for (const target of ["/v1/fibonacci/5", "/v1/factorial/5", "/v1/ackermann/1/1", "/v1/index/5"]) {
      for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
        const response = await get(target, {}, method);
        expect(response.status).toBe(405);
        expect(response.headers.get("allow")).toBe("GET, HEAD");
        expect((await problemOf(response)).code).toBe("method_not_allowed");
      }
    }
  });
});

describe("conditions", () => {
  test("If-None-Match with the tag is 304 with the tag, and nothing is computed", async () => {
    const { get, results } = await open();
    for (const target of ["/v1/fibonacci/100", "/v1/fibonacci/10000000", "/v1/factorial/1000000"]) {
      const head = await get(target, {}, "HEAD");
      const etag = head.headers.get("etag")!;
      for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
        const response = await get(target, { "if-none-match": known });
        expect(response.status).toBe(304);
        expect(await response.text()).toBe("");
        expect(response.headers.get("etag")).toBe(etag);
        expect(response.headers.get("cache-control")).toContain("immutable");
        expect(response.headers.get("vary")).toBe("Accept");
        expect(response.headers.get("content-length")).toBeNull();
      }
      expect((await get(target, { "if-none-match": etag }, "HEAD")).status).toBe(304);
    }
    expect(results.taken).toEqual([]);
    expect((await get("/v1/fibonacci/100", { "if-none-match": `"other"` })).status).toBe(200);
    expect(results.taken).toEqual([{ kind: "fibonacci", n: 100 }]);
  });

  test("If-Match that does not name the tag is 412, before If-None-Match, and computes nothing", async () => {
    const { get, results } = await open();
    const etag = (await get("/v1/fibonacci/100", {}, "HEAD")).headers.get("etag")!;
    for (const [headers, status] of [
      [{ "if-match": `"other"` }, 412],
      [{ "if-match": `W/${etag}` }, 412],
      [{ "if-match": "" }, 412],
      [{ "if-match": `"other"`, "if-none-match": etag }, 412],
      [{ "if-match": etag, "if-none-match": etag }, 304],
      [{ "if-match": "*", "if-none-match": "*" }, 304],
    ] as [Record<string, string>, number][]) {
      for (const method of ["GET", "HEAD"]) {
        const response = await get("/v1/fibonacci/100", headers, method);
        expect(response.status, JSON.stringify(headers)).toBe(status);
        if (status === 412) expect((await problemOf(response)).code).toBe("precondition_failed");
      }
    }
    expect(results.taken).toEqual([]);
    for (const known of [etag, "*", `"other" , ${etag}`]) {
      expect((await get("/v1/fibonacci/100", { "if-match": known })).status).toBe(200);
    }
  });

  test("the tag of one representation is not that of another, nor of another number", async () => {
    const { get } = await open();
    const tags = await Promise.all(
      ["fibonacci/11", "factorial/11", "ackermann/1/1", "ackermann/0/11", "fibonacci/111", "index/1"].flatMap(
        (route) =>
          ["text", "json", "ndjson", "csv"].map(async (format) =>
            (await get(`/v1/${route}?format=${format}`)).headers.get("etag"),
          ),
      ),
    );
    expect(new Set(tags).size).toBe(24);
  });

  test("HEAD has the one right Content-Length on the wire, and computes nothing", async () => {
    const { app, get, results } = await open();
    const server = listen(app, { host: "127.0.0.1", port: 0, allowHosts: [] });
    onTestFinished(async () => void (await server.stop()));
    const port = Number(new URL(server.url).port);
    for (const target of ["/v1/fibonacci/100", "/v1/fibonacci/10000000?format=text", "/v1/index/144"]) {
      const answer = await exchange(port, requestBytes(`HEAD ${target}`));
      expect(statusOf(answer)).toBe(200);
      expect(answer).toEndWith("\r\n\r\n");
      expect(results.taken).toEqual([]);
      const length = (await (await get(target)).text()).length;
      expect(headersOf(answer, "content-length")).toEqual([String(length)]);
      expect(headersOf(answer, "transfer-encoding")).toEqual([]);
      expect(headersOf(answer, "accept-ranges")).toEqual(["bytes"]);
      results.taken.length = 0;
      if (length > WHOLE_BYTES_MAX) continue;
      const whole = await exchange(port, requestBytes(`GET ${target}`));
      expect(headersOf(whole, "content-length")).toEqual([String(length)]);
      results.taken.length = 0;
    }
    const tooLarge = await exchange(port, requestBytes("HEAD /v1/fibonacci/1000000000"));
    expect(statusOf(tooLarge)).toBe(422);
    expect(tooLarge).toEndWith("\r\n\r\n");
  });
});

describe("ranges", () => {
  const target = "/v1/fibonacci/4782?format=text";

  for (const [header, start, end] of [
    ["bytes=0-0", 0, 1],
    ["bytes=0-99", 0, 100],
    ["bytes=500-500", 500, 501],
    ["bytes=990-", 990, 1000],
    ["bytes=-1", 999, 1000],
    ["bytes=-10", 990, 1000],
    ["bytes=-1000", 0, 1000],
    ["bytes=-99999999999999999999", 0, 1000],
    ["bytes=0-", 0, 1000],
    ["bytes=998-99999999999999999999999", 998, 1000],
    ["Bytes = 3 - 5", 3, 6],
  ] as const) {
    test(`Range: ${header} sends ${end - start} bytes`, async () => {
      const { get } = await open();
      const whole = await (await get(target)).text();
      const response = await get(target, { range: header });
      expect(response.status).toBe(206);
      expect(response.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/1000`);
      expect(response.headers.get("content-type")).toBe("text/plain");
      expect(response.headers.get("etag")).toMatch(/^"/);
      expect(await response.text()).toBe(whole.slice(start, end));
    });
  }

  for (const header of [
    "bytes=1000-",
    "bytes=1000-1001",
    "bytes=99999999999999999999999-",
    "bytes=5-3",
    "bytes=-0",
    "bytes=-",
    "bytes=",
    "bytes=a-b",
    "bytes=1-2-3",
    "bytes=--5",
    "bytes=0x1-5",
    "bytes=0-1,x",
    "bytes=1000-,2000-3000",
    "bytes=,,",
    `bytes=${"1000-,".repeat(1000)}-0`,
  ]) {
    test(`Range: ${header.slice(0, 30)} is 416 with the length, and nothing is computed`, async () => {
      const { get, results } = await open();
      const response = await get(target, { range: header });
      expect(response.status).toBe(416);
      expect(response.headers.get("content-range")).toBe("bytes */1000");
      const { code, detail } = await problemOf(response);
      expect(code).toBe("range_not_satisfiable");
      expect(detail).toContain("0 to 999");
      expect(results.taken).toEqual([]);
    });
  }

  test("of several ranges everything is sent, when one of them can be", async () => {
    const { get } = await open();
    for (const range of [
      "bytes=0-1,5-6",
      "bytes=0-1, 2000-",
      "bytes=-1,,0-0",
      `bytes=${"0-0,".repeat(1000)}0-0`,
    ]) {
      const response = await get(target, { range });
      expect([response.status, response.headers.get("content-range")]).toEqual([200, null]);
      expect((await response.text()).length).toBe(1000);
    }
    expect((await get(target, { range: "bytes=,0-1," })).status).toBe(206);
  });

  test("another unit than bytes is ignored", async () => {
    const { get } = await open();
    for (const range of ["lines=0-1", "digits=5", "nonsense", ""]) {
      const response = await get(target, { range });
      expect(response.status).toBe(200);
      expect((await response.text()).length).toBe(1000);
    }
  });

  test("If-Range lets a range through for the same content only", async () => {
    const { get } = await open();
    const etag = (await get(target)).headers.get("etag")!;
    for (const [ifRange, status] of [
      [etag, 206],
      [`W/${etag}`, 200],
      [`"other"`, 200],
      ["Wed, 21 Oct 2015 07:28:00 GMT", 200],
      ["", 200],
    ] as const) {
      const response = await get(target, { range: "bytes=0-9", "if-range": ifRange });
      expect(response.status, ifRange).toBe(status);
      expect((await response.text()).length).toBe(status === 206 ? 10 : 1000);
    }
    // A range that cannot be does no harm when the whole is sent anyway.
    expect((await get(target, { range: "bytes=2000-", "if-range": `"other"` })).status).toBe(200);
  });

  test("a range is for GET: HEAD tells the length of the whole", async () => {
    const { get } = await open();
    for (const range of ["bytes=0-9", "bytes=5000-"]) {
      const response = await get(target, { range }, "HEAD");
      expect(response.status).toBe(200);
      expect(response.headers.get("content-length")).toBe("1000");
      expect(response.headers.get("content-range")).toBeNull();
    }
  });

  test("random ranges of every representation are slices of the whole", async () => {
    const { get } = await open();
    for (const format of ["text", "json", "ndjson", "csv"]) {
      for (const n of [100, 20_000]) {
        const address = `/v1/fibonacci/${n}?format=${format}`;
        const whole = await (await get(address)).text();
        await fc.assert(
          fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(whole.length - 1), async (a, b) => {
            const [start, end] = [Math.min(a, b), Math.max(a, b)];
            const response = await get(address, { range: `bytes=${start}-${end}` });
            expect(response.headers.get("content-range")).toBe(`bytes ${start}-${end}/${whole.length}`);
            expect(await response.text()).toBe(whole.slice(start, end + 1));
          }),
          { numRuns: 40 },
        );
      }
    }
  });

  test("random ranges of a long number are slices of the whole, also those that are streamed", async () => {
    const { get } = await open();
    const address = "/v1/fibonacci/3000000?format=json";
    const whole = await (await get(address)).text();
    expect(whole.length).toBeGreaterThan(600_000);
    const at = fc.nat(whole.length - 1);
    await fc.assert(
      fc.asyncProperty(at, at, async (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const response = await get(address, { range: `bytes=${start}-${end}` });
        const text = await response.text();
        expect(text === whole.slice(start, end + 1), `${start}-${end}`).toBe(true);
      }),
      { numRuns: 25 },
    );
  }, 300_000);
});
