/**
 * A server that somebody has used for a while: each part of the page has something to show. For tests of the whole page,
 * and for its pictures.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { type Server, startServer, until } from "../binary.ts";

/**
 * Some seconds of work with a few kilobytes: two thirds of the digits that a request may have are the divisor's. A factorial
 * that takes as long takes a gigabyte.
 */
export const LONG = { kind: "remainder", n: "9".repeat(4_900), mod: "7".repeat(9_800) };

/** While a few pictures are taken one of them runs, and the other waits. */
const LONG_COUNT = 2;

const READY = [
  { kind: "fibonacci", n: "10000000" },
  { kind: "factorial", n: "200000" },
  { kind: "sequence", from: "0", count: "1000000" },
];

/**
 * Starts one in an empty folder: the cursor at F(21), three with names, and tasks that are ready or have failed.
 *
 * @param args - Beyond those that this needs.
 */
export async function startFilledServer(folder: string, args: readonly string[] = []): Promise<Server> {
  const file = path.join(folder, "cursor");
  const server = await startServer(["-f", file, "--max-computations", "1", ...args]);
  await moveTo(server, 21);
  for (const [name, index] of [
    ["alice", 7],
    ["bob", 92],
    ["nightly.build", 34],
  ] as const) {
    await moveTo(server, index, name);
  }
  await makeTask(server, READY[0]!, "ready");
  await makeFailure(server, `${file}.tasks.results`);
  for (const task of READY.slice(1)) await makeTask(server, task, "ready");
  return server;
}

/** Makes tasks that run and wait for a while. */
export async function makeLongTasks(server: Server): Promise<void> {
  for (let i = 1; i <= LONG_COUNT; i++)
    await makeTask(server, { ...LONG, n: `${i}${LONG.n}` }, i === 1 ? "running" : "queued");
}

/** Makes a task, and waits until it is so far. @returns Its id. */
export async function makeTask({ url }: Server, task: object, state: string): Promise<string> {
  const response = await fetch(`${url}/v1/tasks`, { method: "POST", body: JSON.stringify(task) });
  if (!response.ok) throw new Error(await response.text());
  const { id } = (await response.json()) as { id: string };
  await until(`the task is ${state}`, async () => {
    const now = (await (await fetch(`${url}/v1/tasks/${id}`)).json()) as { state: string };
    return now.state === state;
  });
  return id;
}

/** A task fails whose result cannot be stored: for a moment a file is where their folder should be. */
async function makeFailure(server: Server, results: string): Promise<void> {
  const aside = `${results}.aside`;
  fs.renameSync(results, aside);
  fs.writeFileSync(results, "");
  await makeTask(server, { kind: "fibonacci", n: "1234567" }, "failed");
  fs.rmSync(results);
  fs.renameSync(aside, results);
}

/** Moves a cursor, as somebody else would. */
export async function moveTo({ url }: Server, index: number, name = "default"): Promise<void> {
  const body = JSON.stringify({ index: String(index) });
  const response = await fetch(`${url}/v1/cursors/${name}`, { method: "PUT", body });
  if (!response.ok) throw new Error(await response.text());
}
