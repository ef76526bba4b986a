/** The shell keeps its contract as a program: what goes to stdout, to stderr, and the exit status. */
import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  output,
  requires,
  requireTool,
  run,
  runInShell,
  spawn,
  startServer,
  strace,
  temporaryFolder,
  until,
  withStrace,
} from "./binary.ts";

setDefaultTimeout(300_000);

const withFlock = requireTool(["flock", "--version"], "apt-get install util-linux");
const withScript = requireTool(["script", "--version"], "apt-get install bsdutils");
const withPython = requireTool(
  ["python3", "-c", "import fcntl; fcntl.F_GETPIPE_SZ"],
  "apt-get install python3",
);
const withTwoCpus = requires(os.availableParallelism() >= 2, "it takes a machine with two CPUs");

test("fibserver n prints 1 1 2 3 5 from the start, c the same number again, p the one before", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  for (const value of ["1", "1", "2", "3", "5"]) expect(await output(["-f", file, "n"])).toBe(`${value}\n`);
  expect(await output(["-f", file, "c"])).toBe("5\n");
  expect(await output(["-f", file, "p"])).toBe("3\n");
});

test("fibserver creates a missing file at 0", async () => {
  using folder = temporaryFolder();
  expect(await output(["-f", path.join(folder.path, "cursor"), "c"])).toBe("0\n");
});

test("fibserver makes several moves in the order given", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  expect(await output(["n", "n", "n", "n", "p", "-f", file, "c"])).toBe("1\n1\n2\n3\n2\n2\n");
});

test("fibserver p at the start prints nothing, says why and exits 1", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  expect(await run(["-f", file, "p"])).toEqual({
    stdout: "",
    stderr: "fibserver: Cannot move back: the cursor is at index 0, the start of the sequence\n",
    exitCode: 1,
  });
  expect(await output(["-f", file, "c"])).toBe("0\n");
});

test("fibserver n at the last 64-bit value prints nothing, says why and exits 1", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  expect(await output(["cursor", "set", "92", "-f", file])).toBe("7540113804746346429\n");
  const { stdout, stderr, exitCode } = await run(["-f", file, "n"]);
  expect(stdout).toBe("");
  expect(stderr).toContain("index 92");
  expect(stderr).toContain("--max-index");
  expect(exitCode).toBe(1);
  expect(await output(["-f", file, "--max-index", "93", "n"])).toBe("12200160415121876738\n");
});

test("fibserver keeps the moves before the one that it cannot make", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const { stdout, exitCode } = await run(["-f", file, "n", "p", "p", "n"]);
  expect(stdout).toBe("1\n0\n");
  expect(exitCode).toBe(1);
  expect(await output(["-f", file, "c"])).toBe("0\n");
});

test("fibserver --json prints the body that the server would send", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  expect(await output(["-f", file, "--json", "n", "c"])).toBe(
    '{"value":"1","status":"200"}\n{"value":"1","status":"200"}\n',
  );
});

test("fibserver makes the moves after the first long value too, and prints each as it was asked to", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const flags = ["-f", file, "--max-index", "300000"];
  const indexes = [199_999, 200_000, 200_001, 200_000];
  const values = await Promise.all(indexes.map((index) => output(["fib", String(index)])));
  for (const [json, lines] of [
    [[], values],
    [["--json"], values.map((value) => `{"value":"${value.trimEnd()}","status":"200"}\n`)],
  ] as const) {
    await output(["cursor", "set", "199998", ...flags]);
    expect(await output(["n", "n", "n", "p", ...flags, ...json])).toBe(lines.join(""));
    expect(await output(["c", ...flags, ...json])).toBe(lines.at(-1)!);
  }
});

test("fibserver says where the cursor is when there is no room for all of the long values", async () => {
  using folder = temporaryFolder();
  const flags = ["--max-index", "300000", "-f", path.join(folder.path, "cursor")];
  await output(["cursor", "set", "199999", ...flags]);
  for (const [kilobytes, letters, where] of [
    [60, "n c", "The cursor stays at index 200000"],
    [60, "n p", "The cursor has moved to index 200000"],
    [30, "c n", "The cursor stays at index 200000"],
  ] as const) {
    // Each value has 41.8 kB.
    const line = `ulimit -f ${kilobytes}; $FIBSERVER ${letters} ${flags.join(" ")} >out`;
    const { stderr, exitCode } = await runInShell(line, folder.path);
    expect({ letters, exitCode }).toEqual({ letters, exitCode: 74 });
    expect(stderr).toContain(where);
  }
});

