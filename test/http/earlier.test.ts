/** The earlier services' cases as their clients know them: bytes, statuses, content types; through a port. */
import { describe, expect, onTestFinished, test } from "bun:test";
import { listen } from "../../src/http/server.ts";
import { sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json";
import { openServices } from "../services.ts";
import { exchange, headersOf, requestBytes, statusOf } from "../wire.ts";

async function serve(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const server = listen(services.app, { host: "127.0.0.1", port: 0, allowHosts: [] });
  onTestFinished(async () => void (await server.stop()));
  const get = async (target: string, headers: Record<string, string> = {}) => {
    const response = await fetch(new URL(target, server.url), { headers });
    const type = response.headers.get("content-type");
    return { status: response.status, type, body: await response.text(), headers: response.headers };
  };
  return { ...services, get, port: Number(new URL(server.url).port) };
}

const TEN_THOUSAND = reference.sequences.list.find(({ count }) => count === 10_000)!;

const success = (algo: string, result: string) => `{"algo":"${algo}","result":${result},"status":"success"}`;

describe("the REST front", () => {
  test("GET /fib/N is the first N terms in JSON, without a space at the end", async () => {
    const { get } = await serve();
    for (const [n, result] of [
      [5, "0 1 1 2 3"],
      [1, "0"],
      [2, "0 1"],
      [0, ""],
    ] as const) {
      const { status, type, body } = await get(`/fib/${n}`);
      expect({ status, type, body }).toEqual({
        status: 200,
        type: "application/json",
        body: `{"N":${n},"result":"${result}"}`,
      });
    }
  });

  test("a long one is streamed, and right", async () => {
    const { get } = await serve();
    const { body } = await get("/fib/10000");
    const { N, result } = JSON.parse(body) as { N: number; result: string };
    expect([N, sha256(`${result} `)]).toEqual([10_000, TEN_THOUSAND.sha256]);
  });

  test("letters are 404; negative and over the limit are 400", async () => {
    const { get, bugs } = await serve({ earlierTermsMax: 1000 });
    for (const n of ["abc", "5x", "1.0", "1e3", "%2B5", "5/6", "%20"]) {
      expect((await get(`/fib/${n}`)).status, n).toBe(404);
    }
    for (const n of ["-1", "-100", "1001", String(10n ** 30n), "9".repeat(400)]) {
      const { status, body } = await get(`/fib/${n}`);
      expect([n, status]).toEqual([n, 400]);
      expect(body).toBe("N must be from 0 to 1000.\n");
    }
    expect((await get("/fib/1000")).status).toBe(200);
    expect(bugs).toEqual([]);
  });

  test("GET /fib and /fib/ greet", async () => {
    const { get } = await serve();
    for (const target of ["/fib", "/fib/"]) {
      const { status, type, body } = await get(target);
      expect([status, body]).toEqual([200, "Hello, World!\n"]);
      expect(type).toStartWith("text/plain");
    }
  });
});

describe("the streaming service", () => {
  test("GET /?sn=N is the first N terms, each followed by a space", async () => {
    const { get } = await serve();
    for (const [sn, expected] of [
      ["5", "0 1 1 2 3 "],
      ["1", "0 "],
      ["0", ""],
    ]) {
      const { status, type, body } = await get(`/?sn=${sn}`);
      expect([status, body]).toEqual([200, expected!]);
      expect(type).toStartWith("text/plain");
    }
  });

  test("it is streamed, chunk by chunk, and right", async () => {
    const { port } = await serve();
    const answer = await exchange(port, requestBytes("GET /?sn=10000"));
    expect(headersOf(answer, "transfer-encoding")).toEqual(["chunked"]);
    expect(headersOf(answer, "content-length")).toEqual([]);
    const body = unchunked(answer.slice(answer.indexOf("\r\n\r\n") + 4));
    expect([body.length, sha256(body)]).toEqual([TEN_THOUSAND.bytes, TEN_THOUSAND.sha256]);
  });

  test("what is no number of terms is 400, with one line that says what is allowed", async () => {
    const { get, bugs } = await serve({ earlierTermsMax: 1000 });
    for (const sn of ["ab", "1.0", "-1", "1001", "", "%2B1", "1%201", "1&sn=2", String(10n ** 30n), "0x10"]) {
      const { status, type, body } = await get(`/?sn=${sn}`);
      expect([sn, status]).toEqual([sn, 400]);
      expect(type).toStartWith("text/plain");
      expect(body).toBe("sn must be a whole number from 0 to 1000.\n");
    }
    expect((await get("/?sn=1000")).status).toBe(200);
    expect(bugs).toEqual([]);
  });
});

describe("the math service", () => {
  test("GET /ping and GET / answer pong", async () => {
    const { get } = await serve();
    for (const target of ["/ping", "/"]) {
      const { status, type, body } = await get(target);
      expect({ status, body }).toEqual({ status: 200, body: `{"message":"pong"}` });
      expect(type).toStartWith("application/json");
    }
  });

  test("its three functions answer with a JSON number of any length, and what it took", async () => {
    const { get } = await serve();
    for (const [target, algo, result] of [
      ["/fibonacci?n=4", "fibonacci", "3"],
      ["/fibonacci?n=0", "fibonacci", "0"],
      ["/fibonacci?n=100", "fibonacci", "354224848179261915075"],
      ["/factorial?n=3", "factorial", "6"],
      ["/factorial?n=0", "factorial", "1"],
      ["/factorial?n=25", "factorial", "15511210043330985984000000"],
      ["/ackermann?m=1&n=1", "ackermann", "3"],
      ["/ackermann?n=3&m=2", "ackermann", "9"],
      ["/ackermann?m=3&n=3", "ackermann", "61"],
      ["/ackermann?m=4&n=1", "ackermann", "65533"],
    ] as const) {
      const { status, type, body, headers } = await get(target);
      expect({ target, status, body }).toEqual({ target, status: 200, body: success(algo, result) });
      expect(type).toStartWith("application/json");
      expect(headers.get("server-timing")).toMatch(/^compute;dur=/);
    }
    const { body } = await get("/fibonacci?n=2097152");
    const digits = body.slice(`{"algo":"fibonacci","result":`.length, -`,"status":"success"}`.length);
    expect(sha256(digits)).toBe(reference.fibonacci.find(({ n }) => n === 2_097_152)!.sha256);
  });

  test("bad input is 400, and called what it is", async () => {
    const { get, bugs } = await serve();
    for (const [query, result] of [
      ["", "Bad input"],
      ["?n=", "Bad input"],
      ["?n=abc", "Bad input"],
      ["?n=1e3", "Bad input"],
      ["?n=1&n=2", "Bad input"],
      ["?m=1", "Bad input"],
      ["?n=%20", "Bad input"],
      ["?n=-", "Bad input"],
      ["?n=1.", "Bad input"],
      ["?n=-1", "Negative Integer"],
      ["?n=-99999999999999999999999", "Negative Integer"],
      ["?n=1.0", "Not an Integer"],
      ["?n=2.5", "Not an Integer"],
      ["?n=-2.5", "Not an Integer"],
    ]) {
      for (const algo of ["fibonacci", "factorial"]) {
        const { status, type, body } = await get(`/${algo}${query}`);
        const expected = `{"algo":"${algo}","result":"${result}","status":"failed"}`;
        expect({ query, status, body }).toEqual({ query, status: 400, body: expected });
        expect(type).toStartWith("application/json");
      }
    }
    for (const [query, result] of [
      ["?m=1", "Bad input"],
      ["?n=1", "Bad input"],
      ["?m=x&n=1", "Bad input"],
      ["?m=1&n=-1", "Negative Integer"],
      ["?m=1.5&n=1", "Not an Integer"],
    ]) {
      const { status, body } = await get(`/ackermann${query}`);
      const expected = `{"algo":"ackermann","result":"${result}","status":"failed"}`;
      expect({ query, status, body }).toEqual({ query, status: 400, body: expected });
    }
    expect(bugs).toEqual([]);
  });

  test("too large is 400, and says how large", async () => {
    const { get, results } = await serve();
    for (const [target, said] of [
      ["/fibonacci?n=1000000000", "208987640 digits"],
      [`/fibonacci?n=${10n ** 30n}`, "digits"],
      [`/factorial?n=${10n ** 30n}`, "digits"],
      ["/ackermann?m=4&n=3", "cannot be written down"],
      ["/ackermann?m=100&n=100", "cannot be written down"],
    ]) {
      const { status, body } = await get(target!);
      const { algo, result, ...rest } = JSON.parse(body) as { algo: string; result: string };
      expect([status, algo, rest]).toEqual([400, target!.slice(1, 10), { status: "failed" }]);
      expect(result).toStartWith("Too large: ");
      expect(result).toContain(said!);
    }
    expect(results.taken).toEqual([]);
  });
});

describe("what they left open", () => {
  test("is as under /v1: tags, ranges, HEAD, methods", async () => {
    const { get, port } = await serve();
    for (const [target, body] of [
      ["/fib/5", `{"N":5,"result":"0 1 1 2 3"}`],
      ["/?sn=5", "0 1 1 2 3 "],
      ["/factorial?n=3", `{"algo":"factorial","result":6,"status":"success"}`],
    ] as const) {
      const etag = (await get(target)).headers.get("etag")!;
      expect((await get(target, { "if-none-match": etag })).status).toBe(304);
      const part = await get(target, { range: "bytes=2-7" });
      expect([part.status, part.body]).toEqual([206, body.slice(2, 8)]);
      const head = await exchange(port, requestBytes(`HEAD ${target}`));
      expect(headersOf(head, "content-length")).toEqual([String(body.length)]);
      const post = await exchange(port, requestBytes(`POST ${target}`));
      expect([statusOf(post), headersOf(post, "allow")]).toEqual([405, ["GET, HEAD"]]);
    }
  });
});

/** The body that a chunked one carries. */
function unchunked(body: string): string {
  let text = "";
  for (let at = 0; ;) {
    const lineEnd = body.indexOf("\r\n", at);
    const length = Number.parseInt(body.slice(at, lineEnd), 16);
    if (!(length > 0)) return text;
    text += body.slice(lineEnd + 2, lineEnd + 2 + length);
    at = lineEnd + 2 + length + 2;
  }
}
