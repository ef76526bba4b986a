/**
 * `make bench`: every question in turn, or those that are named: `make bench ONLY="cursor shell"`.
 * @module
 */
type Question = (rounds: number) => Promise<void>;

// Loaded one by one: what a question leaves in the heap must not slow the next.
const QUESTIONS: Record<string, () => Promise<Question>> = {
  cursor: async () => (await import("./cursor.ts")).benchCursor,
  cursors: async () => (await import("./cursors.ts")).benchCursors,
  watchers: async () => (await import("./watchers.ts")).benchWatchers,
  metrics: async () => (await import("./metrics.ts")).benchMetrics,
  scrapes: async () => (await import("./metrics.ts")).benchScrapes,
  tokens: async () => (await import("./tokens.ts")).benchTokens,
  depth: async () => (await import("./depth.ts")).benchDepth,
  slow: async () => (await import("./slow.ts")).benchSlow,
  memory: async () => (await import("./memory.ts")).benchMemory,
  shell: async () => (await import("./shell.ts")).benchShell,
  first: async () => (await import("./first.ts")).benchFirst,
  // Before what computes in this process: a child starts with the peak memory of its parent.
  growth: async () => (await import("./numbers.ts")).benchGrowth,
  numbers: async () => (await import("./numbers.ts")).benchNumbers,
  lucas: async () => (await import("./lucas.ts")).benchLucas,
  theory: async () => (await import("./theory.ts")).benchTheory,
  sequence: async () => (await import("./sequence.ts")).benchSequence,
  streams: async () => (await import("./streams.ts")).benchStreams,
  latency: async () => (await import("./streams.ts")).benchLatency,
  tasks: async () => (await import("./tasks.ts")).benchTasks,
  page: async () => (await import("./page.ts")).benchPage,
  redis: async () => (await import("./redis.ts")).benchRedis,
  record: async () => (await import("./record.ts")).benchRecord,
};

const rounds = Number(process.env["ROUNDS"] ?? 5);
const wanted = (process.env["ONLY"] ?? Object.keys(QUESTIONS).join(" ")).split(" ");
for (const name of wanted) {
  const load = QUESTIONS[name];
  if (load === undefined)
    throw new Error(`No benchmark ${name}: there are ${Object.keys(QUESTIONS).join(", ")}`);
  await (
    await load()
  )(rounds);
}