withStrace("fibserver n keeps to one CPU when the environment says so", async () => {
  using folder = temporaryFolder();
  const trace = path.join(folder.path, "trace");
  for (const [env, isKept] of [
    [{ FIBSERVER_ONE_CPU: "1" }, true],
    [{}, false],
  ] as const) {
    const under = strace(trace, "sched_setaffinity");
    await output(["-f", path.join(folder.path, "cursor"), "n"], { under, env });
    expect(fs.readFileSync(trace, "latin1").includes("sched_setaffinity(")).toBe(isKept);
  }
});

withPython(
  "fibserver prints everything into a pipe that somebody has made non-blocking, and that is read late",
  async () => {
    // Of its first write no more than what the pipe holds has gone out when somebody begins to read.
    const reader = `
import fcntl, os, struct, subprocess, sys, termios, time
read, write = os.pipe()
os.set_blocking(write, False)
child = subprocess.Popen(sys.argv[1:], stdout=write)
waiting = lambda: struct.unpack("i", fcntl.ioctl(read, termios.FIONREAD, b"0000"))[0]
while child.poll() is None and waiting() < fcntl.fcntl(read, fcntl.F_GETPIPE_SZ): time.sleep(0.001)
os.close(write)
sys.stdout.write(open(read).read())
sys.exit(child.wait())`;
    const under = ["python3", "-c", reader];
    expect(await output(["fib", "1000000"], { under })).toBe(await output(["fib", "1000000"]));
  },
);

test("fibserver -i answers each line before the next one is written", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using child = spawn(["-i", "-f", file]);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const ask = async (letter: string) => {
    await child.stdin.write(`${letter}\n`);
    await child.stdin.flush();
    return (await reader.read()).value;
  };
  for (const answer of ["1\n", "1\n", "2\n"]) expect(await ask("n")).toBe(answer);
  expect(await ask("c")).toBe("2\n");
  // Nothing is locked in between: somebody else may move it.
  expect(await output(["-f", file, "n"])).toBe("3\n");
  expect(await ask("c")).toBe("3\n");
  expect(await ask("p")).toBe("2\n");
  expect(await ask("h")).toContain("q quit");
  await child.stdin.write("q\n");
  await child.stdin.flush();
  expect(await child.exited).toBe(0);
});

test("fibserver -i goes on after what cannot be done, and ends with its input", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const { stdout, stderr, exitCode } = await run(["-i", "-f", file], { stdin: "p\nx\nn n\n\nc" });
  expect(stdout).toBe("1\n1\n1\n");
  expect(stderr).toContain("Cannot move back");
  expect(stderr).toContain("'x' is none of the letters");
  expect(exitCode).toBe(0);
});

withScript("fibserver -i prompts on a terminal", async () => {
  using folder = temporaryFolder();
  const line = `printf 'n\\nq\\n' | script -qec "$FIBSERVER -i -f cursor" /dev/null`;
  const { stdout, exitCode } = await runInShell(line, folder.path);
  expect(Bun.stripANSI(stdout)).toMatch(/fib> [^]*1\r?\n[^]*fib> /);
  expect(exitCode).toBe(0);
});

test("fibserver keeps the cursor under XDG_STATE_HOME, or under HOME, when no file is named", async () => {
  using folder = temporaryFolder();
  const state = path.join(folder.path, "state");
  const env = { XDG_STATE_HOME: state, HOME: path.join(folder.path, "home") };
  expect(await output(["n"], { env })).toBe("1\n");
  expect(fs.existsSync(path.join(state, "fibserver", "cursor"))).toBe(true);
  expect(await output(["n"], { env: { HOME: env.HOME } })).toBe("1\n");
  expect(fs.existsSync(path.join(env.HOME, ".local", "state", "fibserver", "cursor"))).toBe(true);
});

test("fibserver takes a flag over the environment, and the environment over the default", async () => {
  using folder = temporaryFolder();
  const [named, other] = ["named", "other"].map((name) => path.join(folder.path, name));
  const env = { FIBSERVER_FILE: other!, FIBSERVER_MAX_INDEX: "1" };
  expect(await output(["n"], { env })).toBe("1\n");
  expect(fs.readdirSync(folder.path)).toEqual(["other"]);
  expect((await run(["n"], { env })).exitCode).toBe(1);
  expect(await output(["--max-index", "2", "n"], { env })).toBe("1\n");
  expect(await output(["-f", named!, "n"], { env })).toBe("1\n");
  expect(fs.readdirSync(folder.path).toSorted()).toEqual(["named", "other"]);
});

