/** What a pane has fetched of a long text, from a server that does as it is told. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../binary.ts";

const CHUNK = 8192;
const SIZE = 1000 * CHUNK;

// Of a browser the module of the server asks where it is, and the chunks whether somebody looks.
const BROWSER = { location: { href: "http://fib.test/" }, document: { hidden: false } };
beforeAll(() => void Object.assign(globalThis, BROWSER));
afterAll(() => Object.keys(BROWSER).forEach((name) => Reflect.deleteProperty(globalThis, name)));

/** What they are: modules for browsers are not of the types of tests. */
interface Chunks {
  readonly error: unknown;
  read(byte: number, length: number): string | undefined;
  want(from: number, to: number, isAhead: boolean): void;
  close(): void;
}

async function load<Module>(module: string): Promise<Module> {
  return (await import(`../../src/web/${module}`)) as Module;
}

type Answer = (length: number, signal: AbortSignal) => Promise<Response>;

const digits: Answer = async (length) => new Response("1".repeat(length), { status: 206 });

async function open(answer: { now: Answer }) {
  const { ByteChunks } = await load<{ ByteChunks: new (...given: unknown[]) => Chunks }>(
    "digits/byte-chunks.ts",
  );
  const { link } = await load<{ link: { set: (state: string) => void } }>("server.ts");
  const asked: AbortSignal[] = [];
  const server = {
    fetch: (
      _path: string,
      init: { headers?: Readonly<Record<string, string>>; signal?: AbortSignal } = {},
    ) => {
      const [, first, last] = /(\d+)-(\d+)/.exec(init.headers!["range"]!)!;
      asked.push(init.signal!);
      return answer.now(Number(last) + 1 - Number(first), init.signal!);
    },
  };
  const chunks = new ByteChunks(server, "text", SIZE, () => {});
  const want = (chunk: number) => chunks.want(chunk * CHUNK, (chunk + 1) * CHUNK, false);
  const has = (chunk: number) => chunks.read(chunk * CHUNK, CHUNK) !== undefined;
  return { chunks, asked, link, want, has };
}

test("of all that was seen the last half megabyte is kept", async () => {
  const { chunks, want, has } = await open({ now: digits });
  for (let chunk = 0; chunk < 70; chunk++) {
    want(chunk);
    await until("it is there", () => has(chunk));
  }
  expect([has(5), has(6), has(69)]).toEqual([false, true, true]);
  chunks.close();
});

test("a hundred jumps leave one request", async () => {
  const { chunks, asked, want } = await open({ now: () => new Promise(() => {}) });
  for (let jump = 0; jump < 100; jump++) want(10 * jump);
  expect(asked).toHaveLength(100);
  expect(asked.filter(({ aborted }) => !aborted)).toHaveLength(1);
  chunks.close();
});

test("neither a whole text nor another range is taken for what was asked", async () => {
  for (const wrong of [new Response("0\n1\n"), new Response("1".repeat(CHUNK / 2), { status: 206 })]) {
    const { chunks, want, has } = await open({ now: async () => wrong });
    want(3);
    await until("it is refused", () => chunks.error !== undefined);
    expect(chunks.error).toMatchObject({ code: "bad_answer" });
    expect(has(3)).toBe(false);
    chunks.close();
  }
});

test("what failed is asked again as soon as the server is back, not when its own time comes", async () => {
  const { FibClientError } = await import("@fibserver/client");
  const answer = {
    now: (async () =>
      Promise.reject(new FibClientError("unreachable", "away", { retryAfterMs: 1e6 }))) as Answer,
  };
  const { chunks, want, has, link } = await open(answer);
  want(3);
  await until("it has failed", () => chunks.error !== undefined);
  answer.now = digits;
  link.set("away");
  link.set("live");
  await until("it is there", () => has(3));
  expect(chunks.error).toBeUndefined();
  chunks.close();
});
