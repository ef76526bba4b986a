/** One limit for all that a server computes: answers and tasks share its threads, and who waits goes first. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { TaskJson } from "../src/tasks/task.ts";
import { type Server, startServer, temporaryFolder, until } from "./binary.ts";

setDefaultTimeout(300_000);

const ONE_THREAD = ["--max-computations", "1", "--max-digits", "1000000000"];

async function create(server: Server, body: Record<string, string>): Promise<TaskJson> {
  const response = await fetch(`${server.url}/v1/tasks`, { method: "POST", body: JSON.stringify(body) });
  expect(response.status).toBe(202);
  return (await response.json()) as TaskJson;
}

async function inState(server: Server, state: string): Promise<TaskJson[]> {
  const response = await fetch(`${server.url}/v1/tasks?state=${state}&limit=100`);
  return ((await response.json()) as { tasks: TaskJson[] }).tasks;
}

/** As worker.ts sets it. */
const NICENESS = "18";

test("a thread that computes is there before the first request needs it", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  const threads = `/proc/${server.pid}/task`;
  const isThere = () =>
    fs.readdirSync(threads).some((id) => {
      try {
        const stat = fs.readFileSync(path.join(threads, id, "stat"), "latin1");
        return stat.split(") ")[1]!.split(" ")[16] === NICENESS;
      } catch {
        // It has ended between the two looks.
        return false;
      }
    });
  await until("it is there", isThere);
});

test("a task that runs is one of --max-computations: a number that cannot wait is refused", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file, ...ONE_THREAD, "--max-queue", "0"]);
  const number = () => fetch(`${server.url}/v1/fibonacci/30000`);
  expect((await number()).status).toBe(200);
  const { id } = await create(server, { kind: "factorial", n: "100000000" });
  await until("it runs", async () => (await inState(server, "running")).length === 1);
  expect((await number()).status).toBe(503);
  await fetch(`${server.url}/v1/tasks/${id}`, { method: "DELETE" });
  await until("its thread is free", async () => (await number()).status === 200);
});

test("a short number that is waited for overtakes the long tasks before it", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), ...ONE_THREAD]);
  // A second or two each: most of them wait still when the number is there, however late that is asked for.
  const factorials = Array.from({ length: 21 }, (_, i) =>
    create(server, { kind: "factorial", n: String(4_000_000 + i) }),
  );
  await Promise.all(factorials);
  const response = await fetch(`${server.url}/v1/fibonacci/25001`, { headers: { prefer: "wait=60" } });
  expect(response.status).toBe(200);
  expect((await inState(server, "queued")).length).toBeGreaterThanOrEqual(10);
});
