/**
 * `backup` and `restore`: a copy that was made under load has everything that was answered before, is whole or not
 * there, and goes back whole or not at all.
 *
 * Method: the compiled program, with a server that is moved meanwhile, killed at each of its system calls, refused by
 * its disk, and given copies that are damaged in each of their files.
 */
import { Database } from "bun:sqlite";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { closeFile, O_DIRECTORY, O_RDONLY, openFile, tryLock } from "../src/system-calls.ts";
import {
  mustRequest,
  output,
  readTrace,
  run,
  type Server,
  spawn,
  startServer,
  strace,
  temporaryFolder,
  until,
  withStrace,
} from "./binary.ts";
import { sha256 } from "./oracle.ts";

setDefaultTimeout(300_000);

const NAMES = ["alice", "bob", "carol"];
/** A result that is a row, and two that are files. */
const TASKS = [92, 100_000, 100_001];

interface Move {
  readonly index: string;
  readonly generation: number;
  readonly isReplayed: boolean;
}

/** Moves a named cursor on; undefined when the server is gone. */
async function next({ url }: Server, name: string, headers: Record<string, string> = {}) {
  const sent = fetch(`${url}/v1/cursors/${name}/next`, { method: "POST", headers });
  const response = await sent.catch(() => undefined);
  if (response === undefined) return undefined;
  expect(response.status).toBe(200);
  const { index } = (await response.json()) as { index: string };
  // What is replayed has none.
  const generation = Number(/\d+/.exec(response.headers.get("etag") ?? "0")![0]);
  return { index, generation, isReplayed: response.headers.has("idempotency-replayed") } satisfies Move;
}

async function accept({ url }: Server, n: number): Promise<string> {
  const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
  const response = await fetch(`${url}/v1/tasks`, { method: "POST", body });
  expect([200, 202]).toContain(response.status);
  return ((await response.json()) as { id: string }).id;
}

/** The digest of a task's result, once it is ready. */
async function resultOf({ url }: Server, id: string): Promise<string> {
  let text = "";
  await until(`${id} is ready`, async () => {
    const response = await fetch(`${url}/v1/tasks/${id}/result`);
    text = await response.text();
    expect([200, 409]).toContain(response.status);
    return response.status === 200;
  });
  return sha256(text);
}

/** Everything in a folder, by its name: what is not a folder with its digest. */
function contentOf(folder: string): Record<string, string> {
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((e) => path.join(e.parentPath, e.name));
  const named = files.map((file) => [path.relative(folder, file), sha256(fs.readFileSync(file, "latin1"))]);
  return Object.fromEntries(named);
}

/** A cursor file with all that can be beside it. */
async function makeSource(folder: string): Promise<string> {
  const file = path.join(folder, "cursor");
  await using server = await startServer(["-f", file]);
  await mustRequest(server, "next");
  for (const name of NAMES) await next(server, name);
  for (const id of await Promise.all(TASKS.map((n) => accept(server, n)))) await resultOf(server, id);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  return file;
}

/** What starts with our name for what is not finished. */
function leftIn(folder: string): string[] {
  return fs.readdirSync(folder).filter((name) => name.startsWith(".fibserver"));
}