test("fibserver exits 74 when the output cannot be written, and says what is done", async () => {
  using folder = temporaryFolder();
  const cases = [
    ["$FIBSERVER -f a c >/dev/full", "The cursor stays at index 0"],
    ["$FIBSERVER -f a n >/dev/full", "The cursor has moved to index 1"],
    ["$FIBSERVER -f a p n >/dev/full", "The cursor has moved to index 0"],
    ["$FIBSERVER cursor set 7 -f a >/dev/full", "The cursor has moved to index 7"],
    ["$FIBSERVER -f a -i >/dev/full <<<'n'", "The cursor has moved to index 8"],
    [
      "$FIBSERVER n --cursor b -f a && $FIBSERVER cursor remove --cursor b -f a >/dev/full",
      "Cursor b is removed",
    ],
    ["$FIBSERVER backup copy -f a >/dev/full", "The copy is made"],
    ["$FIBSERVER restore copy -f b --json >/dev/full", "The copy is put back"],
  ] as const;
  for (const [line, where] of cases) {
    const { stderr, exitCode } = await runInShell(line, folder.path);
    expect({ line, exitCode, stderr }).toMatchObject({ line, exitCode: 74 });
    expect(stderr).toContain(where);
  }
});

test("fibserver takes nothing from .env and bunfig.toml in the folder where it is started", async () => {
  using folder = temporaryFolder();
  const write = (name: string, text: string) => fs.writeFileSync(path.join(folder.path, name), text);
  write(".env", "FIBSERVER_FILE=hijacked\nFIBSERVER_PORT=1\nFIBSERVER_MAX_INDEX=0\n");
  write("bunfig.toml", 'preload = ["./evil.ts"]\n');
  write("evil.ts", 'require("node:fs").writeFileSync("evil-ran", "");\n');
  write("preload.ts", 'require("node:fs").writeFileSync("evil-ran", "");\n');
  const start = { cwd: folder.path, env: { PORT: "1" } };
  expect(await output(["-f", "cursor", "n"], start)).toBe("1\n");
  {
    await using server = await startServer(["-f", "cursor"], start);
    expect(await (await fetch(`${server.url}/api0/next`)).text()).toBe('{"value":"1","status":"200"}');
  }
  // It may start or refuse to; the code must not run.
  for (const options of ["--preload ./preload.ts", "--preload=./preload.ts", "-r ./preload.ts"]) {
    await run(["-f", "cursor", "c"], { cwd: folder.path, env: { BUN_OPTIONS: options } });
  }
  expect(fs.readdirSync(folder.path).toSorted()).toEqual([
    ".env",
    "bunfig.toml",
    "cursor",
    "evil.ts",
    "preload.ts",
  ]);
});

test("FIBSERVER_MAX_CURSORS is looked at where cursors have names, and nowhere else", async () => {
  using folder = temporaryFolder();
  const start = { cwd: folder.path, env: { FIBSERVER_MAX_CURSORS: "x" } };
  expect(await output(["n", "-f", "cursor"], start)).toBe("1\n");
  expect(await output(["cursor", "show", "-f", "cursor"], start)).toContain("index: 1\n");
  const named = await run(["n", "-f", "cursor", "--cursor", "alice"], start);
  expect(named.exitCode).toBe(2);
  expect(named.stderr).toContain("Cannot use 'x' for FIBSERVER_MAX_CURSORS");
  const few = { cwd: folder.path, env: { FIBSERVER_MAX_CURSORS: "1" } };
  expect(await output(["n", "-f", "cursor", "--cursor", "alice"], few)).toBe("1\n");
  const tooMany = await run(["n", "-f", "cursor", "--cursor", "bob"], few);
  expect(tooMany.exitCode).toBe(75);
  expect(tooMany.stderr).toContain("there are as many cursors as may be (1); remove one");
});

