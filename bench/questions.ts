/**
 * What `make bench` can be asked, by the names of `ONLY` and of the marks in documents.
 * @module
 */
import type { Question } from "./session.ts";

/** All that `make bench` measures, in the order in which it does. */
export const QUESTIONS: Readonly<Record<string, Question>> = {
  cursor: { needs: ["wrk"], load: async () => (await import("./cursor.ts")).benchCursor },
  counters: { needs: ["wrk"], load: async () => (await import("./counters.ts")).benchCounters },
  constants: { needs: ["wrk", "nginx"], load: async () => (await import("./constants.ts")).benchConstants },
  cursors: { needs: ["wrk"], load: async () => (await import("./cursors.ts")).benchCursors },
  watchers: { needs: ["wrk"], load: async () => (await import("./watchers.ts")).benchWatchers },
  metrics: { needs: ["wrk"], load: async () => (await import("./metrics.ts")).benchMetrics },
  scrapes: { load: async () => (await import("./metrics.ts")).benchScrapes },
  tokens: { needs: ["wrk"], load: async () => (await import("./tokens.ts")).benchTokens },
  depth: { needs: ["wrk"], load: async () => (await import("./depth.ts")).benchDepth },
  slow: { needs: ["wrk", "strace"], load: async () => (await import("./slow.ts")).benchSlow },
  memory: { needs: ["wrk"], load: async () => (await import("./memory.ts")).benchMemory },
  shell: { load: async () => (await import("./shell.ts")).benchShell },
  first: { load: async () => (await import("./first.ts")).benchFirst },
  growth: { load: async () => (await import("./numbers.ts")).benchGrowth },
  numbers: { load: async () => (await import("./numbers.ts")).benchNumbers },
  lucas: { load: async () => (await import("./lucas.ts")).benchLucas },
  theory: { load: async () => (await import("./theory.ts")).benchTheory },
  sequence: { load: async () => (await import("./sequence.ts")).benchSequence },
  streams: { needs: ["curl"], load: async () => (await import("./streams.ts")).benchStreams },
  latency: { needs: ["curl"], load: async () => (await import("./streams.ts")).benchLatency },
  tasks: { load: async () => (await import("./tasks.ts")).benchTasks },
  page: { needs: ["chromium"], load: async () => (await import("./page.ts")).benchPage },
  redis: { needs: ["redis-server"], load: async () => (await import("./redis.ts")).benchRedis },
  record: { load: async () => (await import("./record.ts")).benchRecord },
};
