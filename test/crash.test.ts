/**
 * kill -9 at any moment leaves the cursor between the last answered and the last requested move.
 *
 * The moments are random, from a seed that is printed (`SEED=` repeats them, `ROUNDS=`
 * makes more), and then exact: before each system call that touches the file.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  type Answer,
  mustRequest,
  request,
  run,
  type Server,
  spawn,
  startServer,
  strace,
  temporaryFolder,
  until,
  withStrace,
} from "./binary.ts";
import { failingDisk, withFailingDisk } from "./failing-disk.ts";
import { bigTerms } from "./oracle.ts";

setDefaultTimeout(300_000);

const ROUND_COUNT = Number(process.env["ROUNDS"] ?? 100);
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const CLIENT_COUNT = 6;
/** What one round may request, so that `previous` never comes near the start. */
const REQUEST_COUNT_MAX = 1500;
const VALUES = bigTerms(0, 2 * REQUEST_COUNT_MAX);

/** What happened between a start of the server and its death. */
interface History {
  readonly before: Answer;
  requestedCount: number;
  readonly answers: { operation: Operation; answer: Answer }[];
}
type Operation = "next" | "previous";

test(
  `kill -9 under load, ${ROUND_COUNT} rounds: each answered move is kept, none is made twice`,
  async () => {
    process.stderr.write(`SEED=${SEED} ROUNDS=${ROUND_COUNT}\n`);
    const random = mulberry32(SEED);
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    await run(["cursor", "set", String(REQUEST_COUNT_MAX), "-f", file, "--max-index", "1000000"]);
    let history: History | undefined;
    let keyed: Keyed | undefined;
    let answeredCount = 0;
    for (let round = 0; round < ROUND_COUNT; round++) {
      if (random() < 0.2) await killWhileStarting(file, random() * 40);
      await using server = await startServer(["-f", file, "--max-index", "1000000"]);
      if (history) check(history, await mustRequest(server, "current"));
      if (keyed) await checkKeyed(server, keyed);
      await set(server, REQUEST_COUNT_MAX);

      history = { before: await mustRequest(server, "current"), requestedCount: 0, answers: [] };
      keyed = { round, answers: [], lost: undefined };
      const onlyNext = random() < 0.5;
      const clients = [
        ...Array.from({ length: CLIENT_COUNT }, () =>
          move(server, history!, () => (onlyNext || random() < 0.5 ? "next" : "previous")),
        ),
        moveKeyed(server, history, keyed),
      ];
      // Every other time behind some answers: a busy machine may give none in 60 ms.
      if (round % 2 === 1) await until("moves are answered", () => history!.answers.length > 2);
      await Bun.sleep(random() * 60);
      server.kill("SIGKILL");
      await server.ended();
      await Promise.all(clients);
      answeredCount += history.answers.length;
    }
    // A load that moved nothing would prove nothing.
    expect(answeredCount).toBeGreaterThan(ROUND_COUNT);
  },
  300_000 + ROUND_COUNT * 6000,
);

test("kill -9 under load of /api0/next: no value is given twice", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const random = mulberry32(SEED);
  // From 3 on a value tells its index; 1 is both F(1) and F(2).
  let indexMin = 3;
  await run(["cursor", "set", String(indexMin), "-f", file]);
  const given = new Set<string>();
  for (let round = 0; round < 10; round++) {
    await using server = await startServer(["-f", file, "--max-index", String(VALUES.length)]);
    let requestedCount = 0;
    const client = async () => {
      // All rounds together stay below the last index.
      for (; requestedCount < VALUES.length / 12;) {
        requestedCount++;
        const response = await fetch(`${server.url}/api0/next`).catch(() => undefined);
        const body = (await response?.json().catch(() => undefined)) as { value: string } | undefined;
        if (body === undefined) return;
        expect(given.has(body.value), body.value).toBe(false);
        given.add(body.value);
      }
    };
    const { size } = given;
    const clients = Array.from({ length: CLIENT_COUNT }, client);
    // Every other time behind an answer: a busy machine may give none in 40 ms.
    if (round % 2 === 1) await until("a move is answered", () => given.size > size);
    await Bun.sleep(random() * 40);
    server.kill("SIGKILL");
    await server.ended();
    await Promise.all(clients);
    const { stdout } = await run(["-f", file, "--max-index", String(VALUES.length), "c"]);
    const index = VALUES.indexOf(stdout.trim());
    expect(index).toBeGreaterThanOrEqual(
      Math.max(indexMin, ...[...given].map((value) => VALUES.indexOf(value))),
    );
    expect(index).toBeLessThanOrEqual(indexMin + requestedCount);
    indexMin = index;
  }
  expect(given.size).toBeGreaterThanOrEqual(5);
});

