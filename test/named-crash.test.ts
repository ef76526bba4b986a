/**
 * kill -9 at any moment leaves each named cursor between its last answered and its last requested move, with two servers
 * and a shell on one file.
 *
 * The moments are random, from a seed that is printed (`SEED=` repeats them, `ROUNDS=` makes more), and then exact:
 * before each system call that changes the database, which is killed or refused.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { run, type Server, startServer, strace, temporaryFolder, until, withStrace } from "./binary.ts";

setDefaultTimeout(300_000);

const ROUND_COUNT = Number(process.env["ROUNDS"] ?? 6);
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const NAMES = ["alice", "bob", "carol"];
const ALICE = ["--cursor", "alice"];
/** On a busy machine one may stand still with the lock. */
const MANY = ["--max-index", "1000000", "--lock-timeout", "60"];

/** What is known of one cursor over all rounds. */
interface History {
  requestedCount: number;
  readonly answered: Set<number>;
  /** Keyed moves: their answers, undefined when none came. */
  readonly keyed: Map<string, number | undefined>;
}

interface Answer {
  readonly index: number;
  readonly isReplayed: boolean;
}

/** A move, undefined when the connection broke. @throws {@link Error} for every answer but a position. */
async function next({ url }: Server, name: string, key?: string): Promise<Answer | undefined> {
  const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
  let response: Response;
  let body: string;
  try {
    response = await fetch(`${url}/v1/cursors/${name}/next`, { method: "POST", headers });
    body = await response.text();
  } catch {
    return undefined;
  }
  if (response.status !== 200) throw new Error(`${response.status}: ${body}`);
  const { index } = JSON.parse(body) as { index: string };
  return { index: Number(index), isReplayed: response.headers.get("idempotency-replayed") === "true" };
}

async function indexIn(file: string, name: string): Promise<number> {
  const { stdout, stderr } = await run(["cursor", "show", "--cursor", name, "-f", file, "--json"]);
  if (stderr.includes("cursor_unknown")) return 0;
  return Number((JSON.parse(stdout) as { index: string }).index);
}

/** Moves until the server is gone; each fourth move has a key. */
async function move(server: Server, name: string, history: History): Promise<void> {
  for (let count = 0; count < 500; count++) {
    const key = count % 4 === 0 ? crypto.randomUUID() : undefined;
    history.requestedCount++;
    if (key !== undefined) history.keyed.set(key, undefined);
    const answer = await next(server, name, key);
    if (answer === undefined) return;
    expect(history.answered.has(answer.index), `${name} ${answer.index} is given once`).toBe(false);
    history.answered.add(answer.index);
    if (key !== undefined) history.keyed.set(key, answer.index);
  }
}

/** The last keyed moves are repeated: what was answered is so again, and what was not is made once. */
async function repeatKeyed(server: Server, name: string, { keyed, answered }: History): Promise<void> {
  for (const [key, index] of [...keyed].slice(-8)) {
    const first = (await next(server, name, key))!;
    if (index !== undefined) expect(first).toEqual({ index, isReplayed: true });
    const again = await next(server, name, key);
    expect(again).toEqual({ index: first.index, isReplayed: true });
    answered.add(first.index);
  }
  keyed.clear();
}

test(`kill -9 of one of two servers, ${ROUND_COUNT} rounds: what was answered is kept, and given once`, async () => {
  process.stderr.write(`SEED=${SEED} ROUNDS=${ROUND_COUNT}\n`);
  const random = mulberry32(SEED);
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const histories = NAMES.map((): History => ({ requestedCount: 0, answered: new Set(), keyed: new Map() }));
  for (let round = 0; round < ROUND_COUNT; round++) {
    await using one = await startServer(["-f", file, ...MANY]);
    await using two = await startServer(["-f", file, ...MANY]);
    const moving = [one, two, two].flatMap((server) =>
      NAMES.map((name, i) => move(server, name, histories[i]!)),
    );
    await Bun.sleep(20 + random() * 60);
    one.kill("SIGKILL");
    // The other one goes on, and then dies without a goodbye too.
    await Bun.sleep(random() * 60);
    two.kill("SIGKILL");
    await Promise.all([...moving, one.ended(), two.ended()]);
    for (const [i, name] of NAMES.entries()) {
      const { answered, requestedCount } = histories[i]!;
      const index = await indexIn(file, name);
      expect(index).toBeGreaterThanOrEqual(Math.max(0, ...answered));
      expect(index).toBeLessThanOrEqual(requestedCount);
    }
    await using after = await startServer(["-f", file, ...MANY]);
    for (const [i, name] of NAMES.entries()) await repeatKeyed(after, name, histories[i]!);
  }
  for (const { answered } of histories) expect(answered.size).toBeGreaterThan(ROUND_COUNT);
});

/**
 * Two moves by a shell, again and again, while the first, second, … such call meets a fault, until none does.
 *
 * @param server - Has the file open, and moves on behind each fault.
 * @returns How often the shell ended with one.
 */
async function meetFaults(file: string, call: string, fault: string, server?: Server): Promise<number> {
  let endedCount = 0;
  let index = server === undefined ? 0 : (await next(server, "alice"))!.index;
  for (let when = 1, hasMet = true; hasMet; when++) {
    const trace = `${file}-trace-${when}`;
    const under = strace(trace, call, `${call}:${fault}:when=${when}`);
    const { stdout, exitCode } = await run(["-f", file, "n", "n", ...ALICE], { under });
    const readTrace = () => fs.readFileSync(trace, "latin1");
    await until("strace saw it end", () =>
      readTrace().includes(exitCode === 137 ? "+++ killed" : "+++ exited"),
    );
    hasMet = exitCode === 137 || readTrace().includes("INJECTED");
    expect([0, fault === "error=EIO" ? 74 : 137]).toContain(exitCode);
    if (exitCode !== 0) endedCount++;
    const printedCount = stdout.split("\n").length - 1;
    const moved = (await indexIn(file, "alice")) - index;
    const isKept = moved >= printedCount && moved <= Math.min(2, printedCount + 1);
    expect({ call, when, fault, printedCount, moved, isKept }).toMatchObject({ isKept: true });
    index += moved;
    if (server !== undefined)
      expect(await next(server, "alice")).toEqual({ index: ++index, isReplayed: false });
    expect(when).toBeLessThan(60);
  }
  return endedCount;
}

const CALLS = ["fsync", "pwrite64", "ftruncate", "unlink"];

for (const [fault, what] of [
  ["signal=SIGKILL", "is killed"],
  ["error=EIO", "fails"],
] as const) {
  withStrace(`a shell that ${what} at any call keeps each move that it printed`, async () => {
    using folder = temporaryFolder();
    const meet = (call: string) => meetFaults(path.join(folder.path, `cursor-${call}`), call, fault);
    const counts = await Promise.all(CALLS.map(meet));
    expect(Math.max(...counts)).toBeGreaterThan(3);
  });

  withStrace(
    `a shell that ${what} at any call keeps its moves beside a server that has the file open`,
    async () => {
      using folder = temporaryFolder();
      const file = path.join(folder.path, "cursor");
      await using server = await startServer(["-f", file]);
      let count = 0;
      for (const call of CALLS) count += await meetFaults(file, call, fault, server);
      expect(count).toBeGreaterThan(3);
    },
  );
}

/** Random numbers in [0, 1) that a seed repeats. @see Tommy Ettinger, mulberry32 */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
