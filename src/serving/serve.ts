/**
 * `fibserver -p PORT`, or `fibserver serve`: opens what answers, listens, and stops in order.
 * @module
 */
import { type Config, LIMITS } from "../config/config.ts";
import type { FibError } from "../errors.ts";
import { createApp, hotHandlers } from "../http/app.ts";
import { nameOfRequest } from "../http/request-id.ts";
import { requestLogs } from "../http/request-log.ts";
import { listen } from "../http/server.ts";
import { type Logger, noticesTo, withLog } from "../log.ts";
import { onNotice } from "../notices.ts";
import { untilSignal } from "../signals.ts";
import { openAccess, warnOfNetwork } from "./access.ts";
import { openTraces } from "./open-traces.ts";
import { openServiceManager } from "./service-manager.ts";
import { openServices } from "./services.ts";
import { takeOver } from "./take-over.ts";
import { openTls } from "./tls.ts";

/**
 * Serves until SIGTERM or SIGINT, or until the cursor's file fails.
 *
 * @throws {@link FibError} when it cannot start, and the file's error when that ended it.
 */
export function serve(config: Config): Promise<void> {
  return withLog(config, (log) => serveWith(config, log));
}

async function serveWith(config: Config, log: Logger): Promise<void> {
  const notice = noticesTo(log);
  onNotice(notice);
  // Before a file is made: bad ones end the start.
  const tls = config.tls && (await openTls(config.tls, log));
  const access = await openAccess(config, log);
  const manager = openServiceManager(process.env, notice);
  const traces = await openTraces(process.env, log);
  const { tracer } = traces;
  const end = Promise.withResolvers<FibError | undefined>();
  const stopping = new AbortController();
  const { signal: stopSignal } = stopping;
  const opened = await openServices(config, { log, tracer, stopSignal, onFailure: end.resolve });
  const { services, requests, place } = opened;
  const hot = hotHandlers(services);
  const { fetch, router, getPath } = createApp(services, hot);
  const watches = [requests, ...requestLogs(config, log)];
  // `/api0` answers a hundred thousand times a second: there a name is made only for who uses it.
  const isNamed = config.logLevel === "debug" || tracer !== undefined;
  const nameRequest = (request: Request, isHot: boolean) => nameOfRequest(request, isHot && !isNamed);
  const onTheWay = { ...access, watches, nameRequest, tracer, onBug: services.onBug };
  const server = listen({ fetch, router, getPath, hot }, { ...config, tls }, onTheWay);
  if (config.reusePort) takeOver(notice);
  warnOfNetwork(config, log);
  // Before the line that others wait for: what they send then must find its handler.
  void untilSignal().then(() => end.resolve(undefined));
  log.info("Serving {file} at {url}", { file: place, url: server.url });
  manager.ready(`Serving ${place} at ${server.url}`);
  opened.prepareSoon();

  const failure = await end.promise;
  const deadline = Bun.sleep(LIMITS.stopTimeoutMs);
  const reason = failure?.message ?? "asked to by a signal";
  log.info("Stopping: {reason}", { reason });
  manager.stopping(`Stopping: ${reason}`);
  if (!failure) await server.handOver();
  stopping.abort();
  opened.refuseWaiting();
  const whole = await server.stop();
  if (!whole) log.warn("Connections were cut: they were still busy at the deadline");
  const close = async () => {
    await opened.close();
    await traces.close();
    return true;
  };
  // A disk that stalls must not hold up the end: what it has not taken was not answered.
  if (!(await Promise.race([close(), deadline])))
    log.warn("Ending at the deadline: a disk or a computation did not end");
  if (failure) throw failure;
}
