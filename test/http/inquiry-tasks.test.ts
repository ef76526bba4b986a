/** Tasks that find something out about numbers, and those of Lucas numbers: accepted, preferred, and sent as the GET sends it. */
import { describe, expect, onTestFinished, spyOn, test } from "bun:test";
import { storedInquiry } from "../../src/http/inquiries.ts";
import { listen } from "../../src/http/server.ts";
import { distrusted } from "../../src/notices.ts";
import { textOf } from "../../src/numbers/decimal.ts";
import { termPair } from "../../src/numbers/term-pair.ts";
import type { TaskJson } from "../../src/tasks/task.ts";
import { until } from "../binary.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";

async function open(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const get = async (target: string, headers: Record<string, string> = {}) =>
    services.app.request(target, { headers });
  const post = async (body: object) =>
    services.app.request("/v1/tasks", { method: "POST", body: JSON.stringify(body) });
  const ready = async (response: Response) => {
    expect(response.status).toBe(202);
    const { id } = (await response.json()) as TaskJson;
    await until(`${id} is ready`, async () => (await services.tasks.find(id))?.state === "ready");
    return (await (await get(`/v1/tasks/${id}`)).json()) as TaskJson;
  };
  return { ...services, get, post, ready };
}

/** Some milliseconds of a thread, which gives way to all else that this machine does. */
const LONG_N = "9".repeat(600);
const LONG_MOD = "7".repeat(600);

/** Each kind, short and long, with the GET of the same. */
const TASKS: readonly (readonly [body: object, target: string])[] = [
  [{ kind: "lucas", n: "10" }, "/v1/lucas/10"],
  [{ kind: "lucas", n: "200000" }, "/v1/lucas/200000"],
  [{ kind: "remainder", n: "100", mod: "97" }, "/v1/fibonacci/100?mod=97"],
  [{ kind: "remainder", n: LONG_N, mod: LONG_MOD }, `/v1/fibonacci/${LONG_N}?mod=${LONG_MOD}`],
  [{ kind: "statistics", n: "100" }, "/v1/fibonacci/100/digits"],
  // Ten counts that are about as long as they can be, and a period of more digits than m has.
  [{ kind: "statistics", n: "4780" }, "/v1/fibonacci/4780/digits"],
  [{ kind: "statistics", n: "1000000" }, "/v1/fibonacci/1000000/digits"],
  [{ kind: "pisano", m: "50" }, "/v1/pisano/50"],
  [{ kind: "pisano", m: "999999999999999989" }, "/v1/pisano/999999999999999989"],
];

describe("a task of each kind", () => {
  for (const [body, target] of TASKS) {
    test(`${target.slice(0, 60)} is computed once asked for, and sent in each format as the GET sends it`, async () => {
      const { get, post, ready } = await open();
      const task = await ready(await post(body));
      expect(task).toMatchObject({ ...body, progress: 1, attempts: 1 });
      // Known before it is computed, or not told.
      expect("digits" in task).toBe(task.kind === "lucas");
      for (const format of ["text", "json", "ndjson", "csv"]) {
        const direct = await get(`${target}${target.includes("?") ? "&" : "?"}format=${format}`);
        const stored = await get(`/v1/tasks/${task.id}/result?format=${format}`);
        expect([stored.status, stored.headers.get("etag")]).toEqual([200, direct.headers.get("etag")]);
        expect(await stored.text()).toBe(await direct.text());
        expect(stored.headers.get("cache-control")).toBe("private, no-cache");
      }
      const tag = (await get(`/v1/tasks/${task.id}/result`)).headers.get("etag")!;
      expect((await get(`/v1/tasks/${task.id}/result`, { "if-none-match": tag })).status).toBe(304);
      const part = await get(`/v1/tasks/${task.id}/result`, { range: "bytes=0-0" });
      expect([part.status, (await part.text()).length]).toEqual([206, 1]);
      // The same again is the same task.
      expect(((await (await post(body)).json()) as TaskJson).id).toBe(task.id);
    });

    test(`Prefer on ${target.slice(0, 60)} makes the same task, or waits for it`, async () => {
      const { get, post, ready } = await open();
      const task = await ready(await get(target, { prefer: "respond-async" }));
      expect(((await (await post(body)).json()) as TaskJson).id).toBe(task.id);
      const waited = await get(target, { prefer: "wait=30" });
      expect([waited.status, waited.headers.get("preference-applied")]).toEqual([200, "wait=30"]);
      expect(await waited.text()).toBe(await (await get(target)).text());
    });
  }

  test("the ends and Zeckendorf's indices are answered at once, whatever is preferred", async () => {
    const { get, tasks } = await open();
    for (const target of ["/v1/fibonacci/100?first=3", "/v1/zeckendorf/100"]) {
      const response = await get(target, { prefer: "respond-async" });
      expect([response.status, response.headers.get("preference-applied")]).toEqual([200, null]);
    }
    expect(await tasks.list({ limit: 1 })).toEqual([]);
  });
});

