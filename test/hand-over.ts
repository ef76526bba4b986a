/** A port that goes from one server to the next, under a load of moves. @module */
import { expect } from "bun:test";
import http from "node:http";
import { type Server, type Start, startProgram, until } from "./binary.ts";

const SERVING = /"url":"(http:[^"]*)\/"/;

/** Starts a server that shares the port of another. */
export async function startSecond(
  { url }: Server,
  args: readonly string[],
  start: Start = {},
): Promise<Server> {
  const program = await startProgram(["-p", new URL(url).port, ...args], SERVING, start);
  return { ...program, url };
}

/** Moves that are made all the time, by several clients. */
export interface Moves extends AsyncDisposable {
  /** Waits until a hundred more have been made, or one has failed. */
  goOn(): Promise<void>;
  /** Ends them. @throws {@link Error} when one was refused or cut, lost, or made twice. */
  expectEachOnce(): Promise<void>;
}

/** Begins to move the cursor of a server that has not moved; half of the clients keep their connections, half make one for each move. */
export function startMoves(port: number): Moves {
  const keeping = new http.Agent({ keepAlive: true });
  const indexes: number[] = [];
  const over = new AbortController();
  const moveOn = async (agent?: http.Agent) => {
    while (!over.signal.aborted) indexes.push(await move(port, agent));
  };
  const moving = Promise.all(
    Array.from({ length: 16 }, (_, client) => moveOn(client % 2 === 0 ? keeping : undefined)),
  );
  // Its failure is that of the test, at the end.
  moving.catch(() => over.abort());
  const end = async () => {
    over.abort();
    await Promise.allSettled([moving]);
    keeping.destroy();
  };
  return {
    async goOn() {
      const before = indexes.length;
      await until("moves are made", () => indexes.length >= before + 100 || over.signal.aborted);
    },
    async expectEachOnce() {
      await end();
      await moving;
      const expected = Array.from({ length: indexes.length }, (_, index) => index + 1);
      expect(indexes.toSorted((a, b) => a - b)).toEqual(expected);
    },
    [Symbol.asyncDispose]: end,
  };
}

/** A server that hands over may close connections on which nothing was sent for so long: a test may be stopped. */
const SILENCE_MS = 1000;

/** When a request was last begun on a connection that is kept. */
const begunMs = new WeakMap<object, number>();

/** One move. @throws {@link Error} when the connection is refused or cut, and for each answer that is none. */
async function move(port: number, agent: http.Agent | undefined): Promise<number> {
  // With a key it can be asked for again where it is not known whether it was made.
  const headers = agent && { "idempotency-key": crypto.randomUUID() };
  for (;;) {
    const index = await ask(port, agent, headers);
    if (index !== undefined) return index;
  }
}

/** @returns undefined when the connection was closed after it had been silent for {@link SILENCE_MS}. */
function ask(
  port: number,
  agent: http.Agent | undefined,
  headers: Record<string, string> | undefined,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = {
      method: "POST",
      agent: agent ?? false,
      host: "127.0.0.1",
      port,
      path: "/v1/cursor/next",
      ...(headers && { headers }),
    };
    const request = http.request(options, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("error", reject);
      response.on("end", () => {
        const index = Number(/"index":"(\d+)"/.exec(body)?.[1]);
        if (response.statusCode === 200) resolve(index);
        else reject(new Error(`${response.statusCode} ${body}`));
      });
    });
    let lastMs: number | undefined;
    request.on("socket", (socket) => {
      lastMs = begunMs.get(socket);
      begunMs.set(socket, performance.now());
    });
    request.on("error", (error) => {
      if (lastMs !== undefined && performance.now() - lastMs > SILENCE_MS) resolve(undefined);
      else reject(error);
    });
    request.end();
  });
}
