/**
 * `fibserver -p PORT`, or `fibserver serve`: opens the cursor, listens, and stops in order.
 * @module
 */
import { type Config, LIMITS } from "../config.ts";
import { EmbeddedCursors } from "../cursor/embedded.ts";
import { Cursors } from "../cursor/named.ts";
import { startStore } from "../cursor/store-thread.ts";
import { runOnThreads } from "../cursor/threads.ts";
import type { FibError } from "../errors.ts";
import { createApp, hotHandlers, type Services } from "../http/app.ts";
import { isLoopback } from "../http/hosts.ts";
import { listen, requestLog } from "../http/server.ts";
import { Watchers, Streams } from "../http/streams.ts";
import { noticesTo, openLog } from "../log.ts";
import { onNotice } from "../notices.ts";
import { returnAdder, takeAdder } from "../numbers/adder.ts";
import { loadMultiplier } from "../numbers/multiplier.ts";
import { Neighbours } from "../numbers/neighbours.ts";
import { Pool } from "../numbers/pool.ts";
import { Results } from "../numbers/results.ts";
import { untilSignal } from "./ending.ts";
import { type Engine, openEngine } from "./engine.ts";
import { openFileCursor } from "./open-cursor.ts";

/**
 * The kernels and three threads are loaded after this, for the first requests that need them: 30 ms of a CPU, of which
 * 2 are the loop's. Not at once: whoever waits for the line with the address asks then.
 */
const PREPARE_AFTER_MS = 100;

/**
 * Serves until SIGTERM or SIGINT, or until the cursor's file fails.
 *
 * @throws {@link FibError} when it cannot start, and the file's error when that ended it.
 */
export async function serve(config: Config): Promise<void> {
  const log = await openLog(config.debug);
  const notice = noticesTo(log);
  onNotice(notice);
  const end = Promise.withResolvers<FibError | undefined>();
  const redis = config.redis && (await (await import("./redis.ts")).openRedis(config, config.redis, log));
  const files = redis ? undefined : await openFiles(config, notice, end.resolve);
  const cursors = redis?.cursors ?? files!.cursors;
  const pool = new Pool({ threads: config.computationsMax, queueMax: config.queueMax });
  const neighbours = new Neighbours(pool);
  const stopping = new AbortController();
  const onBug = (error: unknown) =>
    log.error("Something failed: {error}", { error: String((error as Error).stack) });
  const engine: Engine = redis ?? openEngine(config, pool, { notice, onBug });
  const services: Services = {
    cursors,
    perClient: config.perClient ? { ttlMs: config.clientTtlMs } : undefined,
    indexMax: config.indexMax,
    valueAt: (index) => neighbours.at(index),
    results: new Results(pool, LIMITS.resultBytesMax),
    streams: new Streams(config.streamsMax),
    watchers: new Watchers(config.watchersMax, "tasks"),
    cursorWatchers: new Watchers(config.watchersMax, "cursors"),
    digitsMax: config.digitsMax,
    termsMax: config.termsMax,
    earlierTermsMax: config.earlierTermsMax,
    tasks: engine.tasks,
    stopSignal: stopping.signal,
    onBug,
    onFault: (error) => log.warn("{code}: {error}", { code: error.code, error: error.message }),
  };
  const hot = hotHandlers(services);
  const { fetch } = createApp(services, hot);
  const server = listen({ fetch, hot }, config, config.debug ? requestLog(log) : undefined);
  if (!isLoopback(config.host)) {
    log.warn(
      "Open to the network: whoever reaches {host} moves the cursor and starts tasks, without a password",
      { host: config.host },
    );
  }
  // Before the line that others wait for: what they send then must find its handler.
  void untilSignal().then(() => end.resolve(undefined));
  log.info("Serving {file} at {url}", { file: redis?.address ?? config.file, url: server.url });
  prepareSoon(pool, engine, files);

  const failure = await end.promise;
  const deadline = Bun.sleep(LIMITS.stopTimeoutMs);
  stopping.abort();
  pool.refuseWaiting();
  log.info("Stopping: {reason}", { reason: failure?.message ?? "asked to by a signal" });
  const whole = await server.stop();
  if (!whole) log.warn("Connections were cut: they were still busy at the deadline");
  const close = async () => {
    await Promise.all([engine.close().then(() => pool.close()), files?.close()]);
    return true;
  };
  // A disk that stalls must not hold up the end: what it has not taken was not answered.
  if (!(await Promise.race([close(), deadline])))
    log.warn("Ending at the deadline: a disk or a computation did not end");
  if (failure) throw failure;
}

/** The cursors of one machine: the default one in its file, and those with names beside it. */
interface FileCursors {
  readonly cursors: Cursors;
  readonly prepare: () => void;
  readonly close: () => Promise<unknown>;
}

async function openFiles(
  config: Config,
  notice: (message: string) => void,
  onFailure: (error: FibError) => void,
): Promise<FileCursors> {
  const { file, indexMax, cursorsMax, clientsMax, clientTtlMs, lockTimeoutMs } = config;
  const cursor = await openFileCursor(config, { run: runOnThreads, notice, onFailure });
  const limits = { indexMax, cursorsMax, clientsMax, clientTtlMs };
  const path = `${file}.cursors`;
  const onNamedFailure = ({ message }: Error) => notice(message);
  const named = new EmbeddedCursors({
    path,
    limits,
    lockTimeoutMs,
    start: startStore,
    notice,
    onFailure: onNamedFailure,
  });
  return {
    cursors: new Cursors(cursor, named),
    prepare: () => named.prepare(),
    close: () => Promise.all([cursor.close(), named.close()]),
  };
}

function prepareSoon(pool: Pool, engine: Engine, files: FileCursors | undefined): void {
  const prepare = () => {
    loadMultiplier();
    returnAdder(takeAdder(1));
    pool.prepare();
    engine.prepare?.();
    files?.prepare();
  };
  setTimeout(prepare, PREPARE_AFTER_MS).unref();
}