test("fibserver cursor inspect shows both copies and changes nothing", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await output(["-f", file, "n", "n", "n"]);
  const before = fs.readFileSync(file);
  expect(await output(["cursor", "inspect", "-f", file])).toMatch(
    /8192 bytes\n.*index [23]\n.*index [23]\n$/,
  );
  const { copies } = JSON.parse(await output(["cursor", "inspect", "--json", "-f", file])) as {
    copies: { valid: boolean; index: number }[];
  };
  expect(copies.map(({ valid, index }) => ({ valid, index }))).toContainEqual({ valid: true, index: 3 });
  expect(fs.readFileSync(file)).toEqual(before);
});

test("fibserver cursor inspect tells how many cursors with names there are, with and without a default one", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  for (const name of ["alice", "bob"]) await output(["n", "-f", file, "--cursor", name]);
  const named = `${file}.cursors: 2 with names, and 0 of clients\n`;
  expect(await output(["cursor", "inspect", "-f", file])).toBe(`${file}: no file yet\n${named}`);
  expect(JSON.parse(await output(["cursor", "inspect", "--json", "-f", file]))).toEqual({
    file,
    named: { file: `${file}.cursors`, cursorCount: 2, clientCount: 0, faults: [] },
  });
  await output(["n", "-f", file]);
  const told = await output(["cursor", "inspect", "-f", file]);
  expect(told).toContain("first copy: ");
  expect(told).toEndWith(named);
  // It has left no file of its own; while somebody uses the file there are more.
  expect(fs.readdirSync(folder.path).toSorted()).toEqual(["cursor", "cursor.cursors"]);
  await using server = await startServer(["-f", file]);
  await fetch(`${server.url}/v1/cursors/carol/next`, { method: "POST" });
  expect(await output(["cursor", "inspect", "-f", file])).toContain(".cursors: 3 with names");
});

test("fibserver cursor inspect tells what can be saved of cursors with names that are damaged", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const namedFile = `${file}.cursors`;
  await output(["n", "-f", file]);
  await output(["cursor", "set", "7", "-f", file, "--cursor", "alice"]);
  const whole = fs.readFileSync(namedFile);
  // The page of an index; the last pages hold what the file holds besides cursors.
  const torn = Buffer.from(whole);
  const pages = Array.from({ length: torn.length / 4096 }, (_, page) => page * 4096);
  for (const start of pages.slice(2)) torn.fill(0x55, start, start + 4096);
  fs.writeFileSync(namedFile, torn);
  const { stdout, stderr, exitCode } = await run(["cursor", "inspect", "-f", file]);
  expect(exitCode).toBe(65);
  expect(stdout).toContain(`${namedFile}: 1 with names, and 0 of clients can be read\nbad: `);
  expect(stdout).toEndWith("alice: index 7\n");
  expect(stderr).toContain(`Cannot use ${namedFile} as it is: move it away`);
  const json = await run(["cursor", "inspect", "--json", "-f", file]);
  expect(JSON.parse(json.stdout)).toMatchObject({ named: { cursors: [{ name: "alice", index: 7 }] } });
  expect(JSON.parse(json.stderr)).toMatchObject({ code: "cursor_damaged" });
  // Nothing of it can be read; the default cursor is shown all the same.
  fs.writeFileSync(namedFile, "no database");
  const hopeless = await run(["cursor", "inspect", "-f", file]);
  expect(hopeless).toMatchObject({ exitCode: 65, stderr: expect.stringContaining(namedFile) as string });
  expect(hopeless.stdout).toContain("first copy: ");
  // What is not ours to read is told as a move tells it.
  fs.writeFileSync(namedFile, whole);
  {
    using db = new Database(namedFile);
    db.run("PRAGMA user_version = 99");
  }
  const newer = await run(["cursor", "inspect", "-f", file]);
  const { exitCode: moveExitCode } = await run(["n", "-f", file, "--cursor", "alice"]);
  expect([newer.exitCode, moveExitCode]).toEqual([74, 74]);
  expect(newer.stderr).toContain("a newer fibserver wrote it");
});

test("fibserver cursor export writes a Go server's file, and such a file is taken over", async () => {
  using folder = temporaryFolder();
  const start = { cwd: folder.path };
  await output(["cursor", "set", "7", "-f", "cursor"], start);
  await output(["cursor", "export", "--go", "cursor", "old"], start);
  const old = Buffer.alloc(16);
  old.writeBigInt64BE(8n, 0);
  old.writeBigInt64BE(13n, 8);
  expect(fs.readFileSync(path.join(folder.path, "old"))).toEqual(old);
  expect((await run(["cursor", "export", "--go", "cursor", "old"], start)).stderr).toContain("it exists");
  // A name is shown so that it does nothing to a terminal.
  expect(await output(["cursor", "export", "--go", "cursor", "new\u001B[31m"], start)).toBe(
    "index 7 written to new\\033[31m\n",
  );
  const { stdout, stderr, exitCode } = await run(["-f", "old", "n"], start);
  expect(stdout).toBe("21\n");
  expect(stderr).toContain("taken over at index 7");
  expect(exitCode).toBe(0);
  expect(fs.readFileSync(path.join(folder.path, "old.go16"))).toEqual(old);
});

