/** What is found out about numbers, over HTTP: every representation, every refusal, and nothing computed in vain. */
import { describe, expect, spyOn, test } from "bun:test";
import { compute } from "../../src/numbers/compute.ts";
import { until } from "../binary.ts";
import { problemOf } from "../refusal.ts";
import { openServices, serveServices } from "../services.ts";
import { connect, headersOf, requestBytes, statusOf } from "../wire.ts";

async function open(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const get = async (target: string, headers: Record<string, string> = {}, method = "GET") =>
    services.app.request(target, { method, headers });
  return { ...services, get };
}

/** F(n), by its definition. */
function fibonacci(n: number): bigint {
  let [f, next] = [0n, 1n];
  for (let i = 0; i < n; i++) [f, next] = [next, f + next];
  return f;
}

/** Each kind, with its text, its JSON and its CSV. */
const ANSWERS: Readonly<Record<string, readonly [text: string, json: string, csv: string]>> = {
  "/v1/fibonacci/100?mod=97": [
    "96",
    `{"n":"100","mod":"97","digits":2,"value":"96"}`,
    "n,mod,value\n100,97,96\n",
  ],
  "/v1/fibonacci/100?first=3&last=5": [
    "354\n15075",
    `{"n":"100","digits":"21","first":"354","last":"15075"}`,
    "n,digits,first,last\n100,21,354,15075\n",
  ],
  "/v1/fibonacci/1000000000000000000?last=4": [
    "6875",
    `{"n":"1000000000000000000","digits":"208987640249978734","last":"6875"}`,
    "n,digits,last\n1000000000000000000,208987640249978734,6875\n",
  ],
  "/v1/lucas/10": ["123", `{"n":"10","digits":3,"value":"123"}`, "n,value\n10,123\n"],
  "/v1/zeckendorf/100": ["11\n6\n4", `{"value":"100","indices":["11","6","4"]}`, "index\n11\n6\n4\n"],
  "/v1/zeckendorf/0": ["", `{"value":"0","indices":[]}`, "index\n"],
  "/v1/pisano/10": ["60", `{"m":"10","period":"60"}`, "m,period\n10,60\n"],
  "/v1/pisano/1": ["1", `{"m":"1","period":"1"}`, "m,period\n1,1\n"],
  "/v1/fibonacci/100/digits": [
    "digits 21\nsum 93\n0 1\n1 3\n2 3\n3 1\n4 3\n5 3\n6 1\n7 2\n8 2\n9 2",
    `{"n":"100","digits":21,"sum":93,"counts":[1,3,3,1,3,3,1,2,2,2]}`,
    "digit,count\n0,1\n1,3\n2,3\n3,1\n4,3\n5,3\n6,1\n7,2\n8,2\n9,2\n",
  ],
};

describe("representations", () => {
  for (const [target, [text, json, csv]] of Object.entries(ANSWERS)) {
    test(`GET ${target} in each of them, with a tag of its own and the headers of what never changes`, async () => {
      const { get } = await open();
      const bodies = {
        "text/plain": text,
        "application/json": json,
        "application/x-ndjson": `${json}\n`,
        "text/csv": csv,
      };
      const tags = new Set<string | null>();
      for (const [type, body] of Object.entries(bodies)) {
        const response = await get(target, { accept: `image/png, */*;q=0.1, ${type};q=0.5` });
        expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
        expect(await response.text()).toBe(body);
        expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
        expect(response.headers.get("vary")).toBe("Accept");
        tags.add(response.headers.get("etag"));
      }
      expect(tags.size).toBe(4);
      expect(await (await get(target)).text()).toBe(json);
      const separator = target.includes("?") ? "&" : "?";
      expect(await (await get(`${target}${separator}format=text`)).text()).toBe(text);
      expect((await get(`${target}${separator}format=bfile`)).status).toBe(406);
      expect((await get(target, { accept: "image/png" })).status).toBe(406);
    });
  }

  test("the ends are all digits where there are no more, and the last ones keep their zeros", async () => {
    const { get } = await open();
    expect(await (await get("/v1/fibonacci/12?first=1000&last=1000")).json()).toEqual({
      n: "12", digits: "3", first: "144", last: "144",
    }); // prettier-ignore
    const { last } = (await (await get("/v1/fibonacci/1500?last=3")).json()) as { last: string };
    expect(last).toBe(String(fibonacci(1500)).slice(-3));
    expect(last).toStartWith("0");
  });

  test("a modulus of 1 leaves 0, and --max-digits does not hold for the ends", async () => {
    const { get } = await open({ digitsMax: 10 });
    expect(await (await get("/v1/fibonacci/100?mod=1&format=text")).text()).toBe("0");
    expect((await get("/v1/fibonacci/1000?first=500")).status).toBe(200);
  });
});