test("a copy that was made under load has what was answered before, and goes on with new generations", async () => {
  using folder = temporaryFolder();
  const [file, copy, again] = ["cursor", "copy", "again"].map((name) => path.join(folder.path, name));
  const keyed = new Map<string, Move>();
  const before = new Map<string, Move>();
  const newest = new Map<string, number>();
  const results = new Map<string, string>();
  let defaultIndex: number;
  let defaultGeneration = 0;
  {
    await using server = await startServer(["-f", file!, "--max-index", "100000"]);
    for (const name of NAMES) keyed.set(name, (await next(server, name, { "Idempotency-Key": "k" }))!);
    await mustRequest(server, "next", { "Idempotency-Key": "k" });
    for (const n of TASKS) {
      const id = await accept(server, n);
      results.set(id, await resultOf(server, id));
    }
    const over = new AbortController();
    let movedCount = 0;
    const loads = NAMES.map(async (name) => {
      while (!over.signal.aborted) {
        const move = await next(server, name);
        if (move === undefined) return;
        movedCount++;
        newest.set(name, move.generation);
      }
    });
    const moving = (async () => {
      while (!over.signal.aborted) defaultGeneration = (await mustRequest(server, "next")).generation;
    })();
    const asking = (async () => {
      for (let n = 1000; !over.signal.aborted; n++) await accept(server, n);
    })();
    await until("they move", () => movedCount > 100);
    for (const name of NAMES) before.set(name, (await next(server, name))!);
    defaultIndex = (await mustRequest(server, "next")).index;
    const queued = await accept(server, 200_000);
    // A server that stands still all the while, on a busy machine, is copied once more.
    await until("it is copied while they move", async () => {
      fs.rmSync(copy!, { recursive: true, force: true });
      const countBefore = movedCount;
      await output(["backup", copy!, "-f", file!]);
      return movedCount > countBefore;
    });
    over.abort();
    await Promise.all([...loads, moving, asking]);
    results.set(queued, await resultOf(server, queued));
    // It has not been noticed, but for what a busy machine makes slow.
    expect(server.log()).not.toMatch(/"level":"(WARN|ERROR)","message":"(?!Slow: )/);
  }
  expect(await output(["restore", copy!, "-f", again!])).toContain(`restored to ${again}`);
  expect(leftIn(folder.path)).toEqual([]);
  await using server = await startServer(["-f", again!, "--max-index", "100000"]);
  const position = await mustRequest(server, "current");
  expect(position.index).toBeGreaterThanOrEqual(defaultIndex);
  expect(position.generation).toBeGreaterThan(defaultGeneration);
  expect(await mustRequest(server, "next", { "Idempotency-Key": "k" })).toMatchObject({
    index: 1,
    replayed: true,
  });
  for (const name of NAMES) {
    const replayed = await next(server, name, { "Idempotency-Key": "k" });
    expect(replayed).toMatchObject({ index: keyed.get(name)!.index, isReplayed: true });
    const moved = (await next(server, name))!;
    expect(Number(moved.index)).toBeGreaterThan(Number(before.get(name)!.index));
    expect(moved.generation).toBeGreaterThan(Math.max(...newest.values()));
  }
  for (const [id, digest] of results) expect(await resultOf(server, id)).toBe(digest);
});

test("a copy is quiet, leaves its source as it is, and sha256sum reads its list", async () => {
  using folder = temporaryFolder();
  const file = await makeSource(folder.path);
  const source = contentOf(folder.path);
  const copy = path.join(folder.path, "copy");
  expect(await output(["backup", copy, "-f", file])).toBe(
    `index 1, 3 named cursors, 3 tasks copied to ${copy}\n`,
  );
  expect(fs.statSync(copy).mode & 0o777).toBe(0o700);
  const checked = Bun.spawnSync(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd: copy });
  expect(checked.stdout.toString().match(/: OK/g)).toHaveLength(5);
  expect(Object.keys(contentOf(copy))).toHaveLength(6);
  fs.rmSync(copy, { recursive: true });
  expect(contentOf(folder.path)).toMatchObject(source);
  // Whatever reading has left beside it is not in the way of the same name.
  await output(["backup", copy, "-f", file]);
  for (const end of ["", ".cursors", ".tasks", ".tasks.results"])
    fs.renameSync(file + end, `${file}.old${end}`);
  expect(await output(["restore", copy, "-f", file])).toBe(
    `index 1, 3 named cursors, 3 tasks restored to ${file}\n`,
  );
  await using server = await startServer(["-f", file]);
  expect(await next(server, NAMES[0]!)).toMatchObject({ index: "2" });
  expect(await (await fetch(`${server.url}/v1/tasks`)).json()).toMatchObject({ tasks: { length: 3 } });
});

