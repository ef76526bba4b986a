/**
 * `fibserver worker --metrics HOST:PORT`: a port for those who watch an executor.
 *
 * Loaded only when it is asked for, so that nobody else pays for HTTP.
 * @module
 */
import type { Config } from "../config/config.ts";
import { isLoopback } from "../config/network.ts";
import { createExecutorApp, type ExecutorServices } from "../http/executor.ts";
import { RequestMetrics } from "../http/metrics.ts";
import { nameOfRequest } from "../http/request-id.ts";
import { requestLogs } from "../http/request-log.ts";
import { listen } from "../http/server.ts";
import { bugsTo, faultsTo, type Logger } from "../log.ts";
import { showProcess } from "../process-metrics.ts";

/** What is told there, and whom this port tells of itself. */
interface PortOptions extends Pick<ExecutorServices, "metrics" | "check" | "stopSignal"> {
  readonly log: Logger;
}

/**
 * Listens until the process ends, and says where.
 *
 * @throws {@link FibError} `address_in_use`.
 */
export function serveExecutorPort(
  config: Config,
  { host, port }: NonNullable<Config["metricsAt"]>,
  { log, ...services }: PortOptions,
): void {
  const requests = new RequestMetrics(services.metrics);
  showProcess(services.metrics);
  const onBug = bugsTo(log);
  const app = createExecutorApp({ ...services, onBug, onFault: faultsTo(log) });
  const where = { host, port, allowHosts: config.allowHosts, flag: "--metrics" };
  const watches = [requests, ...requestLogs(config, log)];
  const server = listen(app, where, { watches, nameRequest: (request) => nameOfRequest(request), onBug });
  if (!isLoopback(host)) {
    log.warn("Open to the network: whoever reaches {host} sees whether this executor works", { host });
  }
  log.info("Watched at {url}", { url: server.url });
}
