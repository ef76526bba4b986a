/** Servers for the client's tests: a real one with files of its own, and one that answers as it is told. @module */
import path from "node:path";
import { startServer, temporaryFolder } from "../binary.ts";

/** A task as a server may tell of it. */
export const TASK = {
  id: "a",
  kind: "fibonacci",
  n: "10",
  state: "queued",
  progress: 0,
  digits: 2,
  attempts: 0,
  requests: 1,
  createdAt: "2026-11-27T09:00:00.000Z",
};

/** Somewhere to send requests to. */
export interface Target extends AsyncDisposable {
  readonly url: string;
}

/** A fibserver whose files go away with it. */
export async function openServer(args: readonly string[] = []): Promise<Target> {
  const folder = temporaryFolder();
  const server = await startServer(["-f", path.join(folder.path, "cursor"), ...args]);
  return {
    url: server.url,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** A server that gives these answers one after the other, the last of them for ever, and remembers the requests. */
export function openScripted(...answers: (() => Response | Promise<Response>)[]): Target & {
  readonly requests: readonly Request[];
} {
  const requests: Request[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    // An answer that is held back is not given up.
    idleTimeout: 0,
    fetch: (request) => {
      // Bun forgets the headers of a request that was answered.
      requests.push(
        new Request(request.url, { method: request.method, headers: new Headers(request.headers) }),
      );
      return answers[Math.min(requests.length, answers.length) - 1]!();
    },
  });
  return {
    url: server.url.origin,
    requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** An address where nobody listens, on a port that the kernel gives to nobody who asks for any. */
export async function deadUrl(): Promise<string> {
  return "http://127.0.0.1:1";
}