test("a task whose result goes away while it is copied goes out of the copy, or is queued in it", async () => {
  using folder = temporaryFolder();
  const file = await makeSource(folder.path);
  const [copy, again] = [path.join(folder.path, "copy"), path.join(folder.path, "again")];
  // As it is when a result is removed behind the copy of the database, and as it is when it has been lost.
  const [gone] = fs.readdirSync(`${file}.tasks.results`);
  fs.rmSync(path.join(`${file}.tasks.results`, gone!));
  await output(["backup", copy, "-f", file]);
  await output(["restore", copy, "-f", again]);
  await using server = await startServer(["-f", again]);
  await resultOf(server, gone!.split(".")[0]!);
  expect(server.log()).not.toContain("are gone");
});

/** A cursor file with what some commands and a server put beside it. */
async function makeParts(file: string, { hasDefault = false, hasNamed = false, hasTasks = false }) {
  if (hasTasks) {
    await using server = await startServer(["-f", file]);
    for (const id of await Promise.all(TASKS.map((n) => accept(server, n)))) await resultOf(server, id);
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
    fs.rmSync(file, { force: true });
  }
  if (hasNamed) await output(["n", "--cursor", "alice", "-f", file]);
  if (hasDefault) await output(["n", "n", "-f", file]);
}

const PARTS = ["", ".cursors", ".tasks", ".tasks.results"];

test("whatever there is of cursor, named cursors and tasks is copied, counted and put back", async () => {
  for (const [parts, ends, counted] of [
    [{ hasDefault: true }, [""], "index 2"],
    [{ hasNamed: true }, [".cursors"], "1 named cursor"],
    [{ hasTasks: true }, [".tasks", ".tasks.results"], "3 tasks"],
    [{ hasDefault: true, hasNamed: true }, ["", ".cursors"], "index 2, 1 named cursor"],
    [{ hasNamed: true, hasTasks: true }, PARTS.slice(1), "1 named cursor, 3 tasks"],
  ] as const) {
    using folder = temporaryFolder();
    const [file, copy, again] = ["cursor", "copy", "again"].map((name) => path.join(folder.path, name));
    await makeParts(file!, parts);
    expect(await output(["backup", copy!, "-f", file!])).toBe(`${counted} copied to ${copy}\n`);
    for (const _ of ["new", "there"])
      expect(await output(["restore", copy!, "-f", again!])).toBe(`${counted} restored to ${again}\n`);
    expect(PARTS.filter((end) => fs.existsSync(again + end))).toEqual([...ends]);
    if ("hasNamed" in parts) expect(await output(["n", "--cursor", "alice", "-f", again!])).toBe("1\n");
  }
});

test("what was copied is told as JSON, too, and a name that would break the line is one line", async () => {
  using folder = temporaryFolder();
  const [file, dir, again] = ["cursor", "a\nb", "c\nd"].map((name) => path.join(folder.path, name));
  await makeParts(file!, { hasDefault: true, hasNamed: true });
  const counted = { index: "2", cursorCount: 1, clientCount: 0 };
  const told = await output(["backup", dir!, "-f", file!, "--json"]);
  expect(told).toEndWith("}\n");
  expect(JSON.parse(told)).toEqual({ dir, ...counted });
  const back = await output(["restore", dir!, "-f", again!, "--json"]);
  expect(JSON.parse(back)).toEqual({ file: again, ...counted });
  const words = "index 2, 1 named cursor";
  const inFolder = (name: string) => path.join(folder.path, name);
  expect(await output(["restore", dir!, "-f", again!])).toBe(
    `${words} restored to ${inFolder(String.raw`c\012d`)}\n`,
  );
  fs.rmSync(dir!, { recursive: true });
  expect(await output(["backup", dir!, "-f", file!])).toBe(
    `${words} copied to ${inFolder(String.raw`a\012b`)}\n`,
  );
  const refused = await run(["backup", dir!, "-f", file!, "--json"]);
  expect(refused).toMatchObject({ stdout: "", exitCode: 2 });
  expect(JSON.parse(refused.stderr)).toMatchObject({ code: "bad_argument", exit: 2 });
});

