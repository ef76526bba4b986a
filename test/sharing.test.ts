/** Many processes on one file agree on one order of moves: none is lost, none is made twice, nobody starves. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  mustRequest,
  request,
  run,
  type Server,
  startServer,
  strace,
  temporaryFolder,
  until,
  withStrace,
} from "./binary.ts";
import { bigTerms } from "./oracle.ts";

setDefaultTimeout(300_000);

/** On a busy machine one may stand still with the lock, and the others wait for it. */
const MANY = ["--max-index", "5000", "--lock-timeout", "60"];
const VALUES = bigTerms(0, 5001);
/** From here on a value tells its index; 1 is both F(1) and F(2). */
const INDEX_FIRST = 3;

test("two servers and six shell loops on one file give each number once, and in order", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await run(["cursor", "set", String(INDEX_FIRST), "-f", file]);
  await using one = await startServer(["-f", file, ...MANY]);
  await using two = await startServer(["-f", file, ...MANY]);
  const inShell = async () => {
    const indexes: number[] = [];
    while (indexes.length < 12) {
      const { stdout, stderr, exitCode } = await run(["-f", file, ...MANY, "n", "n"]);
      expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
      indexes.push(
        ...stdout
          .trim()
          .split("\n")
          .map((value) => VALUES.indexOf(value)),
      );
    }
    return indexes;
  };
  const participants = await Promise.all([
    ...[one, one, one, one, two, two, two, two].map((server) => fiftyMoves(server)),
    ...Array.from({ length: 6 }, inShell),
  ]);
  for (const indexes of participants) expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
  const all = participants.flat().toSorted((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: 8 * 50 + 6 * 12 }, (_, i) => INDEX_FIRST + 1 + i));
  for (const server of [one, two]) {
    expect(await mustRequest(server, "current")).toMatchObject({ index: all.at(-1)! });
    expect(await (await fetch(`${server.url}/api0/current`)).json()).toEqual({
      value: VALUES[all.at(-1)!],
      status: "200",
    });
  }
});

test("ten shell commands that find no file make one together", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const move = () => run(["-f", file, ...MANY, "n"]);
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      let result = await move();
      // The one that makes it may stand still for more than the second for which the others wait.
      while (result.exitCode === 75) result = await move();
      expect(result).toMatchObject({ stderr: "", exitCode: 0 });
    }),
  );
  expect((await run(["-f", file, "c"])).stdout).toBe(`${VALUES[10]}\n`);
  expect(fs.readdirSync(folder.path)).toEqual(["cursor"]);
});

test("a move through one process is seen by the next request to another", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using one = await startServer(["-f", file]);
  await using two = await startServer(["-f", file]);
  for (let index = 1; index <= 20; index++) {
    expect(await mustRequest(index % 2 === 0 ? one : two, "next")).toMatchObject({ index });
    const body = await (await fetch(`${(index % 2 === 0 ? two : one).url}/api0/current`)).json();
    expect(body).toEqual({ value: VALUES[index], status: "200" });
  }
});

test("a key that one server has seen moves nothing through another", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using one = await startServer(["-f", file]);
  await using two = await startServer(["-f", file]);
  const key = { "idempotency-key": "once" };
  expect(await mustRequest(one, "next", key)).toMatchObject({ index: 1, replayed: false });
  expect(await mustRequest(two, "next", key)).toMatchObject({ index: 1, replayed: true });
  expect(await mustRequest(two, "current")).toMatchObject({ index: 1 });
});

for (const [disk, inject] of [
  ["fast", undefined],
  ["slow", "fdatasync:delay_enter=5000"],
] as const) {
  withStrace(`a server under constant load on a ${disk} disk lets shell commands through`, async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    await run(["cursor", "set", "1000", "-f", file, ...MANY]);
    const under = inject === undefined ? [] : strace(path.join(folder.path, "trace"), "fdatasync", inject);
    await using server = await startServer(["-f", file, ...MANY], { under });
    // In a process of its own: this one pauses while it starts the commands.
    await using load = Bun.spawn([process.execPath, "-e", LOAD, server.url], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await load.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
    for (let command = 0; command < 10; command++) {
      // It gives up by itself, with 75, when the time of --lock-timeout is over.
      const { stderr, exitCode } = await run(["-f", file, ...MANY, command % 2 === 0 ? "n" : "p"]);
      expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    }
    expect(load.exitCode, "the load went on all the time").toBeNull();
  });
}

