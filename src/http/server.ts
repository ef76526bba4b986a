/**
 * The port: listen, refuse foreign hosts, stop without breaking an answer.
 * @module
 */
import { isIP } from "node:net";
import type { Hono } from "hono";
import { getPath } from "hono/utils/url";
import { type Config, LIMITS } from "../config/config.ts";
import { FibError } from "../errors.ts";
import { clientAddress, holderOf, isForwardedSecure, proxyList } from "./address.ts";
import { type HotHandler, isWhole, type PortEnvironment } from "./asker.ts";
import { OUTSIDE } from "./base-path.ts";
import { entry, type EntryParts, finishing, type Place } from "./entry.ts";
import { hostGuard } from "./hosts.ts";

/** A server that is listening. */
export interface Listening {
  /** Such as `http://127.0.0.1:8080/`, or `https:`; with the path below which it is. */
  readonly url: string;
  /**
   * Goes on for {@link LIMITS.handOverMs} where another server may have the port as well: whoever has a connection gets
   * an answer, and is asked to make another one, which is the other server's. Resolves at once where none may.
   */
  handOver(): Promise<void>;
  /**
   * Takes no more requests, closes the connections on which none is running (within {@link QUIET_MS} those that have
   * begun with none, or not to its end), and waits for those that are running, at most until {@link LIMITS.closeTimeoutMs} before {@link LIMITS.stopTimeoutMs} are over, of which a hand-over has its
   * part.
   *
   * @returns false when the time was up and connections were cut.
   */
  stop(): Promise<boolean>;
}

/** Where to listen, and whom to believe. */
type Where = Pick<Config, "host" | "port" | "allowHosts"> &
  Partial<Pick<Config, "trustedProxies" | "reusePort" | "basePath">> & {
    /** Certificate and key in PEM; without them HTTP is plain. */
    readonly tls?: { readonly cert: string; readonly key: string } | undefined;
    readonly idleTimeoutSeconds?: number;
    /** The flag by which another port is chosen. */
    readonly flag?: string;
  };

/**
 * Listens.
 *
 * @param app - Answers the requests. A GET of a path in `hot` goes straight to its handler, by Bun's own router.
 * @param parts - What else stands on the way of a request.
 * @throws {@link FibError} `address_in_use`, when the port cannot be had.
 */
export function listen(
  app: Pick<Hono, "fetch"> &
    Partial<Pick<Hono, "router" | "getPath">> & { readonly hot?: Readonly<Record<string, HotHandler>> },
  {
    host,
    port,
    allowHosts,
    trustedProxies = [],
    tls,
    reusePort = false,
    basePath = "",
    idleTimeoutSeconds = LIMITS.idleTimeoutSeconds,
    flag = "-p",
  }: Where,
  parts: Omit<EntryParts, "refuseHost"> = {},
): Listening {
  const allParts = { ...parts, refuseHost: hostGuard(host, allowHosts) };
  const trusted = proxyList(trustedProxies);
  const environment: PortEnvironment = {
    keepOpen: (request, idleSeconds) => {
      server.timeout(request, idleSeconds);
      return () => server.timeout(request, idleTimeoutSeconds);
    },
    holderOf: (request) => {
      // Of a client that has left there is no address any more.
      const peer = server.requestIP(request)?.address ?? "";
      return holderOf(clientAddress(peer, request.headers.get("x-forwarded-for"), trusted));
    },
    isSecure: (request) => {
      const peer = server.requestIP(request)?.address ?? "";
      // A proxy that speaks TLS with us may speak plain HTTP with its client, which sends no Secure cookie back then.
      return isForwardedSecure(peer, request.headers.get("x-forwarded-proto"), trusted) ?? tls !== undefined;
    },
  };
  let isLeaving = false;
  const leavable = reusePort ? closing(() => isLeaving) : (answer: Answer) => answer;
  const fetch = leavable(
    entry(finishing(app.fetch), (request) => placeOf(app, request), allParts, environment),
  );
  // Bun would give a HEAD to the handler of GET; any other method goes to `fetch` by itself.
  const routes = Object.entries(app.hot ?? {}).map(([path, answer]) => {
    const place = { route: path, path };
    const GET = leavable(entry(answer, () => place, allParts, environment, true));
    return [basePath + path, { GET, HEAD: fetch }];
  });
  let server: Bun.Server<undefined>;
  try {
    server = Bun.serve({
      hostname: host,
      port,
      maxRequestBodySize: LIMITS.bodyBytesMax,
      idleTimeout: idleTimeoutSeconds,
      development: false,
      // Outside of development Bun lets two processes share a port by default, and the kernel splits their clients.
      reusePort,
      ...(tls && { tls: { cert: tls.cert, key: tls.key } }),
      routes: Object.fromEntries(routes),
      fetch,
    });
    const restMs = LIMITS.stopTimeoutMs - LIMITS.closeTimeoutMs - (reusePort ? LIMITS.handOverMs : 0);
    return {
      url: String(new URL(`${basePath}/`, server.url)),
      async handOver() {
        isLeaving = true;
        if (reusePort) await Bun.sleep(LIMITS.handOverMs);
      },
      stop: () => stop(server, restMs),
    };
  } catch (error) {
    const reason = isUnknown(host) ? "there is no such host here" : reasonOf(error as NodeJS.ErrnoException);
    throw new FibError(
      "address_in_use",
      `Cannot listen on ${host}:${port}: ${reason}; choose another with ${isUnknown(host) && flag === "-p" ? "--host" : flag}`,
      {
        cause: error,
      },
    );
  }
}

