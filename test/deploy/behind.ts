/**
 * A server and a proxy before it, which all tests of a group share: both are there before the first, and gone after the last.
 * @module
 */
import { afterAll, beforeAll, describe } from "bun:test";
import path from "node:path";
import tls from "node:tls";
import { isWorking, requireTool, type Server, startServer, temporaryFolder } from "../binary.ts";
import { type Kind, KINDS, type Proxy, startProxy } from "./proxies.ts";

/** What the tests of a group have: the server as it is on its own port, and what is before it. */
export interface Behind {
  readonly kind: Kind;
  readonly server: Server;
  readonly proxy: Proxy;
  /** The server's flags, to start another one of it. */
  readonly args: readonly string[];
}

/** As the head of each file has it; what else a group needs it says itself. */
const ARGS = ["--reuse-port", "--allow-host", "localhost", "--trust-proxy", "127.0.0.1"];

/**
 * Declares the same tests for each proxy. All of them run from the first test to the last, so that what takes long can
 * begin before the first with all three.
 *
 * @param more - Further flags of the server.
 * @param tests - Declares them, with what they are given once they run, and takes what begins before all tests.
 */
export function behindEach(
  more: readonly string[],
  tests: (
    test: ReturnType<typeof requireTool>,
    behind: () => Behind,
    early: (begin: () => Promise<void>) => void,
  ) => void,
): void {
  const starts: (() => Promise<void>)[] = [];
  const begins: (() => Promise<void>)[] = [];
  const stack = new AsyncDisposableStack();
  beforeAll(async () => {
    await Promise.all(starts.map((start) => start()));
    await Promise.all(begins.map((begin) => begin()));
  });
  afterAll(() => stack.disposeAsync());
  for (const kind of KINDS) {
    describe(kind.name, () => {
      let behind: Behind | undefined;
      starts.push(async () => {
        if (!isWorking(kind.probe)) return;
        const folder = stack.use(temporaryFolder());
        const args = ["-f", path.join(folder.path, "cursor"), ...ARGS, ...more];
        const server = stack.use(await startServer(args));
        const proxy = stack.use(await startProxy(kind, [Number(new URL(server.url).port), 1]));
        behind = { kind, server, proxy, args };
      });
      tests(
        requireTool(kind.probe, kind.install),
        () => behind!,
        (begin) => void begins.push(begin),
      );
    });
  }
}

/** A connection with TLS, and all that has come back on it. */
export interface Wire {
  readonly socket: tls.TLSSocket;
  readonly received: () => string;
  /** All of it, once the connection is closed. */
  readonly ended: Promise<string>;
}

/** Opens one, for HTTP/1.1 as bytes. @param from - Another address of this machine to come from. */
export async function connect({ httpsPort: port, ca }: Proxy, from?: string): Promise<Wire> {
  let received = "";
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const socket = tls.connect({
    host: from?.includes(":") ? "::1" : "127.0.0.1",
    port,
    ca,
    servername: "localhost",
    ...(from !== undefined && { localAddress: from }),
  } as tls.ConnectionOptions);
  socket.on("data", (bytes: Buffer) => (received += bytes.toString("latin1")));
  // A refusal may come with a reset while the rest is still being sent.
  for (const end of ["end", "close", "error"]) socket.on(end, () => resolve(received));
  await new Promise<void>((done, fail) => {
    socket.once("secureConnect", done);
    socket.once("error", fail);
  });
  return { socket, received: () => received, ended };
}

/** Sends bytes, and returns all that comes until the connection is closed. */
export async function exchange(proxy: Proxy, bytes: string): Promise<string> {
  const { socket, ended } = await connect(proxy);
  socket.write(bytes);
  const answer = await ended;
  socket.destroy();
  return answer;
}

/** The most memory that a process has had. */
export async function peakBytes(pid: number): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`).text();
  return 1024 * Number(/VmHWM:\s*(\d+) kB/.exec(status)![1]);
}