test("what a task has found out is closed once it is read, and none when it is longer than it can be", async () => {
  for (const [sizeBytes, text] of [
    [2, "72"],
    [1, undefined],
  ] as const) {
    let closed = 0;
    const openResult = async () => ({
      sizeBytes: 2,
      read: async () => Buffer.from("72"),
      close: () => closed++,
    });
    const asked = { kind: "remainder", n: "1000", mod: "97" } as const;
    const resource = storedInquiry({ openResult }, { id: "a", sizeBytes }, asked, "text");
    if (!("compute" in resource)) throw new Error("its length is not known before");
    const asker = { holder: "", signal: new AbortController().signal };
    const found = await resource.compute(asker).catch(() => undefined);
    expect([found?.sizeBytes, closed]).toEqual([text?.length, 1]);
  }
});

describe("a sequence", () => {
  test("as a b-file, from a GET and from a task", async () => {
    const { get, post, ready } = await open();
    const task = await ready(await post({ kind: "sequence", from: "5", count: "3" }));
    for (const target of ["/v1/sequence?from=5&count=3", `/v1/tasks/${task.id}/result`]) {
      const response = await get(`${target}${target.includes("?") ? "&" : "?"}format=bfile`);
      expect(response.headers.get("content-type")).toBe("text/plain");
      expect(response.headers.get("etag")).toBe('"1.sequence.5.3.bfile"');
      expect(await response.text()).toBe("5 5\n6 8\n7 13\n");
    }
    const other = await get("/v1/sequence?from=5&count=3", { accept: "text/plain" });
    expect(await other.text()).toBe("5\n8\n13\n");
  });

  test("with another start, from a GET and from a task, in each format and in ranges", async () => {
    const { get, post, ready, tasks } = await open();
    const task = await ready(await post({ kind: "sequence", from: "0", count: "5", start: "2,1" }));
    expect(task).toMatchObject({ kind: "sequence", from: "0", count: "5", start: "2,1", bytes: 10 });
    expect((await tasks.find(task.id))?.request).toBe("sequence 0 5 2,1");
    for (const target of ["/v1/sequence?count=5&start=2,1", `/v1/tasks/${task.id}/result`]) {
      const response = await get(target);
      expect(response.headers.get("etag")).toBe('"1.sequence.0.5.2.1.text"');
      expect(await response.text()).toBe("2\n1\n3\n4\n7\n");
      expect(await (await get(target, { range: "bytes=4-5" })).text()).toBe("3\n");
    }
    const bfile = await get("/v1/sequence?from=3&count=2&start=2%2C1&format=bfile");
    expect(await bfile.text()).toBe("3 4\n4 7\n");
    // It is no sequence that the earlier route could have made.
    expect((await get(`/fibotask?id=${task.id}`)).status).toBe(404);
  });

  test("far from its start is begun by a thread, with the right two terms at once", async () => {
    const { get, results } = await open();
    const before = { ...distrusted };
    for (const start of ["2,1", "1,0", `0,${10n ** 100n}`]) {
      results.taken.length = 0;
      const response = await get(`/v1/sequence?from=1000001&count=1&start=${start}`);
      const [first, second] = start.split(",").map(BigInt);
      const text = textOf(termPair(1_000_001, [first!, second!])[0]);
      expect((await response.text()) === `${text}\n`).toBe(true);
      expect(results.taken).toEqual([{ kind: "pair", n: 1_000_001, start: [first!, second!] }]);
    }
    expect(distrusted).toEqual(before);
  });

  test("of start 0,1 is F, with its tag and its task", async () => {
    const { get, post } = await open();
    const [named, plain] = [await get("/v1/sequence?count=5&start=0,1"), await get("/v1/sequence?count=5")];
    expect(named.headers.get("etag")).toBe(plain.headers.get("etag"));
    const body = { kind: "sequence", from: "0", count: "5" };
    const ids = [body, { ...body, start: "0,1" }].map(
      async (each) => ((await (await post(each)).json()) as TaskJson).id,
    );
    expect(await ids[0]).toBe(await ids[1]!);
  });

  for (const [start, said] of [
    ["", "it takes the first two terms, such as 2,1"],
    ["2", "it takes the first two terms, such as 2,1"],
    ["2,1,3", "it takes the first two terms, such as 2,1"],
    ["2,", "it is empty"],
    ["2,-1", "negative"],
    ["2, 1", "no whole number"],
    ["02,1", "leading zeros"],
    [`1,${"1".repeat(129)}`, "it has 129 digits"],
  ] as const) {
    test(`start=${start.slice(0, 20)} is 400, and says ${said}`, async () => {
      const { get, post } = await open();
      const body = { kind: "sequence", from: "0", count: "5", start };
      for (const response of [await get(`/v1/sequence?start=${start}`), await post(body)]) {
        expect(response.status).toBe(400);
        expect((await problemOf(response)).detail).toContain(said);
      }
    });
  }
});