withFailingDisk("SIGKILL before the N-th sync of a server keeps each answered move", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const random = mulberry32(SEED);
  await run(["cursor", "set", String(REQUEST_COUNT_MAX), "-f", file, "--max-index", "1000000"]);
  for (const sync of [2, 3, 4, 10, 40]) {
    using disk = failingDisk();
    disk.begin("kill", "data", sync - 1);
    await using server = await startServer(["-f", file, "--max-index", "1000000"], { env: disk.env });
    const history: History = {
      before: await mustRequest(server, "current"),
      requestedCount: 0,
      answers: [],
    };
    const keyed: Keyed = { round: sync, answers: [], lost: undefined };
    const operation = () => (random() < 0.5 ? "next" : "previous");
    await Promise.all([
      ...Array.from({ length: CLIENT_COUNT }, () => move(server, history, operation)),
      moveKeyed(server, history, keyed),
    ]);
    expect(await server.ended()).toBe(137);
    expect(disk.faultedCount()).toBe(1);
    await using next = await startServer(["-f", file, "--max-index", "1000000"]);
    check(history, await mustRequest(next, "current"));
    await checkKeyed(next, keyed);
  }
});

for (const [kind, prepare] of [
  ["a missing", () => {}],
  ["a Go server's", (file) => fs.writeFileSync(file, goFileAt0())],
  ["a half damaged", damageOneCopy],
] as [string, (file: string) => void | Promise<void>][]) {
  withStrace(`SIGKILL before any call on ${kind} file keeps each move that was printed`, async () => {
    using folder = temporaryFolder();
    let killedCount = 0;
    for (const call of ["flock", "pwrite64", "fsync", "fdatasync", "rename", "renameat2"]) {
      for (let when = 1, killed = true; killed; when++) {
        const file = path.join(folder.path, `cursor-${call}-${when}`);
        await prepare(file);
        const trace = path.join(folder.path, "trace");
        const under = strace(trace, call, `${call}:signal=SIGKILL:when=${when}`);
        const { stdout, exitCode } = await run(["-f", file, "n", "n", "n", "n"], { under });
        killed = exitCode === 137;
        expect([0, 137]).toContain(exitCode);
        const printedCount = stdout.split("\n").length - 1;
        expect(stdout).toBe(
          VALUES.slice(1, 1 + printedCount)
            .map((value) => `${value}\n`)
            .join(""),
        );
        const { stdout: now, exitCode: exitCodeNow } = await run(["-f", file, "c"]);
        expect({ call, when, exitCodeNow }).toEqual({ call, when, exitCodeNow: 0 });
        expect(VALUES.slice(printedCount, printedCount + 2)).toContain(now.trim());
        if (killed) killedCount++;
        expect(when).toBeLessThan(50);
      }
    }
    expect(killedCount).toBeGreaterThan(15);
  });
}

async function killWhileStarting(file: string, afterMs: number): Promise<void> {
  await using child = spawn(["-p", "0", "-f", file]);
  await Bun.sleep(afterMs);
  child.kill("SIGKILL");
  await child.exited;
}

