/**
 * The port: listen, refuse foreign hosts, stop without breaking an answer.
 * @module
 */
import { isIP } from "node:net";
import type { Hono } from "hono";
import { type Config, LIMITS } from "../config.ts";
import { FibError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { clientAddress, holderOf, isForwardedSecure, trustedProxies as listOf } from "./address.ts";
import type { Handler, PortEnvironment } from "./asker.ts";
import { hostGuard } from "./hosts.ts";
import { problem } from "./problem.ts";

/** A server that is listening. */
export interface Listening {
  /** Such as `http://127.0.0.1:8080/`. */
  readonly url: string;
  /**
   * Takes no more requests and waits for those that are running, at most until {@link LIMITS.closeTimeoutMs}
   * before {@link LIMITS.stopTimeoutMs} are over.
   *
   * @returns false when the time was up and connections were cut.
   */
  stop(): Promise<boolean>;
}

/** Where to listen, and whom to believe. */
type Where = Pick<Config, "host" | "port" | "allowHosts"> &
  Partial<Pick<Config, "trustedProxies">> & {
    readonly idleTimeoutSeconds?: number;
    /** The flag by which another port is chosen. */
    readonly flag?: string;
  };

/** Told about each answer, when somebody wants to know. */
export type RequestLog = (request: Request, response: Response, durationMs: number) => void;

/**
 * Listens.
 *
 * @param app - Answers the requests. A GET of a path in `hot` goes straight to its handler, by Bun's own router.
 * @param log - For the debug level; without it no request pays for it.
 * @throws {@link FibError} `address_in_use`, when the port cannot be had; `bad_argument` for what is no network in --trust-proxy.
 */
export function listen(
  app: Pick<Hono, "fetch"> & { readonly hot?: Readonly<Record<string, Handler>> },
  {
    host,
    port,
    allowHosts,
    trustedProxies = [],
    idleTimeoutSeconds = LIMITS.idleTimeoutSeconds,
    flag = "-p",
  }: Where,
  log?: RequestLog,
): Listening {
  const refuseHost = hostGuard(host, allowHosts);
  const trusted = listOf(trustedProxies);
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
      return (
        request.url.startsWith("https:") ||
        isForwardedSecure(peer, request.headers.get("x-forwarded-proto"), trusted)
      );
    },
  };
  const guarded = (answer: Handler) => {
    const guard = (request: Request) => {
      const refusal = refuseHost(request);
      return refusal ? problem(refusal, pathOf(request)) : answer(request, environment);
    };
    return log ? logged(guard, log) : guard;
  };
  const fetch = guarded(app.fetch);
  // Bun would give a HEAD to the handler of GET; any other method goes to `fetch` by itself.
  const routes = Object.entries(app.hot ?? {}).map(([path, answer]) => [
    path,
    { GET: guarded(answer), HEAD: fetch },
  ]);
  let server: Bun.Server<undefined>;
  try {
    server = Bun.serve({
      hostname: host,
      port,
      maxRequestBodySize: LIMITS.bodyBytesMax,
      idleTimeout: idleTimeoutSeconds,
      development: false,
      // Outside of development Bun lets two processes share a port, and the kernel splits their clients.
      reusePort: false,
      routes: Object.fromEntries(routes),
      fetch,
    });
    return { url: String(server.url), stop: () => stop(server) };
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

/** Writes a line for each answer, at the debug level. */
export function requestLog(log: Logger): RequestLog {
  return (request, { status }, durationMs) => {
    const properties = { method: request.method, path: pathOf(request), status, durationMs };
    log.debug("{method} {path} {status}", properties);
  };
}

/** The path that was asked for, also with a Host of which no URL can be made. */
export function pathOf({ url }: Request): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", "http://".length);
  const query = url.indexOf("?", start);
  return query === -1 ? url.slice(start) : url.slice(start, query);
}

function logged(answer: (request: Request) => Response | Promise<Response>, log: RequestLog) {
  return async (request: Request) => {
    const startMs = performance.now();
    const response = await answer(request);
    log(request, response, performance.now() - startMs);
    return response;
  };
}

async function stop(server: Bun.Server<undefined>): Promise<boolean> {
  const timeout = Promise.withResolvers<false>();
  const timer = setTimeout(() => timeout.resolve(false), LIMITS.stopTimeoutMs - LIMITS.closeTimeoutMs);
  const whole = await Promise.race([server.stop().then(() => true), timeout.promise]);
  clearTimeout(timer);
  if (!whole) await server.stop(true);
  return whole;
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === "EADDRINUSE" ? "it is in use" : message.replace(/\.$/, "");
}