describe("refusals", () => {
  for (const [body, status, said] of [
    [{ kind: "remainder", n: "1" }, 400, "Cannot find mod, a string of digits: remainder takes n, mod"],
    [{ kind: "remainder", n: "1", mod: "0" }, 400, "begins at 1"],
    [{ kind: "remainder", n: LONG_N.repeat(12), mod: LONG_MOD.repeat(14) }, 400, "15000 at most"],
    [{ kind: "remainder", n: "1", mod: "7", m: "7" }, 400, "Cannot use 'm'"],
    [{ kind: "lucas", n: "1".repeat(129) }, 400, "it has 129 digits"],
    [{ kind: "pisano", m: "0" }, 400, "begins at 1"],
    [{ kind: "fibonacci", n: "1", start: "2,1" }, 400, "Cannot use 'start': fibonacci takes n"],
    [{ kind: "sequence", from: "0", count: "1", start: 2 }, 400, "Cannot find start, a string such as 2,1"],
    [{ kind: "ends", n: "1" }, 400, "it is one of fibonacci"],
    [{ kind: "pisano", m: "1001" }, 422, "--max-pisano"],
    [{ kind: "statistics", n: "100" }, 422, "--max-digits"],
    [{ kind: "lucas", n: "100" }, 422, "--max-digits"],
    [{ kind: "remainder", n: "1", mod: "1".repeat(11) }, 422, "it may have 11 digits"],
  ] as const) {
    test(`POST ${JSON.stringify(body).slice(0, 60)} is ${status}, and says ${said}`, async () => {
      const { post, tasks } = await open({ digitsMax: 10, pisanoMax: 1000n });
      const response = await post(body);
      expect(response.status).toBe(status);
      expect((await problemOf(response)).detail).toContain(said);
      expect(await tasks.list({ limit: 1 })).toEqual([]);
    });
  }
});

test("what only a newer version knows is not in a page, which goes on behind it, and its result is refused", async () => {
  const { get, post, ready, tasks } = await open();
  const known = await ready(await post({ kind: "pisano", m: "10" }));
  const task = (await tasks.find(known.id))!;
  const other = { ...task, request: "zeta 10" };
  const list = spyOn(tasks, "list").mockResolvedValue([task, other]);
  spyOn(tasks, "find").mockResolvedValue(other);
  expect(await (await get("/v1/tasks?limit=2")).json()).toEqual({ tasks: [known], next: task.id });
  // A page with nothing on it looks like one of a list that goes round.
  list.mockResolvedValueOnce([other, other]).mockResolvedValueOnce([task]);
  expect(await (await get("/v1/tasks?limit=2")).json()).toEqual({ tasks: [known] });
  const response = await get(`/v1/tasks/${task.id}/result`);
  expect(response.status).toBe(404);
  expect((await problemOf(response)).detail).toContain("this version knows no 'zeta'");
});

test("a page of tasks with long requests ends early, and says how to go on", async () => {
  const { post, app } = await open();
  const server = listen(app, { host: "127.0.0.1", port: 0, allowHosts: [] });
  onTestFinished(() => void server.stop());
  const n = "9".repeat(14_990);
  const ids: string[] = [];
  for (let mod = 2; mod < 22; mod++)
    ids.push(((await (await post({ kind: "remainder", n, mod: String(mod) })).json()) as TaskJson).id);
  const seen: string[] = [];
  let after = "";
  let pages = 0;
  do {
    const response = await fetch(new URL(`/v1/tasks?limit=1000${after}`, server.url));
    const page = (await response.json()) as { tasks: TaskJson[]; next?: string };
    expect(page.tasks.length).toBeLessThan(11);
    seen.push(...page.tasks.map(({ id }) => id));
    after = page.next === undefined ? "" : `&after=${page.next}`;
    pages++;
  } while (after !== "");
  expect(seen).toEqual(ids);
  expect(pages).toBeGreaterThan(1);
});