async function set({ url }: Server, index: number): Promise<void> {
  const response = await fetch(`${url}/v1/cursor`, {
    method: "PUT",
    body: JSON.stringify({ index: String(index) }),
  });
  expect(response.status).toBe(200);
}

/** Moves until the connection breaks. */
async function move(server: Server, history: History, choose: () => Operation): Promise<void> {
  while (history.requestedCount < REQUEST_COUNT_MAX) {
    const operation = choose();
    history.requestedCount++;
    const answer = await request(server, operation);
    if (answer === undefined) return;
    history.answers.push({ operation, answer });
  }
}

/** The moves of a client that puts a key on each. */
interface Keyed {
  readonly round: number;
  readonly answers: Answer[];
  /** The key of the move whose answer did not come. */
  lost: string | undefined;
}

async function moveKeyed(server: Server, history: History, keyed: Keyed): Promise<void> {
  while (history.requestedCount < REQUEST_COUNT_MAX) {
    const key = keyOf(keyed, keyed.answers.length);
    history.requestedCount++;
    const answer = await request(server, "next", { "idempotency-key": key });
    if (answer === undefined) {
      keyed.lost = key;
      return;
    }
    history.answers.push({ operation: "next", answer });
    keyed.answers.push(answer);
  }
}

function keyOf({ round }: Keyed, count: number): string {
  return `round ${round} move ${count}`;
}

/** Every move adds 1 to the generation and 1 or -1 to the index, so the generations tell the order of all moves. */
function check({ before, requestedCount, answers }: History, after: Answer): void {
  const order = answers.toSorted((a, b) => a.answer.generation - b.answer.generation);
  let last = before;
  for (const { operation, answer } of order) {
    const step = answer.generation - last.generation;
    const way = answer.index - last.index;
    expect(step, "an answered move is a move of its own").toBeGreaterThan(0);
    if (step === 1) expect(way).toBe(operation === "next" ? 1 : -1);
    expectReachable(way, step);
    last = answer;
  }
  const lost = after.generation - last.generation;
  expect(lost, "the last answered move is kept").toBeGreaterThanOrEqual(0);
  expect(after.generation - before.generation, "only what was requested is made").toBeLessThanOrEqual(
    requestedCount,
  );
  expectReachable(after.index - last.index, lost);
}

function expectReachable(way: number, stepCount: number): void {
  expect(Math.abs(way)).toBeLessThanOrEqual(stepCount);
  expect(Math.abs(way) % 2).toBe(stepCount % 2);
}

/** Repeats the last answered and the lost move: each is made once, whenever it was. */
async function checkKeyed(server: Server, keyed: Keyed): Promise<void> {
  const repeat = (key: string) => mustRequest(server, "next", { "idempotency-key": key });
  const answered = keyed.answers.at(-1);
  if (answered) {
    const again = await repeat(keyOf(keyed, keyed.answers.length - 1));
    expect(again).toMatchObject({ index: answered.index, replayed: true });
  }
  if (keyed.lost === undefined) return;
  const before = await mustRequest(server, "current");
  const first = await repeat(keyed.lost);
  const after = await mustRequest(server, "current");
  const step = first.replayed ? 0 : 1;
  expect(after).toMatchObject({ index: before.index + step, generation: before.generation + step });
  if (!first.replayed) expect(first.index).toBe(after.index);
  expect(await repeat(keyed.lost)).toMatchObject({ index: first.index, replayed: true });
  expect(await mustRequest(server, "current")).toEqual(after);
}

/** A Go server's file at index 0, which is taken over first. */
function goFileAt0(): Uint8Array {
  return new Uint8Array(16);
}

async function damageOneCopy(file: string): Promise<void> {
  await run(["-f", file, "c"]);
  const bytes = fs.readFileSync(file);
  // The older copy, so that the position stays at 0.
  bytes.fill(0xff, 4096 + 100, 4096 + 200);
  fs.writeFileSync(file, bytes);
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
