/** What is in the place of a file of named cursors, or of its cursor file: told as it is for the default cursor. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { output, run, spawn, temporaryFolder } from "../binary.ts";

setDefaultTimeout(300_000);

const next = (file: string) => ["n", "--cursor", "alice", "-f", file];

test("where the default cursor cannot be made, no named one can, and for the same reason", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => path.join(folder.path, name);
  fs.writeFileSync(at("file"), "");
  fs.mkdirSync(at("folder"));
  await run(["n", "-f", at("real")]);
  fs.symlinkSync(at("real"), at("link"));
  const before = fs.readdirSync(folder.path);
  for (const name of ["none/x", "file/x", "x".repeat(300), ".", "folder/", "link"]) {
    const file = `${folder.path}/${name}`;
    const [own, named] = [await run(["n", "-f", file]), await run(next(file))];
    expect({ name, exitCode: named.exitCode }).toEqual({ name, exitCode: own.exitCode });
    expect(named.stderr).toMatch(/^fibserver: Cannot /);
    if (name === "none/x") expect(named.stderr).toContain(`mkdir -p ${at("none")}`);
  }
  expect(fs.readdirSync(folder.path)).toEqual(before);
  expect(fs.readdirSync(at("folder"))).toEqual([]);
});

test("what cannot be looked at is not said to be missing", async () => {
  using folder = temporaryFolder();
  fs.writeFileSync(path.join(folder.path, "file"), "");
  const flags = ["-f", path.join(folder.path, "file/x")];
  for (const command of ["c --cursor a", "cursor remove --cursor a", "cursor list", "cursor inspect"]) {
    const { exitCode, stderr } = await run([...command.split(" "), ...flags]);
    expect({ command, exitCode }).toEqual({ command, exitCode: 74 });
    expect(stderr).toContain("ENOTDIR");
  }
});

test("an error of damage names a line that tells of that very file", async () => {
  using folder = temporaryFolder();
  fs.writeFileSync(path.join(folder.path, "te.cursors"), "no database");
  const { stderr } = await run(["n", "--cursor", "a", "-f", "te"], { cwd: folder.path });
  const line = /fibserver (cursor inspect -f te) says/.exec(stderr)?.[1];
  const told = await run(line?.split(" ") ?? ["help"], { cwd: folder.path });
  expect(told.exitCode).toBe(65);
  expect(told.stderr).toContain("Cannot use te.cursors: file is not a database");
});

test("nobody waits for the other end of a FIFO", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  Bun.spawnSync(["mkfifo", `${file}.cursors`]);
  for (const command of [
    next(file),
    ["cursor", "inspect", "-f", file],
    ["backup", `${file}.copy`, "-f", file],
  ]) {
    const { exitCode, stderr } = await run(command);
    expect(stderr).toContain(`Cannot use ${file}.cursors: it is no file`);
    expect(exitCode).toBe(74);
  }
});

test("a file that was cut is damaged, and a backup names it", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await output(next(file));
  fs.truncateSync(`${file}.cursors`, 20_000);
  for (const command of [next(file), ["backup", `${file}.copy`, "-f", file]]) {
    const { exitCode, stderr } = await run(command);
    expect(stderr).toContain(`Cannot use ${file}.cursors: `);
    expect(exitCode).toBe(65);
  }
});

test("a watch ends when its file is overwritten", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await output(next(file));
  const watch = spawn(["cursor", "watch", "--cursor", "alice", "-f", file]);
  const shown = watch.stdout.pipeThrough(new TextDecoderStream()).getReader();
  expect((await shown.read()).value).toBe("1\n");
  fs.writeFileSync(`${file}.cursors`, Buffer.alloc(20_480, 0x5a));
  expect(await watch.exited).toBe(65);
});

test("a name that begins with white space is that of its own file", async () => {
  using folder = temporaryFolder();
  const options = { cwd: folder.path };
  for (const file of ["real", " real", "\treal"]) await run(["n", "-f", file], options);
  for (const [file, value] of [
    ["real", 1],
    ["real", 1],
    ["real", 2],
    [" real", 1],
    ["\treal", 1],
  ] as const)
    expect((await run(next(file), options)).stdout).toBe(`${value}\n`);
});

test("restore and backup refuse what can be no cursor file, and the names of what is copied", async () => {
  using folder = temporaryFolder();
  const options = { cwd: folder.path };
  await run(next("cursor"), options);
  expect((await run(["backup", "copy", "-f", "cursor"], options)).exitCode).toBe(0);
  for (const file of ["new/", "new/.", "."]) {
    const { exitCode, stderr } = await run(["restore", "copy", "-f", file], options);
    expect([exitCode, stderr]).toEqual([65, expect.stringContaining("it is a folder")]);
  }
  const { exitCode } = await run(["backup", "cursor", "-f", "cursor"], options);
  expect(exitCode).toBe(2);
  const names = fs.readdirSync(folder.path).filter((name) => !/-(?:wal|shm)$/.test(name));
  expect(names.toSorted()).toEqual(["copy", "cursor.cursors"]);
});