describe("conditions, ranges and HEAD", () => {
  for (const target of Object.keys(ANSWERS)) {
    test(`${target}: 304 and 412 compute nothing, ranges are slices, HEAD has the headers of GET`, async () => {
      const { ask, results } = await serveServices();
      const get = await ask(`GET ${target}`);
      const head = await ask(`HEAD ${target}`);
      const [tag] = headersOf(get, "etag");
      const names = ["etag", "content-type", "content-length", "cache-control", "vary", "accept-ranges"];
      expect(names.flatMap((name) => headersOf(head, name))).toEqual(
        names.flatMap((name) => headersOf(get, name)),
      );
      expect(head.slice(head.indexOf("\r\n\r\n") + 4)).toBe("");
      const body = get.slice(get.indexOf("\r\n\r\n") + 4);
      const part = await ask(`GET ${target}`, { Range: "bytes=1-3", "If-Range": tag! });
      expect(statusOf(part)).toBe(206);
      expect(part).toEndWith(`\r\n\r\n${body.slice(1, 4)}`);
      expect(headersOf(part, "content-range")).toEqual([`bytes 1-3/${body.length}`]);
      const beyond = await ask(`GET ${target}`, { Range: `bytes=${body.length}-` });
      expect([statusOf(beyond), ...headersOf(beyond, "content-range")]).toEqual([
        416,
        `bytes */${body.length}`,
      ]);

      results.taken.length = 0;
      for (const method of ["GET", "HEAD"]) {
        expect(statusOf(await ask(`${method} ${target}`, { "If-None-Match": tag! }))).toBe(304);
        expect(statusOf(await ask(`${method} ${target}`, { "If-Match": '"x"' }))).toBe(412);
      }
      expect(results.taken).toEqual([]);
      const post = await ask(`POST ${target}`);
      expect([statusOf(post), ...headersOf(post, "allow")]).toEqual([405, "GET, HEAD"]);
    });
  }

  test("a tag names what was asked for: readable where it is short, and of one length where it is not", async () => {
    const { get } = await open();
    const tagOf = async (target: string) => (await get(target)).headers.get("etag")!;
    expect(await tagOf("/v1/fibonacci/100?mod=97")).toBe('"1.remainder.100.97.json"');
    expect(await tagOf("/v1/fibonacci/100?first=3&last=5")).toBe('"1.ends.100.3.5.json"');
    const long = "9".repeat(1000);
    const tags = [
      `${long}?mod=97`,
      `1${long}?mod=97`,
      `97?mod=${long}`,
      `${long}?mod=98`,
      `${long}1?mod=97`,
    ].map((rest) => tagOf(`/v1/fibonacci/${rest}`));
    const found = await Promise.all(tags);
    expect(new Set(found).size).toBe(5);
    for (const tag of found) expect(tag).toMatch(/^"1\.remainder\.[\w.-]{40,80}\.json"$/);
  });
});

const long = (digits: number) => "1".repeat(digits);

