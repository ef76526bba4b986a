/**
 * The port: listen, refuse foreign hosts, stop without breaking an answer.
 * @module
 */
import type { Hono } from "hono";
import { type Config, LIMITS } from "../config.ts";
import { FibError } from "../errors.ts";
import { hostGuard } from "./browser.ts";
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

/** What a route may ask of the port: its environment, Hono's `c.env`. Without a port there is none. */
export interface PortEnvironment {
  /**
   * Lets a connection be silent while something is computed for it.
   *
   * @returns Ends that.
   */
  readonly keepOpen: (request: Request) => () => void;
}

/** Told about each answer, when somebody wants to know. */
export type RequestLog = (request: Request, response: Response, durationMs: number) => void;

/**
 * Listens.
 *
 * @param app - Answers the requests.
 * @param log - For the debug level; without it no request pays for it.
 * @throws {@link FibError} `address_in_use`, when the port cannot be had.
 */
export function listen(
  app: Pick<Hono, "fetch">,
  {
    host,
    port,
    allowHosts,
    idleTimeoutSeconds = LIMITS.idleTimeoutSeconds,
  }: Pick<Config, "host" | "port" | "allowHosts"> & { readonly idleTimeoutSeconds?: number },
  log?: RequestLog,
): Listening {
  const refuseHost = hostGuard(host, allowHosts);
  const environment: PortEnvironment = {
    keepOpen: (request) => {
      server.timeout(request, 0);
      return () => server.timeout(request, idleTimeoutSeconds);
    },
  };
  const answer = (request: Request) => {
    const refusal = refuseHost(request);
    return refusal ? problem(refusal, pathOf(request)) : app.fetch(request, environment);
  };
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
      fetch: log ? logged(answer, log) : answer,
    });
    return { url: String(server.url), stop: () => stop(server) };
  } catch (error) {
    const reason = (error as Error).message.replace(/\.$/, "");
    throw new FibError(
      "address_in_use",
      `Cannot listen on ${host}:${port}: ${reason}; choose another with -p`,
      {
        cause: error,
      },
    );
  }
}

/** The path that was asked for, also with a Host of which no URL can be made. */
export function pathOf({ url }: Request): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", "http://".length);
  return url.slice(start).replace(/\?.*/s, "");
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