describe("a backup", () => {
  test("that cannot be made says why, and leaves nothing", async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    const copy = path.join(folder.path, "copy");
    await run(["n", "-f", file]);
    fs.mkdirSync(copy);
    fs.writeFileSync(`${file}.tasks`, "x".repeat(5000));
    for (const [args, exitCode, said] of [
      [["backup", copy, "-f", file], 2, "exists"],
      [["backup", `${copy}/none/copy`, "-f", file], 2, `mkdir -p ${copy}/none`],
      [["backup", `${copy}/new`, "-f", `${file}.none`], 74, "no such file"],
      [["backup", `${copy}/new`, "-f", file], 65, `${file}.tasks`],
      [["backup", `${copy}/new`, "--redis", "redis://127.0.0.1"], 2, "Redis itself"],
      [["backup"], 2, "DIR is missing"],
    ] as const) {
      const result = await run(args);
      expect([result.exitCode, result.stdout]).toEqual([exitCode, ""]);
      expect(result.stderr).toContain(said);
    }
    expect(fs.readdirSync(copy)).toEqual([]);
    expect(fs.readdirSync(folder.path).toSorted()).toEqual(["copy", "cursor", "cursor.tasks"]);
  });

  test("of what is in Redis is refused, and of a file that is named it is not", async () => {
    using folder = temporaryFolder();
    const [file, copy] = [path.join(folder.path, "cursor"), path.join(folder.path, "copy")];
    await run(["n", "-f", file]);
    const env = { FIBSERVER_REDIS: "redis://127.0.0.1:1", FIBSERVER_REDIS_PREFIX: "x" };
    const refused = await run(["backup", copy], { env });
    expect([refused.exitCode, fs.existsSync(copy)]).toEqual([2, false]);
    expect(refused.stderr).toContain("Redis itself");
    await output(["backup", copy, "-f", file], { env });
  });

  test("that meets another one of the same folder makes way, and there is one whole copy", async () => {
    using folder = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    const ended = await Promise.all(Array.from({ length: 4 }, () => run(["backup", copy, "-f", file])));
    const codes = ended.map(({ exitCode }) => exitCode);
    expect(codes.filter((code) => code === 0)).toHaveLength(1);
    expect(codes.filter((code) => ![0, 2, 75].includes(code))).toEqual([]);
    expect(leftIn(folder.path)).toEqual([]);
    await output(["restore", copy, "-f", path.join(folder.path, "again")]);
  });

  withStrace(
    "killed at each of its steps leaves no copy or a whole one, and the next one is made",
    async () => {
      using folder = temporaryFolder();
      const file = await makeSource(folder.path);
      let killedCount = 0;
      for (const call of ["fsync", "pwrite64", "renameat2", "mkdir", "unlink", "flock"]) {
        for (let step = 1, exitCode = 137; exitCode === 137 && step < 12; step++) {
          const copy = path.join(folder.path, `copy-${call}-${step}`);
          const under = strace(path.join(folder.path, "trace"), call, `${call}:signal=SIGKILL:when=${step}`);
          ({ exitCode } = await run(["backup", copy, "-f", file], { under }));
          if (exitCode === 137) killedCount++;
          const isThere = fs.existsSync(copy);
          if (!isThere) await output(["backup", copy, "-f", file]);
          expect(leftIn(folder.path)).toEqual([]);
          const again = path.join(folder.path, "again");
          await output(["restore", copy, "-f", again]);
          for (const end of ["", ".tasks", ".tasks.results", ".cursors"])
            fs.rmSync(again + end, { recursive: true });
        }
      }
      expect(killedCount).toBeGreaterThan(10);
    },
  );

  withStrace("whose disk refuses something says so, and leaves nothing", async () => {
    using folder = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    const failed = new Set<string>();
    const said: string[] = [];
    for (const fault of [
      "write:error=ENOSPC",
      "pwrite64:error=ENOSPC",
      "fsync:error=EIO",
      "renameat2:error=EIO",
    ]) {
      const [call] = fault.split(":");
      // Only what is written to files that it makes.
      for (const step of [1, 2, 4, 10]) {
        const under = strace(path.join(folder.path, "trace"), call!, `${fault}:when=${step}`);
        const result = await run(["backup", copy, "-f", file], { under });
        if (result.exitCode === 0) fs.rmSync(copy, { recursive: true });
        else {
          failed.add(call!);
          expect([fault, step, result.exitCode]).toEqual([fault, step, 74]);
          expect(result.stderr).toMatch(/^fibserver: Cannot .*(ENOSPC|EIO|full|I\/O|disk)/);
          said.push(result.stderr);
        }
        expect(fs.existsSync(copy)).toBe(false);
        expect(leftIn(folder.path)).toEqual([]);
      }
    }
    expect([...failed]).toEqual(expect.arrayContaining(["pwrite64", "fsync", "renameat2"]));
    // Where it is SQLite that writes.
    expect(said.join("")).toContain(`Cannot write a copy of ${file}.cursors: `);
  });
});

