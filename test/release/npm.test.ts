/**
 * The packages for npm, got as people get them: from a registry, by npm, npx and bunx. What is started by the launcher's
 * name is the program itself, and where there is none, what to do is said.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import { bareRoot, withBareRoot } from "../bare-root.ts";
import { BINARY, isWorking, requireTool, run, type Start, startServer, temporaryFolder } from "../binary.ts";
import { Terminal, withTmux } from "../terminal.ts";
import { PLATFORMS, VERSION } from "./artefacts.ts";
import { manifestOf, type Registry, startRegistry, tarballOf } from "./registry.ts";

// npm unpacks 119 MB each time.
setDefaultTimeout(900_000);

const HERE = `linux-${process.arch}`;
const PROGRAM = `node_modules/@fibserver/${HERE}/bin/fibserver`;
const hasNpm = isWorking(["npm", "--version"]);
const withNpm = requireTool(["npm", "--version"], "apt-get install npm");

let registry: Registry;
/** Where npm has installed `fibserver`. */
let project: ReturnType<typeof temporaryFolder>;
let installed: { readonly exitCode: number; readonly fetched: readonly string[] };

beforeAll(async () => {
  if (!hasNpm) return;
  registry = startRegistry();
  project = temporaryFolder();
  const { exitCode } = await npm(["install", "fibserver"], project.path);
  installed = { exitCode, fetched: registry.fetched() };
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  project?.[Symbol.dispose]();
});

const inProject = (name: string) => path.join(project.path, name);
const launcher = () => inProject("node_modules/.bin/fibserver");

/** What a package manager is told: where the packages are, and to keep what it keeps in a folder of the test's. */
const environment = () => ({
  HOME: project.path,
  TMPDIR: project.path,
  npm_config_registry: registry.url,
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
});

const npm = (args: readonly string[], cwd: string, env: Record<string, string> = {}) =>
  run(args, { binary: "npm", cwd, env: { ...environment(), ...env } });

test("the packages hold what they should and nothing else, of one version", () => {
  for (const platform of PLATFORMS) {
    const [os, cpu, libc = "glibc"] = platform.split("-");
    const manifest = manifestOf(tarballOf(`@fibserver/${platform}`));
    expect(manifest).toMatchObject({ version: VERSION, os: [os], cpu: [cpu], libc: [libc], license: "MIT" });
    expect(Object.keys(manifest).filter((key) => /dependencies|scripts|private|^bin/i.test(key))).toEqual([]);
    expect(listingOf(tarballOf(`@fibserver/${platform}`))).toEqual([
      "-rw-r--r-- 0/0 LICENSE",
      "-rw-r--r-- 0/0 README.md",
      "-rw-r--r-- 0/0 THIRD-PARTY.txt",
      "-rw-r--r-- 0/0 package.json",
      "-rwxr-xr-x 0/0 bin/fibserver",
    ]);
  }
  const manifest = manifestOf(tarballOf("fibserver"));
  const optional = Object.fromEntries(PLATFORMS.map((each) => [`@fibserver/${each}`, VERSION]));
  expect(manifest).toMatchObject({
    version: VERSION,
    optionalDependencies: optional,
    engines: { node: ">=18" },
  });
  expect(Object.keys(manifest).filter((key) => /^dependencies|scripts|private/i.test(key))).toEqual([]);
  expect(manifestOf(tarballOf("@fibserver/client"))).toEqual(
    JSON.parse(fs.readFileSync(path.resolve(BINARY, "../client/package.json"), "utf8")) as never,
  );
});

withNpm("npm install takes the package for this machine, and the command is its program", async () => {
  expect(installed).toEqual({ exitCode: 0, fetched: [`@fibserver/${HERE}`, "fibserver"] });
  const said = await run(["--version"], { binary: launcher() });
  expect(said.stdout).toMatch(new RegExp(`^${RegExp.escape(VERSION)}\\s`));
  const start = { binary: launcher(), cwd: project.path };
  await using server = await startServer(["-f", inProject("served"), "--max-index", "1000"], start);
  expect(fs.readlinkSync(`/proc/${server.pid}/exe`)).toBe(fs.realpathSync(inProject(PROGRAM)));
  const words = fs.readFileSync(`/proc/${server.pid}/cmdline`, "utf8").split("\0").slice(1, -1);
  expect(words).toEqual(["-p", "0", "-f", inProject("served"), "--max-index", "1000"]);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  expect(server.log()).toContain("asked to by a signal");
});

