/**
 * What the client must do wherever it runs, as one function without imports: Bun, Node and a browser run it as
 * JavaScript, each with the package that `make build` has made.
 * @module
 */
import type { FibClient, FibClientError } from "../../src/client/client.ts";

/** Where to find servers. */
export interface Urls {
  /** A fibserver. */
  readonly server: string;
  /** The same one, through connections that break. */
  readonly cutting: string;
  /** Something that never answers. */
  readonly silent: string;
  /** Something that sends everybody elsewhere. */
  readonly moved: string;
}

/** Does it all once; what comes out is JSON, and the same everywhere. */
export async function runEssentials(
  client: { FibClient: typeof FibClient; FibClientError: typeof FibClientError },
  urls: Urls,
): Promise<Record<string, unknown>> {
  const fib = new client.FibClient(urls.server);
  const told = { requests: 0, responses: 0, retries: 0 };
  const cut = new client.FibClient(urls.cutting, {
    timeoutMs: Infinity,
    onRequest: () => told.requests++,
    onResponse: () => told.responses++,
    onRetry: () => told.retries++,
  });
  const failure = async (call: Promise<unknown>) => {
    const error = await call.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof client.FibClientError)) return String(error);
    return [error.code, error.status ?? 0].join(" ");
  };

  const number = await cut.fibonacci(100_000, { as: "text" });
  const stream = await fib.factorial(20, { as: "stream" });
  const lengths: number[] = [];
  for await (const term of cut.sequence({ from: 0, count: 3000, as: "text" })) lengths.push(term.length);
  const seen: bigint[] = [];
  for await (const term of fib.sequence({ count: 1_000_000 })) if (seen.push(term) === 10) break;

  const moves = [await fib.cursor.set(9), await fib.cursor.next(), await fib.cursor.previous()];
  const alice = fib.cursor("alice");
  const made = await cut.cursor("alice").set(20, { ifNone: true });
  const watched: string[] = [];
  for await (const { index, value } of cut.cursor("alice").watch()) {
    watched.push(`${index} ${value}`);
    await (watched.length < 4 ? alice.next() : alice.remove());
  }
  const names: string[] = [];
  for await (const { name } of fib.cursors.list()) names.push(name);
  const task = await cut.tasks.create({ kind: "fibonacci", n: 200_000 });
  const states: string[] = [];
  for await (const { state } of task.events()) states.push(state);
  const abort = new AbortController();
  const aborted = failure(new client.FibClient(urls.silent).fibonacci(1, { signal: abort.signal }));
  // Node warns of listeners by the dozen, and whoever runs this wants nothing on stderr.
  const { signal } = abort;
  const many = Array.from({ length: 50 }, () => fib.fibonacci(10, { signal }));
  const together = new Set(await Promise.all(many)).size;
  abort.abort(new Error("enough"));

  return {
    number: [number.length, number.slice(0, 20), number.slice(-20)],
    big: String(await fib.fibonacci(300)),
    ackermann: String(await fib.ackermann(2, 3)),
    stream: await new Response(stream).text(),
    index: [await fib.index(144n), await fib.index("145")],
    ends: Object.entries(await cut.ends(44, { last: 8 })).map(String),
    found: [await fib.remainder(1000, 97), ...(await fib.zeckendorf(100)), await fib.pisano(1000)].map(
      String,
    ),
    sequence: [lengths.length, lengths.reduce((sum, length) => sum + length)],
    seen: seen.map(String),
    moves: moves.map(({ index, value }) => [index, String(value)]),
    made: [made.index, made.created],
    watched,
    names,
    absent: [
      await failure(alice.current()),
      await failure(alice.remove()),
      await failure(fib.cursor.remove()),
    ],
    misnamed: await failure((async () => fib.cursor("Alice").next())()),
    moved: (await cut.cursor.next({ as: "text" })).value,
    start: await failure(fib.cursor.set(0).then(() => fib.cursor.previous())),
    tooLarge: await failure(fib.fibonacci(10n ** 20n)),
    task: [(await task.result({ as: "text" })).length, states.at(-1), (await task.refresh()).progress],
    unknown: await failure(fib.tasks.get("none")),
    timeout: await failure(new client.FibClient(urls.silent, { timeoutMs: 100 }).cursor.next()),
    aborted: await aborted,
    together,
    redirect: await failure(new client.FibClient(urls.moved).cursor.next()),
    misused: await failure(fib.fibonacci(1, { as: "string" as "text" })),
    told: [told.requests === told.responses, told.requests > told.retries, told.retries > 0],
  };
}