test("fibserver exits 65 on a file that is no cursor file, and leaves it alone", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  for (const bytes of ["", "hello", "x".repeat(16), "x".repeat(8192), "x".repeat(9000)]) {
    fs.writeFileSync(file, bytes);
    for (const args of [["n"], ["c"], ["-p", "0"], ["cursor", "inspect"], ["cursor", "set", "1"]]) {
      const { stdout, stderr, exitCode } = await run([...args, "-f", file]);
      expect({ args, size: bytes.length, exitCode }).toEqual({ args, size: bytes.length, exitCode: 65 });
      expect(stderr).toContain("fibserver: Cannot use");
      if (args[1] !== "inspect") expect(stdout).toBe("");
    }
    expect(fs.readFileSync(file, "latin1")).toBe(bytes);
  }
  expect(fs.readdirSync(folder.path)).toEqual(["cursor"]);
});

test("fibserver exits 65 on a link, a folder, a FIFO and a device, without waiting", async () => {
  using folder = temporaryFolder();
  await output(["-f", path.join(folder.path, "real"), "c"]);
  const made = await runInShell(
    "ln -s real link; ln -s nowhere dangling; mkdir folder; mkfifo fifo",
    folder.path,
  );
  expect(made.exitCode).toBe(0);
  for (const name of ["link", "dangling", "folder", "fifo", "/dev/null", "/dev/zero"]) {
    const { stdout, stderr, exitCode } = await run(["-f", name, "n"], { cwd: folder.path });
    expect({ name, stdout, exitCode }).toEqual({ name, stdout: "", exitCode: 65 });
    expect(stderr).toContain("Nothing was changed");
  }
});

withFlock("fibserver exits 75 while another process holds the lock, and moves once it is gone", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await output(["-f", file, "n"]);
  await using holder = Bun.spawn(["flock", "--no-fork", file, "sh", "-c", "echo locked; exec sleep 3600"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await holder.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
  for (const letter of ["n", "c"]) {
    const { stdout, stderr, exitCode } = await run(["-f", file, "--lock-timeout", "0.2", letter]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 75 });
    expect(stderr).toContain("another process has held it for 200 ms; try again");
  }
  // Longer than it takes to get there.
  const patient = ["-f", file, "--lock-timeout", "300", "n"];
  await using interrupted = spawn(patient);
  interrupted.kill("SIGINT");
  expect(await interrupted.exited).toBe(130);
  const waiting = run(patient);
  holder.kill("SIGKILL");
  expect(await waiting).toEqual({ stdout: "1\n", stderr: "", exitCode: 0 });
});

withTwoCpus("fibserver -t keeps every thread on one CPU, also those that start later", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-t", "-f", path.join(folder.path, "cursor")]);
  await Promise.all(Array.from({ length: 50 }, () => fetch(`${server.url}/api0/next`)));
  const cpus = cpusOf(server.pid);
  expect(new Set(cpus).size).toBe(1);
  expect(cpus[0]).toMatch(/^\d+$/);
  await using other = await startServer(["-f", path.join(folder.path, "cursor")]);
  expect(cpusOf(other.pid)[0]).not.toMatch(/^\d+$/);
});

test("fibserver without letters serves, and SIGINT ends it with 0", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "-d"]);
  expect((await fetch(`${server.url}/api0/current`)).status).toBe(200);
  await until("the request is logged", () => server.log().includes('"path":"/api0/current"'));
  server.kill("SIGINT");
  expect(await server.ended()).toBe(0);
});

/** The CPUs that each thread of a process may run on, as the kernel lists them. */
function cpusOf(pid: number): string[] {
  return fs
    .readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => {
      try {
        return [fs.readFileSync(`/proc/${pid}/task/${thread}/status`, "latin1")];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    })
    .map((status) => /Cpus_allowed_list:\s*(.*)/.exec(status)![1]!);
}
