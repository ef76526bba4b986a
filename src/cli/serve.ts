/**
 * `fibserver -p PORT`: opens the cursor, listens, and stops in order.
 * @module
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { type Config, LIMITS } from "../config.ts";
import { Cursor } from "../cursor/cursor.ts";
import { FibError } from "../errors.ts";
import { createApp } from "../http/app.ts";
import { listen, pathOf } from "../http/server.ts";
import { Streams } from "../http/streams.ts";
import { openLog } from "../log.ts";
import { Neighbours } from "../numbers/neighbours.ts";
import { Pool } from "../numbers/pool.ts";
import { Results } from "../numbers/results.ts";
import { openEngine } from "./engine.ts";

/**
 * Serves until SIGTERM or SIGINT, or until the cursor's file fails.
 *
 * @throws {@link FibError} when it cannot start, and the file's error when that ended it.
 */
export async function serve(config: Config): Promise<void> {
  const log = await openLog(config.debug);
  const end = Promise.withResolvers<FibError | undefined>();
  // The default folder is ours to make; one that the user named is not.
  if (config.fileIsDefault) mkdirSync(path.dirname(config.file), { recursive: true });
  const cursor = await Cursor.open({
    path: config.file,
    indexMax: config.indexMax,
    lockTimeoutMs: config.lockTimeoutMs,
    syncBlocking: config.oneCpu,
    notice: (message) => log.warn(message),
    onFailure: end.resolve,
  });
  const pool = new Pool({ threads: config.computationsMax, queueMax: config.queueMax });
  const neighbours = new Neighbours(pool);
  const stopping = new AbortController();
  const onBug = (error: unknown) =>
    log.error("Something failed: {error}", { error: String((error as Error).stack) });
  const engine = openEngine(config, { notice: (message) => log.warn(message), onBug });
  const app = createApp({
    cursor,
    indexMax: config.indexMax,
    valueAt: (index) => neighbours.at(index),
    results: new Results(pool, LIMITS.resultBytesMax),
    streams: new Streams(config.streamsMax),
    digitsMax: config.digitsMax,
    termsMax: config.termsMax,
    earlierTermsMax: config.earlierTermsMax,
    tasks: engine.tasks,
    stopSignal: stopping.signal,
    onBug,
  });
  const server = listen(
    app,
    config,
    config.debug
      ? (request, { status }, durationMs) =>
          log.debug("{method} {path} {status}", {
            method: request.method,
            path: pathOf(request),
            status,
            durationMs,
          })
      : undefined,
  );
  log.info("Serving {file} at {url}", { file: config.file, url: server.url });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () =>
      stopping.signal.aborted ? process.kill(process.pid, "SIGKILL") : end.resolve(undefined),
    );
  }

  const failure = await end.promise;
  stopping.abort();
  log.info("Stopping: {reason}", { reason: failure?.message ?? "asked to by a signal" });
  const whole = await server.stop();
  if (!whole) log.warn("Connections were cut: they were still busy at the deadline");
  await engine.close();
  await pool.close();
  await cursor.close();
  if (failure) throw failure;
}
