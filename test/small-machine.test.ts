/** One CPU and 512 MB: what does not fit is refused, and nothing is killed for it. */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { request, requires, startServer, temporaryFolder, until } from "./binary.ts";

setDefaultTimeout(300_000);

const MEMORY_BYTES = 512 * 2 ** 20;
/** The longest numbers that are computed by default have 25,000,000 digits. */
const LONGEST = 119_600_000;

/** A memory cgroup, in either version; undefined where none can be made. */
function makeCgroup(): { readonly path: string; readonly limit: string } | undefined {
  for (const [parent, limit] of [
    ["/sys/fs/cgroup/memory", "memory.limit_in_bytes"],
    ["/sys/fs/cgroup", "memory.max"],
  ] as const) {
    const folder = path.join(parent, `fibserver-test-${process.pid}`);
    try {
      fs.mkdirSync(folder);
      if (fs.existsSync(path.join(folder, limit))) return { path: folder, limit };
      fs.rmdirSync(folder);
    } catch {
      // Read-only, not ours, or not there.
    }
  }
  return undefined;
}

const cgroup = makeCgroup();
const withCgroup = requires(cgroup !== undefined, "it takes root, and a cgroup that limits memory");

withCgroup("giants as tasks and as answers, beside moves: all is answered, within 512 MB", async () => {
  const { path: group, limit } = cgroup!;
  fs.writeFileSync(path.join(group, limit), String(MEMORY_BYTES));
  using folder = temporaryFolder();
  const enter = ["taskset", "-c", "0", "sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', group];
  {
    await using server = await startServer(["-f", path.join(folder.path, "cursor")], { under: enter });
    const statuses = new Set<number>();
    const read = async (route: string) => {
      const response = await fetch(server.url + route);
      statuses.add(response.status);
      let sizeBytes = 0;
      for await (const chunk of response.body!) sizeBytes += chunk.length;
      return [response.status, sizeBytes] as const;
    };
    for (let i = 0; i < 4; i++) {
      const body = JSON.stringify({ kind: "fibonacci", n: String(LONGEST - 100 - i) });
      expect((await fetch(`${server.url}/v1/tasks`, { method: "POST", body })).status).toBe(202);
    }
    const giants = Array.from({ length: 6 }, (_, i) => read(`/v1/fibonacci/${LONGEST - i}?format=text`));
    let moves = 0;
    const all = Promise.all(giants);
    while (Bun.peek.status(all) === "pending") {
      await request(server, "next");
      await request(server, "previous");
      moves += 2;
    }
    for (const [status, sizeBytes] of await all) {
      if (status === 200) expect(sizeBytes).toBeGreaterThan(24_900_000);
      else expect(status).toBe(503);
    }
    expect(statuses.has(200)).toBe(true);
    expect(moves).toBeGreaterThan(10);
    const unfinished = async (state: string) =>
      ((await (await fetch(`${server.url}/v1/tasks?state=${state}`)).json()) as { tasks: unknown[] }).tasks
        .length;
    await until("the tasks are ready", async () => (await unfinished("ready")) === 4);
  }
  // Those that have just ended are not listed any more, and may be counted for a moment.
  await until("the group is empty, and gone", () => {
    if (fs.readFileSync(path.join(group, "cgroup.procs"), "utf8") !== "") return false;
    try {
      fs.rmdirSync(group);
      return true;
    } catch {
      return false;
    }
  });
});
