/**
 * Two versions of the program in turn on one port and one file, under load: forth, and back again.
 *
 * The other version is made of these sources, with another version and another commit, since there is no earlier release.
 * So it is shown that another build takes over and hands back what this one keeps, and not that a format which has
 * changed is read. What is of a later format is written here by hand, and must be refused.
 */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import root from "../../package.json" with { type: "json" };
import { FibClient } from "../../src/client/client.ts";
import { BLOCK_BYTES, encodeFile, initialRecord } from "../../src/cursor/record.ts";
import { run, startServer, temporaryFolder, until } from "../binary.ts";
import { startMoves, startSecond } from "../hand-over.ts";

// The other version is built first.
setDefaultTimeout(600_000);

const ROOT = path.resolve(import.meta.dir, "../..");
const OTHER_VERSION = "99.1.0-next";

const building = temporaryFolder();
afterAll(() => building[Symbol.dispose]());

test("a newer version takes the port over and hands it back: each move is made once, and nothing of its own is lost", async () => {
  using folder = temporaryFolder();
  const newer = { binary: await buildOther() };
  const file = path.join(folder.path, "cursor");
  const args = ["-f", file, "--reuse-port", "--max-index", "1000000", "--lock-timeout", "240"];
  let server = await startServer(args);
  const fib = new FibClient(server.url, { retriesMax: 20 });
  await using moves = startMoves(Number(new URL(server.url).port));
  const handOver = async (start: { binary?: string }, version: string) => {
    const second = await startSecond(server, args, start);
    await moves.goOn();
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
    server = second;
    await until("tasks are the second one's", () => fib.isReady());
    expect((await fib.status()).version).toBe(version);
  };
  const stand = async () =>
    (await Array.fromAsync(fib.cursors.list())).filter(({ name }) => name !== "default");
  try {
    await fib.cursor("alice").set(7);
    const early = await fib.tasks.create({ kind: "fibonacci", n: 100_000 });

    await handOver(newer, OTHER_VERSION);
    expect((await early.result({ as: "text" })).length).toBe(20_899);
    expect((await fib.cursor("alice").next()).index).toBe(8);
    expect((await fib.cursor("bob").set(10, { key: "once" })).index).toBe(10);
    const ready = await fib.tasks.create({ kind: "factorial", n: 1000 });
    expect((await ready.result({ as: "text" })).length).toBe(2568);
    const unfinished = await fib.tasks.create({ kind: "fibonacci", n: 30_000_000 });
    const written = await stand();

    await handOver({}, root.version);
    expect(written.map(({ name, index }) => [name, index])).toEqual([
      ["alice", 8],
      ["bob", 10],
    ]);
    expect(await stand()).toEqual(written);
    expect(await fib.cursor("bob").set(10, { key: "once" })).toMatchObject({ index: 10, replayed: true });
    expect((await fib.tasks.get(ready.id)).status.state).toBe("ready");
    expect((await ready.result({ as: "text" })).length).toBe(2568);
    expect((await unfinished.result({ as: "text" })).length).toBe(6_269_629);

    await moves.goOn();
    await moves.expectEachOnce();
  } finally {
    await server[Symbol.asyncDispose]();
  }
});

test("a cursor of a later format is refused by all that would use it, and left as it is", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  // One copy is this version's: the other may hold moves that it does not know.
  const bytes = encodeFile(initialRecord(7));
  const view = new DataView(bytes.buffer, 0, BLOCK_BYTES);
  view.setUint32(12, 2);
  view.setUint32(8, Bun.hash.crc32(bytes.subarray(12, BLOCK_BYTES)));
  fs.writeFileSync(file, bytes);
  for (const args of [["n"], ["c"], ["cursor", "set", "3"], ["-p", "0"]]) {
    const refused = await run([...args, "-f", file]);
    expect({ args, ...refused }).toMatchObject({ args, stdout: "", exitCode: 65 });
    expect(refused.stderr).toContain("it was written by a newer fibserver (format 2, this one knows 1)");
  }
  expect((await run(["cursor", "inspect", "-f", file])).stdout).toContain("a newer fibserver");
  expect(fs.readFileSync(file).equals(bytes)).toBe(true);
});

/** Builds the other version, as `make dist/fibserver` does, from a copy of the sources. */
async function buildOther(): Promise<string> {
  const inFolder = (name: string) => path.join(building.path, name);
  for (const name of ["src", "tsconfig.json"])
    fs.cpSync(path.join(ROOT, name), inFolder(name), { recursive: true });
  for (const name of ["build", "node_modules", "dist"]) fs.symlinkSync(path.join(ROOT, name), inFolder(name));
  fs.writeFileSync(inFolder("package.json"), JSON.stringify({ ...root, version: OTHER_VERSION }));
  const target = `other: ; cd ${building.path} && $(abspath $(BUN)) $(BUILD) --outfile fibserver`;
  const made = await run(["--eval", target, "other", "COMMIT=000000000001"], {
    binary: "make",
    cwd: ROOT,
    env: { HOME: process.env["HOME"] ?? "" },
  });
  expect(made).toMatchObject({ exitCode: 0 });
  const binary = inFolder("fibserver");
  expect((await run(["version"], { binary })).stdout).toContain(OTHER_VERSION);
  return binary;
}