/** Whether a name is none of this machine's: Bun says then that the port may be in use. */
function isUnknown(hostname: string): boolean {
  if (isIP(hostname) !== 0) return false;
  try {
    void Bun.serve({ hostname, port: 0, fetch: () => new Response() }).stop(true);
    return false;
  } catch {
    return true;
  }
}

/** Where a request leads, as Hono finds it. That Hono does it again takes 0.14 µs, and no hot route comes here. */
function placeOf(
  { router, getPath: pathOf = getPath }: Partial<Pick<Hono, "router" | "getPath">>,
  request: Request,
): Place {
  // Of what is no address Hono's `getPath` finds none; its Host is refused in any case.
  if (!isWhole(request.url)) return { route: "none", path: OUTSIDE };
  const method = request.method === "HEAD" ? "GET" : request.method;
  const path = pathOf(request);
  const found = router?.match(method, path)[0].at(-1);
  return { route: found === undefined ? "none" : found[0][1].path, path };
}

type Answer = ReturnType<typeof entry>;

function close(response: Response): Response {
  response.headers.set("connection", "close");
  return response;
}

/** Ends each connection with its next answer, from some moment on. */
function closing(isLeaving: () => boolean): (answer: Answer) => Answer {
  return (answer) => (request) => {
    const answered = answer(request);
    if (!isLeaving()) return answered;
    return answered instanceof Response ? close(answered) : answered.then(close);
  };
}

/** Bun takes a connection for busy that has sent nothing yet, or half a request: when only such are left, that long. */
const QUIET_MS = 500;
const LOOK_MS = 50;

async function stop(server: Bun.Server<undefined>, timeoutMs: number): Promise<boolean> {
  const ended = server.stop().then(() => true);
  const startMs = performance.now();
  let busyMs = startMs;
  while (!(await Promise.race([ended, Bun.sleep(LOOK_MS)]))) {
    const nowMs = performance.now();
    // Until the last byte of an answer has been taken, its request is one of these.
    if (server.pendingRequests > 0) busyMs = nowMs;
    const isQuiet = nowMs - busyMs >= QUIET_MS;
    if (!isQuiet && nowMs - startMs < timeoutMs) continue;
    await server.stop(true);
    return isQuiet;
  }
  return true;
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === "EADDRINUSE" ? "it is in use" : message.replace(/\.$/, "");
}