for (const [how, under] of [
  ["by its name", []],
  ["by node, as Yarn starts it", ["node"]],
] as const) {
  withNpm(`${how} the program gets its words, pipes and environment, and its end is told`, async () => {
    const cwd = inProject(how.slice(0, 7));
    fs.mkdirSync(cwd);
    const env = { FIBSERVER_FILE: "a cursor; $(x)" };
    const launched: Start = { binary: launcher(), under, cwd, env };
    expect(await run(["-i"], { ...launched, stdin: "n\nn\nn\n" })).toMatchObject({ stderr: "", exitCode: 0 });
    expect(await run(["c"], launched)).toEqual({ stdout: "2\n", stderr: "", exitCode: 0 });
    expect(fs.readdirSync(cwd)).toContain(env.FIBSERVER_FILE);
    for (const wrong of [
      ["cursor", "set", "", "a b", "*"],
      ["n", "--max-index", "x\ny"],
      ["index", "4"],
    ])
      expect(await run(wrong, launched)).toEqual(await run(wrong, { cwd, env }));
    const line = `"$@" seq 100000 | head -n 1; echo "\${PIPESTATUS[*]}"`;
    const inBash = { binary: "bash", cwd };
    expect(await run(["-c", line, "bash", ...under, launcher()], inBash)).toEqual(
      await run(["-c", line, "bash", BINARY], inBash),
    );
    await using server = await startServer(["-f", "served"], launched);
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
    expect(server.log()).toContain("asked to by a signal");
    await using quit = await startServer(["-f", "served"], launched);
    quit.kill("SIGUSR2");
    expect(await quit.ended()).toBe(128 + constants.signals.SIGUSR2);
    await using hung = await startServer(["-f", "served"], launched);
    const [child] = childrenOf(hung.pid);
    process.kill(child ?? hung.pid, "SIGKILL");
    expect(await hung.ended()).toBe(137);
  });

  withTmux(`${how} it is ended by ^C in a terminal, and its shell sees by what`, async () => {
    await using terminal = new Terminal(project.path);
    terminal.type(`clear; ${[...under, "node_modules/.bin/fibserver"].join(" ")} fib 2000000000`);
    await terminal.shows(/\[=*-+\] +\d+%/);
    terminal.press("C-c");
    expect(await terminal.status()).toBe(130);
  });
}

withNpm("npx and bunx fetch it and move the cursor", async () => {
  const programs = [
    ["npx", "--yes"],
    [process.execPath, "x"],
  ] as const;
  for (const [index, [binary, argument]] of programs.entries()) {
    using folder = temporaryFolder();
    const env = { ...environment(), FIBSERVER_FILE: inProject("npx-cursor") };
    const moved = await run([argument, "fibserver", "n", "n"], { binary, cwd: folder.path, env });
    const stdout = ["1\n1\n", "2\n3\n"][index]!;
    expect({ binary, ...moved }).toMatchObject({ binary, stdout, exitCode: 0 });
  }
});

// What the client does, and its types, are tested where it is: test/client/runtimes.test.ts.
withNpm("npm install @fibserver/client gets what was built, with nothing beside it", async () => {
  using folder = temporaryFolder();
  expect(await npm(["install", "@fibserver/client"], folder.path)).toMatchObject({ exitCode: 0 });
  const modules = path.join(folder.path, "node_modules");
  expect(fs.readdirSync(modules).toSorted()).toEqual([".package-lock.json", "@fibserver"]);
  const got = path.join(modules, "@fibserver/client");
  const built = path.resolve(BINARY, "../client");
  expect(fs.readdirSync(got).toSorted()).toEqual(fs.readdirSync(built).toSorted());
  for (const name of fs.readdirSync(built))
    expect(fs.readFileSync(path.join(got, name)).equals(fs.readFileSync(path.join(built, name)))).toBe(true);
  const code = `import { FibClient } from "@fibserver/client"; console.log(typeof new FibClient("http://127.0.0.1:1").fibonacci)`;
  const imported = await run(["--input-type=module", "-e", code], { binary: "node", cwd: folder.path });
  expect(imported).toEqual({ stdout: "function\n", stderr: "", exitCode: 0 });
});

withNpm("npm takes one package for each machine, and none for another system", async () => {
  for (const [options, taken] of [
    [["--cpu=x64", "--libc=musl"], ["@fibserver/linux-x64-musl"]],
    [["--cpu=arm64", "--libc=musl"], ["@fibserver/linux-arm64-musl"]],
    [["--os=darwin", "--cpu=arm64"], []],
  ] as const) {
    using folder = temporaryFolder();
    const tried = await npm(["install", "fibserver", "--dry-run", "--json", ...options], folder.path);
    const json = tried.stdout.slice(tried.stdout.indexOf("{"));
    const { add } = JSON.parse(json) as { add: { name: string }[] };
    const names = add.map(({ name }) => name).toSorted();
    expect({ options, names }).toEqual({ options, names: [...taken, "fibserver"] });
  }
});