describe("refusals", () => {
  for (const [target, said] of [
    ["/v1/fibonacci/10?mod=0", "begins at 1"],
    ["/v1/fibonacci/10?mod=", "it is empty"],
    ["/v1/fibonacci/10?mod=-1", "negative"],
    ["/v1/fibonacci/10?mod=007", "leading zeros"],
    ["/v1/fibonacci/-1?mod=7", "negative"],
    ["/v1/fibonacci/x?mod=7", "no whole number"],
    ["/v1/fibonacci/10?mod=7&mod=7", "given 2 times"],
    [`/v1/fibonacci/${long(10_000)}?mod=${long(5001)}`, "15001 digits: together they have 15000 at most"],
    ["/v1/fibonacci/10?mod=7&first=3", "mod together with first or last"],
    ["/v1/fibonacci/10?first=0", "takes 1 to 1000"],
    ["/v1/fibonacci/10?last=1001", "takes 1 to 1000"],
    ["/v1/fibonacci/10?last=01", "leading zeros"],
    ["/v1/fibonacci/10?first=1&first=2", "given 2 times"],
    [`/v1/fibonacci/${long(1001)}?first=1`, "it has 1001 digits, and the most is 1000"],
    [`/v1/fibonacci/${long(129)}`, "it has 129 digits"],
    ["/v1/fibonacci/10/digits?mod=7", "Cannot use mod here"],
    ["/v1/lucas/10?first=7", "Cannot use first here: it is for /v1/fibonacci/N alone"],
    ["/v1/fibonacci/10?start=2,1", "Cannot use start here: it is for /v1/sequence alone"],
    ["/v1/factorial/5?mod=7", "Cannot use mod here"],
    ["/v1/ackermann/2/3?first=1", "Cannot use first here"],
    ["/v1/pisano/10?mod=3", "Cannot use mod here"],
    ["/v1/zeckendorf/100?first=3", "Cannot use first here"],
    ["/v1/sequence?count=3&mod=3", "Cannot use mod here"],
    ["/v1/index/5?last=3", "Cannot use last here"],
    ["/v1/lucas/-1", "negative"],
    ["/v1/pisano/0", "begins at 1"],
    [`/v1/pisano/${long(129)}`, "it has 129 digits"],
    [`/v1/zeckendorf/${long(10_001)}`, "it has 10001 digits, and the most is 10000"],
    ["/v1/zeckendorf/-1", "negative"],
  ] as const) {
    test(`GET ${target.slice(0, 60)} is 400, and says ${said}`, async () => {
      const { get, results } = await open();
      const response = await get(target);
      expect(response.status).toBe(400);
      const { code, detail } = await problemOf(response);
      expect(code).toBe("bad_argument");
      expect(detail).toContain(said);
      expect(detail.length).toBeLessThan(250);
      expect(results.taken).toEqual([]);
    });
  }

  for (const [target, said] of [
    ["/v1/fibonacci/10?mod=12345678901", "it may have 11 digits, and the limit is 10 (--max-digits)"],
    ["/v1/fibonacci/100/digits", "it has 21 digits, and the limit is 10 (--max-digits)"],
    ["/v1/lucas/100", "it has 21 digits, and the limit is 10 (--max-digits)"],
    ["/v1/pisano/1001", "the limit is 1000 (--max-pisano)"],
    // No term is long; the text would have 10 bytes.
    ["/v1/sequence?from=281474976710650&count=7&start=0,0", "its last index is 281474976710655 at most"],
    ["/v1/sequence?from=9007199254740991&count=1&start=0,0", "its last index is 281474976710655 at most"],
  ] as const) {
    test(`GET ${target} beyond a limit is 422, and says which`, async () => {
      const { get, results } = await open({ digitsMax: 10, pisanoMax: 1000n });
      const response = await get(target);
      expect(response.status).toBe(422);
      expect((await problemOf(response)).detail).toContain(said);
      expect(results.taken).toEqual([]);
    });
  }
});

test("what is just within the limits is answered", async () => {
  const { get } = await open({ digitsMax: 10, pisanoMax: 1000n });
  expect(await (await get("/v1/pisano/1000?format=text")).text()).toBe("1500");
  expect(await (await get("/v1/fibonacci/10?mod=1234567890&format=text")).text()).toBe("55");
});

/** Generous: a busy machine is no failure. */
const TIMEOUT_MS = 300_000;

/** Takes a minute or so. */
const SLOW = `/v1/fibonacci/${"9".repeat(7500)}?mod=${"7".repeat(7500)}`;