test("another cursor file moved over the path is noticed and followed", async () => {
  using folder = temporaryFolder();
  const [file, other, orphan] = ["cursor", "other", "orphan"].map((name) => path.join(folder.path, name));
  await run(["cursor", "set", "5", "-f", file!]);
  await run(["cursor", "set", "50", "-f", other!]);
  await using server = await startServer(["-f", file!]);
  expect(await mustRequest(server, "next")).toMatchObject({ index: 6 });
  // A second name keeps the old file in sight.
  fs.linkSync(file!, orphan!);
  const before = fs.readFileSync(orphan!);
  fs.renameSync(other!, file!);
  expect(await (await fetch(`${server.url}/api0/current`)).json()).toEqual({
    value: VALUES[50],
    status: "200",
  });
  expect(await mustRequest(server, "next")).toMatchObject({ index: 51 });
  expect(await mustRequest(server, "next")).toMatchObject({ index: 52 });
  expect(fs.readFileSync(orphan!)).toEqual(before);
  await until("it is told", () => server.log().includes("was replaced by another file"));
  expect((await run(["-f", file!, "c"])).stdout).toBe(`${VALUES[52]}\n`);
});

test("cursor files that are moved over the path under load get moves, the ones before get no more", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const nameOf = (generation: number) => path.join(folder.path, `generation-${generation}`);
  await run(["-f", file, ...MANY, "c"]);
  for (let i = 1; i <= 3; i++) await run(["cursor", "set", String(i * 1000), "-f", nameOf(i), ...MANY]);
  await using server = await startServer(["-f", file, ...MANY]);
  let indexLast = 0;
  const over = new AbortController();
  const load = Array.from({ length: 8 }, async () => {
    while (!over.signal.aborted && indexLast < 4900) indexLast = (await mustRequest(server, "next")).index;
  });
  try {
    const orphans: { name: string; bytes: Buffer }[] = [];
    for (let i = 1; i <= 3; i++) {
      fs.linkSync(file, `${nameOf(i)}-orphan`);
      fs.renameSync(nameOf(i), file);
      await until(`the server follows to file ${i}`, () => indexLast > i * 1000);
      orphans.push({ name: `${nameOf(i)}-orphan`, bytes: fs.readFileSync(`${nameOf(i)}-orphan`) });
    }
    await until("the last one gets more moves", () => indexLast > 3050);
    for (const { name, bytes } of orphans) expect(fs.readFileSync(name).equals(bytes)).toBe(true);
  } finally {
    over.abort();
    await Promise.all(load);
  }
});

test("a file that is gone refuses moves, and is not made again behind its owner's back", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file]);
  expect(await mustRequest(server, "next")).toMatchObject({ index: 1 });
  fs.renameSync(file, `${file}.away`);
  for (const route of ["next", "current"]) {
    const response = await fetch(`${server.url}/api0/${route}`);
    expect(await response.text()).toBe('{"value":"-3","status":"503"}');
  }
  expect(fs.existsSync(file)).toBe(false);
  fs.renameSync(`${file}.away`, file);
  expect(await mustRequest(server, "next")).toMatchObject({ index: 2 });
});

test("what is moved over the path and is no cursor file is refused until it is gone", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file]);
  fs.linkSync(file, `${file}.kept`);
  for (const put of [
    () => fs.writeFileSync(file, "not a cursor file"),
    () => fs.writeFileSync(file, new Uint8Array(8192)),
    () => fs.mkdirSync(file),
    () => fs.symlinkSync(`${file}.kept`, file),
  ]) {
    fs.rmSync(file, { recursive: true });
    put();
    const response = await fetch(`${server.url}/v1/cursor/next`, { method: "POST" });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: "cursor_damaged" });
  }
  fs.rmSync(file);
  fs.renameSync(`${file}.kept`, file);
  expect((await request(server, "next"))?.index).toBe(1);
});

/** 32 clients, half of them up and half down, so that values stay short; says when it runs, and ends by a signal. */
const LOAD = `
  let moveCount = 0;
  const client = async (route) => {
    for (;;) {
      const response = await fetch(process.argv[1] + "/api0/" + route);
      if (!(await response.text()).includes('"status":"200"')) process.exit(1);
      if (++moveCount === 200) console.log("running");
    }
  };
  for (let i = 0; i < 32; i++) void client(i % 2 === 0 ? "next" : "previous");
`;

/** Moves one after the other; the indexes that were answered. */
async function fiftyMoves(server: Server): Promise<number[]> {
  const indexes: number[] = [];
  while (indexes.length < 50) indexes.push((await mustRequest(server, "next")).index);
  return indexes;
}