/** What a command syncs and renames, in its order, each as `sync PATH` or `rename FROM TO`. */
async function stepsOf(args: readonly string[], folder: string): Promise<string[]> {
  const trace = path.join(folder, "trace");
  const calls = "trace=fsync,fdatasync,renameat2";
  const child = spawn(args, { under: ["strace", "-D", "-f", "-y", "-o", trace, "-e", calls] });
  expect(await child.exited).toBe(0);
  return (await readTrace(trace, child.pid)).flatMap((line) => {
    const [, synced] = /sync\(\d+<([^>]*)>\) += 0/.exec(line) ?? [];
    const [, from, to] = /renameat2\([^"]*"([^"]*)"[^"]*"([^"]*)"/.exec(line) ?? [];
    if (synced !== undefined) return [`sync ${synced}`];
    return from === undefined ? [] : [`rename ${from} ${to}`];
  });
}

withStrace("all of a copy is synced before it has its name, and that before the end", async () => {
  using folder = temporaryFolder();
  const file = await makeSource(folder.path);
  const copy = path.join(folder.path, "copy");
  const steps = await stepsOf(["backup", copy, "-f", file], folder.path);
  const named = steps.findIndex((step) => step.endsWith(` ${copy}`));
  const [, working] = /^rename (\S+)/.exec(steps[named] ?? "") ?? [];
  const places = ["", "/cursor.tasks.results", ...Object.keys(contentOf(copy)).map((name) => `/${name}`)];
  expect(places).toHaveLength(8);
  // SQLite syncs the folder, too, but before all is in it.
  expect(steps.lastIndexOf(`sync ${working}`)).toBeGreaterThan(steps.indexOf(`sync ${working}/SHA256SUMS`));
  for (const place of places) expect(steps.slice(0, named)).toContain(`sync ${working}${place}`);
  expect(steps.slice(named)).toContain(`sync ${folder.path}`);

  using target = temporaryFolder();
  const again = path.join(target.path, "again");
  const restored = await stepsOf(["restore", copy, "-f", again], folder.path);
  const renamed = restored.filter((step) => step.startsWith("rename "));
  expect(renamed.map((step) => step.split(" ")[2])).toEqual(
    [".tasks.results", ".tasks", ".cursors", ""].map((end) => again + end),
  );
  const [first, last] = [renamed[0], renamed.at(-1)].map((step) => restored.indexOf(step!));
  const staged = path.dirname(renamed[0]!.split(" ")[1]!);
  for (const place of places) {
    if (place === "" || place === "/SHA256SUMS") continue;
    expect(restored.slice(0, first)).toContain(`sync ${staged}${place}`);
  }
  expect(restored.slice(first, last)).toContain(`sync ${target.path}`);
  expect(restored.slice(last)).toContain(`sync ${target.path}`);
});

describe("a restore", () => {
  test("refuses what is in the way, names it, and changes nothing", async () => {
    using folder = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    await output(["backup", copy, "-f", file]);
    for (const end of ["", ".tasks", ".tasks.results", ".cursors", ".tasks-wal", ".cursors-journal"]) {
      using target = temporaryFolder();
      const again = path.join(target.path, "again");
      if (end === ".tasks.results") fs.mkdirSync(again + end);
      else fs.writeFileSync(again + end, "somebody's");
      const before = contentOf(target.path);
      const { exitCode, stderr } = await run(["restore", copy, "-f", again]);
      expect([exitCode, fs.readdirSync(target.path)]).toEqual([2, [`again${end}`]]);
      expect(stderr).toContain(`${again}${end}: it exists; move it away`);
      expect(contentOf(target.path)).toEqual(before);
    }
  });

  test("takes for its own only what is the same to the byte", async () => {
    using folder = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    await output(["backup", copy, "-f", file]);
    const results = fs.readdirSync(path.join(copy, "cursor.tasks.results"));
    for (const name of [".tasks", `.tasks.results/${results[0]}`]) {
      using target = temporaryFolder();
      const again = path.join(target.path, "again");
      for (const end of [".tasks", ".tasks.results"])
        fs.cpSync(`${copy}/cursor${end}`, again + end, { recursive: true });
      const bytes = fs.readFileSync(again + name);
      bytes[bytes.length - 3]! ^= 1;
      fs.writeFileSync(again + name, bytes);
      const { exitCode, stderr } = await run(["restore", copy, "-f", again]);
      expect([name, exitCode]).toEqual([name, 2]);
      expect(stderr).toContain("it exists; move it away");
      bytes[bytes.length - 3]! ^= 1;
      fs.writeFileSync(again + name, bytes);
      await output(["restore", copy, "-f", again]);
    }
  });

  withStrace("that is interrupted leaves nothing, as does a backup", async () => {
    using folder = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    await output(["backup", copy, "-f", file]);
    const before = fs.readdirSync(folder.path).toSorted();
    for (const [args, call] of [
      [["restore", copy, "-f", path.join(folder.path, "again")], "fsync"],
      // SQLite's, in the copy.
      [["backup", path.join(folder.path, "another"), "-f", file], "pwrite64"],
    ] as const) {
      const under = strace(path.join(folder.path, "trace"), call, `${call}:signal=SIGINT:when=1`);
      const { exitCode } = await run(args, { under });
      expect([args[0], exitCode]).toEqual([args[0], 130]);
      fs.rmSync(path.join(folder.path, "trace"), { force: true });
      expect(fs.readdirSync(folder.path).toSorted()).toEqual(before);
    }
  });

  test.skipIf(process.geteuid!() !== 0)(
    "gives each part the owner that it had, as does a backup",
    async () => {
      using folder = temporaryFolder();
      const file = await makeSource(folder.path);
      for (const name of Object.keys(contentOf(folder.path)))
        fs.chownSync(path.join(folder.path, name), 65534, 65534);
      fs.chownSync(`${file}.tasks.results`, 65534, 65534);
      const copy = path.join(folder.path, "copy");
      const again = path.join(folder.path, "again");
      await output(["backup", copy, "-f", file]);
      await output(["restore", copy, "-f", again]);
      for (const place of [path.join(copy, "cursor"), again])
        for (const end of PARTS) {
          const { uid, gid } = fs.statSync(place + end);
          expect([place + end, uid, gid]).toEqual([place + end, 65534, 65534]);
        }
    },
  );

  test("refuses what has come in the way while it waited for the folder", async () => {
    using folder = temporaryFolder();
    using target = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    await output(["backup", copy, "-f", file]);
    const again = path.join(target.path, "again");
    const restore = async () => {
      fs.rmSync(`${again}.cursors-wal`, { force: true });
      const holder = openFile(target.path, O_RDONLY | O_DIRECTORY);
      expect(tryLock(holder)).toBe(true);
      const restoring = run(["restore", copy, "-f", again]);
      // What is in the way at the beginning it has looked for before.
      await until("it has begun", () => leftIn(target.path).length > 0);
      fs.writeFileSync(`${again}.cursors-wal`, "somebody's");
      closeFile(holder);
      return restoring;
    };
    let restored = await restore();
    // It waits for a second only, in which this process may have stood still.
    while (restored.exitCode === 75) restored = await restore();
    const { exitCode, stderr } = restored;
    expect([exitCode, fs.readdirSync(target.path)]).toEqual([2, ["again.cursors-wal"]]);
    expect(stderr).toContain(`${again}.cursors-wal: it exists; move it away`);
  });

  test("refuses what the copy has not, such as the restore of another one has left", async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    const named = path.join(folder.path, "named");
    await makeParts(file, { hasNamed: true });
    await output(["backup", named, "-f", file]);
    for (const end of ["", ".tasks", ".tasks.results"]) {
      using target = temporaryFolder();
      const again = path.join(target.path, "again");
      fs.writeFileSync(again + end, "somebody's");
      const { exitCode, stderr } = await run(["restore", named, "-f", again]);
      expect([exitCode, fs.readdirSync(target.path)]).toEqual([2, [`again${end}`]]);
      expect(stderr).toContain(`${again}${end}: it exists; move it away`);
    }
  });

  test("refuses a copy that is damaged in any of its files, and puts nothing anywhere", async () => {
    using folder = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    await output(["backup", copy, "-f", file]);
    const again = path.join(folder.path, "again");
    const refused = async (what: string) => {
      const { exitCode, stderr } = await run(["restore", copy, "-f", again]);
      expect([what, exitCode]).toEqual([what, 65]);
      expect(stderr).toContain(copy);
      expect(stderr).not.toContain("Cannot copy");
      expect(fs.readdirSync(folder.path).filter((name) => /again|^\./.test(name))).toEqual([]);
    };
    for (const name of Object.keys(contentOf(copy))) {
      const bytes = fs.readFileSync(path.join(copy, name));
      const changed = Buffer.from(bytes);
      // Where nothing but a digest can tell.
      changed[bytes.length - 3]! ^= 1;
      fs.writeFileSync(path.join(copy, name), changed);
      await refused(`${name} has another bit`);
      fs.rmSync(path.join(copy, name));
      await refused(`${name} is gone`);
      fs.writeFileSync(path.join(copy, name), bytes.subarray(0, bytes.length - 2));
      await refused(`${name} is shorter`);
      fs.writeFileSync(path.join(copy, name), bytes);
    }
    const sums = fs.readFileSync(path.join(copy, "SHA256SUMS"), "utf8");
    fs.writeFileSync(path.join(copy, "SHA256SUMS"), sums.replace("cursor.cursors", "cursor/../../x"));
    await refused("it names what no copy has");
    fs.writeFileSync(path.join(copy, "SHA256SUMS"), `${sums.split("\n", 1)[0]}\n`);
    await refused("it does not name all that there is");
    fs.writeFileSync(path.join(copy, "SHA256SUMS"), sums);
    await output(["restore", copy, "-f", again]);
  });

  test("refuses a database of a newer version", async () => {
    using folder = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    await output(["backup", copy, "-f", file]);
    {
      using db = new Database(path.join(copy, "cursor.tasks"));
      db.run("PRAGMA user_version = 99");
    }
    const { exitCode, stderr } = await run(["restore", copy, "-f", path.join(folder.path, "again")]);
    expect(exitCode).toBe(74);
    expect(stderr).toContain("newer fibserver");
  });

  for (const [what, hasDefault, last, partCount] of [
    ["with a cursor file", true, "again", 4],
    ["without one", false, "again.cursors", 3],
  ] as const)
    withStrace(`killed at each of its steps is finished by the same command, ${what}`, async () => {
      using folder = temporaryFolder();
      const file = await makeSource(folder.path);
      if (!hasDefault) fs.rmSync(file);
      const copy = path.join(folder.path, "copy");
      await output(["backup", copy, "-f", file]);
      let halfCount = 0;
      let whole: Record<string, string> | undefined;
      for (const call of ["renameat2", "fsync", "unlink"]) {
        for (let step = 1, exitCode = 137; exitCode === 137 && step < 16; step++) {
          using target = temporaryFolder();
          const again = path.join(target.path, "again");
          const under = strace(path.join(folder.path, "trace"), call, `${call}:signal=SIGKILL:when=${step}`);
          ({ exitCode } = await run(["restore", copy, "-f", again], { under }));
          const names = fs.readdirSync(target.path).filter((name) => name.startsWith("again"));
          // What comes last is there when everything is.
          if (names.includes(last)) expect(names).toHaveLength(partCount);
          else if (names.length > 0) halfCount++;
          await output(["restore", copy, "-f", again]);
          whole ??= contentOf(target.path);
          expect(contentOf(target.path)).toEqual(whole);
        }
      }
      expect(halfCount).toBeGreaterThan(0);
    });

  withStrace("that fails in the middle takes back what it has placed", async () => {
    using folder = temporaryFolder();
    const file = await makeSource(folder.path);
    const copy = path.join(folder.path, "copy");
    await output(["backup", copy, "-f", file]);
    for (const step of [1, 2, 3, 4]) {
      using target = temporaryFolder();
      const fault = `renameat2:error=EIO:when=${step}`;
      const under = strace(path.join(folder.path, "trace"), "renameat2", fault);
      const { exitCode, stderr } = await run(["restore", copy, "-f", path.join(target.path, "again")], {
        under,
      });
      expect([exitCode, fs.readdirSync(target.path)]).toEqual([74, []]);
      expect(stderr).toContain("EIO");
    }
  });
});

/** Reads a database as a backup does that is not getting on. */
function readerOf(file: string): Disposable {
  const db = new Database(file, { readonly: true });
  db.run("BEGIN");
  db.query("SELECT count(*) FROM tasks").get();
  return { [Symbol.dispose]: () => db.close() };
}

withStrace("a server whose tasks are being read starts, and writes what it shows once more", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const ids: string[] = [];
  {
    await using first = await startServer(["-f", file]);
    ids.push(await accept(first, 92));
    await resultOf(first, ids[0]!);
  }
  using _ = readerOf(`${file}.tasks`);
  {
    await using second = await startServer(["-f", file]);
    for (let n = 1; n < 50; n++) ids.push(await accept(second, n));
    await resultOf(second, ids.at(-1)!);
  }
  const trace = path.join(folder.path, "trace");
  const under = ["strace", "-D", "-f", "-y", "-s", "0", "-o", trace, "-e", "trace=pwrite64,fdatasync"];
  await using third = await startServer(["-f", file], { under });
  for (const id of ids) await resultOf(third, id);
  third.kill("SIGTERM");
  await third.ended();
  const lines = await readTrace(trace, third.pid);
  // From its beginning, where SQLite writes to no log that has a reader.
  for (const end of ["-wal", ""]) {
    const isOf = (line: string, call: string) => line.includes(call) && line.includes(`.tasks${end}>`);
    const written = lines.findIndex(
      (line) => isOf(line, "pwrite64(") && /, \d{4,}, 0\) = \d{4,}$/.test(line),
    );
    const synced = lines.findIndex((line, i) => i > written && isOf(line, "fdatasync("));
    expect([end, written > -1, synced > -1]).toEqual([end, true, true]);
  }
});

withStrace("what was interrupted while SQLite gave it its log is copied as it was before", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => path.join(folder.path, name);
  const move = ["n", "--cursor", "alice", "-f"];
  await mustRun(...move, at("source"));
  await mustRun("backup", at("copy"), "-f", at("source"));
  let interruptedCount = 0;
  for (const call of ["pwrite64", "fsync", "unlink"]) {
    for (let step = 1; step <= 6; step++) {
      // A file that was restored has no log yet, and its first opening gives it one.
      const file = at(`${call}${step}`);
      await mustRun("restore", at("copy"), "-f", file);
      const paths = ["", "-journal", "-wal"].flatMap((end) => ["-P", `${file}.cursors${end}`]);
      const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:signal=SIGKILL:when=${step}`];
      const under = ["strace", "-f", "-o", "/dev/null", ...paths, "-P", folder.path, ...inject];
      await run([...move, file], { under });
      if (fs.existsSync(`${file}.cursors-journal`)) interruptedCount++;
      await mustRun("backup", `${file}.copy`, "-f", file);
      await mustRun("restore", `${file}.copy`, "-f", `${file}.back`);
      expect(await mustRun("cursor", "show", "--cursor", "alice", "-f", `${file}.back`)).toMatch(
        /index: +[12]\n/,
      );
    }
  }
  expect(interruptedCount).toBeGreaterThan(0);
});

async function mustRun(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run(args);
  expect([stderr, exitCode]).toEqual(["", 0]);
  return stdout;
}