describe("work", () => {
  test("15,000 digits are read, and the longest value is answered", async () => {
    const { get } = await open();
    const n = "9".repeat(14_998);
    // The period of 10 is 60.
    const value = fibonacci(Number(BigInt(n) % 60n)) % 10n;
    expect(await (await get(`/v1/fibonacci/${n}?mod=10&format=text`)).text()).toBe(String(value));
    const zeckendorf = await get(`/v1/zeckendorf/${"9".repeat(10_000)}?format=text`);
    const indices = (await zeckendorf.text()).split("\n").map(Number);
    expect(indices.length).toBeGreaterThan(10_000);
    expect(indices.every((index, i) => i === 0 || indices[i - 1]! - index >= 2)).toBe(true);
  });

  test("a page of somebody else begins nothing that takes long, also by HEAD, and gets what is short", async () => {
    const { get, pool, results } = await open({ pisanoMax: 10n ** 30n });
    const foreign = { "sec-fetch-site": "cross-site" };
    for (const target of [
      SLOW,
      "/v1/fibonacci/100000000/digits",
      `/v1/pisano/${10n ** 30n - 11n}`,
      `/v1/zeckendorf/${"9".repeat(10_000)}`,
      `/v1/fibonacci/${"9".repeat(1000)}?first=1000`,
    ]) {
      for (const method of ["GET", "HEAD"]) expect((await get(target, foreign, method)).status).toBe(403);
    }
    expect([pool.running, results.taken]).toEqual([0, []]);
    for (const target of Object.keys(ANSWERS)) expect((await get(target, foreign)).status).toBe(200);
  });

  test(
    "a client that leaves frees the thread, and one too many is told to come again",
    async () => {
      const { port, ask, pool } = await serveServices({ queueMax: 0 });
      for (const method of ["GET", "HEAD"]) {
        const connection = await connect(port);
        connection.socket.write(requestBytes(`${method} ${SLOW}`));
        await until("the thread computes", () => pool.running === 1);
        const refused = await ask("GET /v1/fibonacci/30000/digits");
        expect([statusOf(refused), ...headersOf(refused, "retry-after")]).toEqual([503, "1"]);
        connection.socket.end();
        await until("the thread is free", () => pool.running === 0);
        // The one that was ended has its place until it is gone.
        await until("another one computes", async () =>
          (await ask("GET /v1/fibonacci/30000/digits?format=text")).includes("\r\n\r\ndigits 6270\n"),
        );
      }
    },
    TIMEOUT_MS,
  );

  test("the room of an answer is free when it is sent", async () => {
    const { get } = await open({ resultBytesMax: 1 });
    for (const n of [1_000_000, 1_000_001]) expect((await get(`/v1/fibonacci/${n}/digits`)).status).toBe(200);
  });

  test("of several at once there are as many as there is room for", async () => {
    const { get } = await open({ resultBytesMax: 1000 });
    for (const target of [
      `/v1/zeckendorf/${"9".repeat(10_000)}`,
      `/v1/fibonacci/${"9".repeat(1000)}?last=1000`,
    ]) {
      const others = [target, target.replace("99", "98")].map(async (each) => (await get(each)).status);
      expect(await Promise.all(others)).toEqual([200, 503]);
    }
  });

  test("a number that is not as long as it has to be is not sent", async () => {
    const { get, bugs } = await open({ run: async () => Buffer.from("123") });
    expect((await get("/v1/lucas/100000")).status).toBe(500);
    expect(bugs).toEqual([new Error("1.lucas.100000.json has 3 digits, and 20899 were predicted")]);
  });

  test("it waits in the place of its client, as a number does", async () => {
    const holders: unknown[] = [];
    const { ask } = await serveServices({
      run: async (job, options) => {
        holders.push(options?.holder);
        return compute(job);
      },
    });
    for (const line of ["GET /v1/lucas/1000000", "GET /v1/fibonacci/1000000/digits"])
      expect(statusOf(await ask(line))).toBe(200);
    expect(statusOf(await ask("HEAD /v1/fibonacci/1000001/digits"))).toBe(200);
    expect(holders).toEqual([expect.stringMatching(/./), holders[0], holders[0]]);
  });

  test("its connection is kept open while it is computed, and no longer", async () => {
    const { app } = await open();
    for (const method of ["GET", "HEAD"]) {
      const kept: unknown[] = [];
      const keepOpen = (...given: [Request, number]) => (kept.push(...given), () => kept.push("end"));
      const request = new Request("http://127.0.0.1/v1/fibonacci/1000000/digits", { method });
      await app.fetch(request, { keepOpen });
      expect(kept).toEqual([expect.anything(), 0, "end"]);
      // The port knows no other one.
      expect(kept[0]).toBe(request);
    }
  });

  test("what is asked twice at the same time is computed once, and every argument tells it from others", async () => {
    const { get, pool } = await open();
    const run = spyOn(pool, "run");
    const [n, m] = ["9".repeat(1500), "7".repeat(1500)];
    const targets = [`${n}?mod=${m}`, `8${n.slice(1)}?mod=${m}`, `${n}?mod=8${m.slice(1)}`];
    const bodies = await Promise.all(
      [...targets, ...targets].map(async (target) =>
        (await get(`/v1/fibonacci/${target}&format=text`)).text(),
      ),
    );
    expect(bodies.slice(0, 3)).toEqual(bodies.slice(3));
    expect(new Set(bodies).size).toBe(3);
    expect(run).toHaveBeenCalledTimes(3);
  });
});