withNpm("without its program it says what to do", async () => {
  using folder = temporaryFolder();
  expect(await npm(["install", "fibserver", "--omit=optional"], folder.path)).toMatchObject({ exitCode: 0 });
  const binary = path.join(folder.path, "node_modules/.bin/fibserver");
  const missing = await run(["n"], { binary, cwd: folder.path });
  expect(missing).toMatchObject({ stdout: "", exitCode: 69 });
  expect(missing.stderr).toMatch(/^fibserver: .* npm install --include=optional fibserver\n$/);
  expect(await run(["n"], { binary, cwd: folder.path, under: ["node"] })).toEqual(missing);
  for (const [system, processor, bits] of [
    ["Darwin", "arm64", "64"],
    ["Linux", "armv7l", "32"],
    ["Linux", "aarch64", "32"],
  ]) {
    for (const [name, line] of [
      ["uname", `[ "$1" = -s ] && echo ${system} || echo ${processor}`],
      ["getconf", `echo ${bits}`],
    ] as const)
      fs.writeFileSync(path.join(folder.path, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    const PATH = `${folder.path}:${process.env["PATH"]}`;
    const refused = await run(["n"], { binary, cwd: folder.path, env: { PATH } });
    expect(refused).toMatchObject({ stdout: "", exitCode: 69 });
    expect(refused.stderr).toContain(`has no program for this machine (${system} ${processor}`);
    expect(refused.stderr).toContain("It needs Linux of 64 bit");
  }
});

const at = (platform: string) => `/app/node_modules/@fibserver/${platform}/bin/fibserver`;

/** For what cannot run here: the loader's place is enough for the launcher, and the program says that it was started. */
const standIn = (root: ReturnType<typeof bareRoot>, place: string, line: string) => {
  fs.mkdirSync(path.dirname(path.join(root.path, place)), { recursive: true });
  fs.writeFileSync(path.join(root.path, place), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
};

withBareRoot("of packages for two C libraries the one that runs is taken, and none that cannot", async () => {
  const LOADERS = { x64: ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"] };
  const [glibc, musl] =
    process.arch === "x64" ? LOADERS.x64 : ["/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"];
  const launch = "/app/node_modules/fibserver/bin/fibserver";
  const source = path.resolve(import.meta.dir, "../../packages/npm/fibserver");
  const started = { stdout: VERSION, exitCode: 0 };
  {
    using root = bareRoot({ programs: [BINARY], busybox: true });
    root.add(source, launch);
    root.add(BINARY, at(HERE));
    standIn(root, at(`${HERE}-musl`), "echo musl");
    // No loader of musl's: it is not even tried. With one glibc's comes first.
    for (const loader of [undefined, musl!]) {
      if (loader !== undefined) standIn(root, loader, "");
      const said = await root.run([launch, "--version"], { user: 0 });
      expect({ ...said, stdout: said.stdout.split(/\s/)[0] }).toMatchObject(started);
    }
    // As on Alpine with gcompat, by which the other one does not run.
    fs.rmSync(path.join(root.path, at(HERE)));
    standIn(root, at(HERE), "exit 127");
    expect(await root.run([launch, "--version"], { user: 0 })).toMatchObject({
      stdout: "musl\n",
      exitCode: 0,
    });
    // Neither.
    standIn(root, at(`${HERE}-musl`), "echo 'Error loading shared library libstdc++.so.6' >&2; exit 127");
    const refused = await root.run([launch, "n"], { user: 0 });
    expect(refused).toMatchObject({ stdout: "", exitCode: 69 });
    expect(refused.stderr).toContain("Error loading shared library libstdc++.so.6");
    expect(refused.stderr).toContain("apk add libstdc++");
    // Installed on a machine of another kind.
    fs.rmSync(path.join(root.path, glibc!));
    fs.rmSync(path.join(root.path, musl!));
    expect((await root.run([launch, "n"], { user: 0 })).stderr).toContain("Install it on this machine");
  }
});

/** The files of a tarball with modes and owners, sorted. */
function listingOf(tarball: string): string[] {
  const { stdout } = Bun.spawnSync(["tar", "-tvzf", tarball]);
  const lines = stdout.toString().trimEnd().split("\n");
  return lines.map((line) => line.replace(/^(\S+ \S+) .* package\/(\S+)$/, "$1 $2")).toSorted();
}

function childrenOf(pid: number): number[] {
  return fs
    .readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);
}
