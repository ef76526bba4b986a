/** The app with everything behind it: a real file, real threads; gone with the test. @module */
import { onTestFinished } from "bun:test";
import path from "node:path";
import { type Config, LIMITS } from "../src/config/config.ts";
import { Cursors, type NamedCursors } from "../src/cursor/named.ts";
import type { FibError } from "../src/errors.ts";
import { createApp, hotHandlers, type Services } from "../src/http/app.ts";
import { RequestMetrics } from "../src/http/metrics.ts";
import { listen } from "../src/http/server.ts";
import { Watchers, Streams } from "../src/http/streams.ts";
import { Registry } from "../src/metrics.ts";
import { textOf } from "../src/numbers/decimal.ts";
import { fibonacci } from "../src/numbers/fibonacci.ts";
import type { Computation } from "../src/numbers/job.ts";
import { Pool } from "../src/numbers/pool.ts";
import { Results } from "../src/numbers/results.ts";
import { EmbeddedTasks } from "../src/tasks/embedded.ts";
import { openStatusServices } from "../src/serving/status.ts";
import type { TaskLimits } from "../src/tasks/queue.ts";
import { ModelCursors } from "./cursor/model.ts";
import { watchAnswer } from "./description.ts";
import { openCursor, temporaryFolder } from "./temporary.ts";
import { exchange, requestBytes } from "./wire.ts";

/** The defaults of the server, and a pool of one thread. */
interface Options extends Pick<
  Config,
  "indexMax" | "lockTimeoutMs" | "computationsMax" | "queueMax" | "streamsMax" | "watchersMax"
> {
  readonly valueAt: Services["valueAt"];
  readonly perClient: Services["perClient"];
  readonly basePath: string;
  readonly storage: Services["status"]["storage"];
  /** Keeps named cursors; a model of that unless it is given. */
  readonly named: NamedCursors;
  readonly digitsMax: number;
  readonly pisanoMax: bigint;
  readonly termsMax: number;
  readonly earlierTermsMax: number;
  readonly resultBytesMax: number;
  readonly tasks: Partial<TaskLimits>;
  /** Computes in the place of the pool. */
  readonly run: Pool["run"];
}

/** The same on a port, which is asked in bytes. */
export async function serveServices(options: Partial<Options> = {}) {
  const services = await openServices(options);
  const server = listen(services.app, { host: "127.0.0.1", port: 0, allowHosts: [] });
  onTestFinished(async () => {
    services.stop();
    await server.stop();
  });
  const port = Number(new URL(server.url).port);
  const ask = (line: string, headers?: Record<string, string>) => exchange(port, requestBytes(line, headers));
  return { ...services, port, ask };
}

/** Opens an app with a cursor and a pool of its own. */
export async function openServices(options: Partial<Options> = {}) {
  const { indexMax = 92, lockTimeoutMs = 5000, valueAt = (n: number) => textOf(fibonacci(n)) } = options;
  const { digitsMax = 25_000_000, termsMax = 1_000_000 } = options;
  const file = path.join(temporaryFolder(), "cursor");
  const opened = await openCursor(file, { indexMax, lockTimeoutMs });
  const pool = new Pool({ threads: options.computationsMax ?? 1, queueMax: options.queueMax ?? 64 });
  onTestFinished(() => pool.close());
  const results = new CountedResults(
    options.run ? { run: options.run } : pool,
    options.resultBytesMax ?? LIMITS.resultBytesMax,
  );
  const metrics = new Registry();
  const requests = new RequestMetrics(metrics);
  const { sentBytes } = requests;
  const streams = new Streams(options.streamsMax ?? 256, sentBytes);
  const watchers = new Watchers(options.watchersMax ?? 10_000, "tasks");
  const cursorWatchers = new Watchers(options.watchersMax ?? 10_000, "cursors");
  const cursors = new Cursors(opened.cursor, options.named ?? new ModelCursors({ indexMax }));
  const bugs: unknown[] = [];
  const faults: FibError[] = [];
  const stopping = new AbortController();
  const tasks = new EmbeddedTasks({
    path: `${file}.tasks`,
    pool,
    limits: {
      tasksMax: 10_000,
      resultTtlMs: 3_600_000,
      resultBytesMax: 2 ** 30,
      attemptsMax: 3,
      ...options.tasks,
    },
    notice: (message) => opened.notices.push(message),
    onBug: (error) => bugs.push(error),
  });
  onTestFinished(() => tasks.close());
  const services: Services = {
    metrics,
    sentBytes,
    cursors,
    status: {
      ...openStatusServices(
        {
          host: "127.0.0.1",
          tokensFile: undefined,
          tls: undefined,
          redis: undefined,
          indexMax,
          digitsMax,
          termsMax,
        },
        {
          requests: requests.durations,
          moves: metrics.counter("moves", "", ["operation", "outcome"]),
          groups: metrics.histogram("groups", ""),
          syncs: undefined,
        },
        pool,
      ),
      storage: options.storage ?? "files",
    },
    indexMax,
    perClient: options.perClient,
    basePath: options.basePath ?? "",
    valueAt,
    results,
    streams,
    watchers,
    cursorWatchers,
    digitsMax,
    pisanoMax: options.pisanoMax ?? 10n ** 18n,
    termsMax,
    earlierTermsMax: options.earlierTermsMax ?? 100_000,
    tasks,
    stopSignal: stopping.signal,
    onBug: (error) => bugs.push(error),
    onFault: (error) => faults.push(error),
  };
  const hot = hotHandlers(services);
  const app = createApp(services, hot);
  const { fetch } = app;
  app.fetch = async (request, ...rest) =>
    watchAnswer(request.method, request.url, await fetch(request, ...rest), options.basePath);
  const seen = { bugs, faults };
  return {
    ...opened,
    ...seen,
    file,
    app,
    hot,
    metrics,
    requests,
    pool,
    results,
    streams,
    watchers,
    cursorWatchers,
    cursors,
    tasks,
    stop: () => stopping.abort(),
  };
}

/** Results that remember what was asked of them: an answer that needed none has computed nothing. */
class CountedResults extends Results {
  readonly taken: Computation[] = [];

  override take(job: Computation, ...rest: [sizeBytes: number, signal: AbortSignal, holder?: string]) {
    this.taken.push(job);
    return super.take(job, ...rest);
  }
}
