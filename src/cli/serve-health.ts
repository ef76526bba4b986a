/**
 * `fibserver worker --metrics HOST:PORT`: a port for those who watch an executor.
 *
 * Loaded only when it is asked for, so that nobody else pays for HTTP.
 * @module
 */
import type { Config } from "../config.ts";
import { createExecutorApp } from "../http/executor.ts";
import { isLoopback } from "../http/hosts.ts";
import { listen, requestLog } from "../http/server.ts";
import type { Logger } from "../log.ts";

/**
 * Listens until the process ends, and says where.
 *
 * @param check - Throws a {@link FibError} while the executor can take no tasks.
 * @param stopSignal - Aborted when its stop has begun.
 * @throws {@link FibError} `address_in_use`.
 */
export function serveHealth(
  { allowHosts, debug }: Config,
  { host, port }: NonNullable<Config["metrics"]>,
  check: () => Promise<void>,
  stopSignal: AbortSignal,
  log: Logger,
): void {
  const app = createExecutorApp({
    check,
    stopSignal,
    onBug: (error) => log.error("Something failed: {error}", { error: String((error as Error).stack) }),
    onFault: (error) => log.warn("{code}: {error}", { code: error.code, error: error.message }),
  });
  const server = listen(
    app,
    { host, port, allowHosts, flag: "--metrics" },
    debug ? requestLog(log) : undefined,
  );
  if (!isLoopback(host)) {
    log.warn("Open to the network: whoever reaches {host} sees whether this executor works", { host });
  }
  log.info("Watched at {url}", { url: server.url });
}
