/** `fibserver fib|fact|ack|index|seq` as programs: what goes to stdout, a file, a terminal, and how they end. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import reference from "./vectors/reference.json";
import {
  output,
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
import { sha256 } from "./oracle.ts";

setDefaultTimeout(300_000);

const withScript = requireTool(["script", "--version"], "apt-get install bsdutils");
const withPrlimit = requireTool(["prlimit", "--version"], "apt-get install util-linux");

/** Takes a minute or more, in half a gigabyte. */
const LONG = ["fact", "60000000"];

test("each command prints the number and a newline, and with --json what the server answers", async () => {
  for (const [line, text, json] of [
    ["fib 0", "0", `{"n":"0","digits":1,"value":"0"}`],
    ["fib 100", "354224848179261915075", `{"n":"100","digits":21,"value":"354224848179261915075"}`],
    ["fact 20", "2432902008176640000", `{"n":"20","digits":19,"value":"2432902008176640000"}`],
    ["ack 3 10", "8189", `{"m":"3","n":"10","digits":4,"value":"8189"}`],
    ["ack 4 1", "65533", `{"m":"4","n":"1","digits":5,"value":"65533"}`],
    ["index 144", "12", `{"value":"144","index":"12"}`],
    ["seq 5", "0\n1\n1\n2\n3", `["0","1","1","2","3"]`],
    ["seq 10..12", "55\n89\n144", `["55","89","144"]`],
    ["seq 7..7", "13", `["13"]`],
  ] as const) {
    expect(await output(line.split(" "))).toBe(`${text}\n`);
    expect(await output([...line.split(" "), "--json"])).toBe(`${json}\n`);
  }
  expect(await output(["seq", "0"])).toBe("");
  expect(await output(["seq", "0", "--json"])).toBe("[]\n");
  // An argument has one spelling in the answer, whatever was typed.
  expect(await output(["fib", "007", "--json"])).toBe(`{"n":"7","digits":2,"value":"13"}\n`);
});

test("long numbers and sequences have the digests of the reference", async () => {
  for (const n of [10_000, 1_000_000, 10_000_000]) {
    const digits = (await output(["fib", String(n)])).trimEnd();
    expect([n, sha256(digits)]).toEqual([n, reference.fibonacci.find((row) => row.n === n)!.sha256]);
  }
  const factorial = (await output(["fact", "100000"])).trimEnd();
  expect(sha256(factorial)).toBe(reference.factorials.list.find(({ n }) => n === 100_000)!.sha256);
  for (const { m, n, sha256: digest } of reference.ackermann) {
    if (digest === undefined) continue;
    const power = (await output(["ack", String(m), String(n)])).trimEnd();
    expect([m, n, sha256(power)]).toEqual([m, n, digest]);
  }
  for (const { from, count, sha256: digest } of reference.sequences.list.filter(
    (row) => row.count <= 10_000,
  )) {
    const text = await output(["seq", `${from}..${from + count - 1}`]);
    expect([from, sha256(text.replaceAll("\n", " "))]).toEqual([from, digest]);
  }
});

test("fibserver index - finds what fibserver fib has printed", async () => {
  const stdin = await output(["fib", "54321"]);
  expect(await output(["index", "-"], { stdin })).toBe("54321\n");
});

test("-o writes a file, with nothing on stdout, and leaves nothing beside it", async () => {
  using folder = temporaryFolder();
  const start = { cwd: folder.path };
  fs.writeFileSync(path.join(folder.path, "out"), "what was there before");
  for (const [line, text] of [
    ["fib 100", "354224848179261915075\n"],
    ["fact 5 --json", `{"n":"5","digits":3,"value":"120"}\n`],
    ["seq 3", "0\n1\n1\n"],
  ] as const) {
    expect(await output([...line.split(" "), "-o", "out"], start)).toBe("");
    expect(fs.readFileSync(path.join(folder.path, "out"), "latin1")).toBe(text);
  }
  expect(fs.readdirSync(folder.path)).toEqual(["out"]);
});

test("-o follows a link, and writes into what is no file without taking its place", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => path.join(folder.path, name);
  fs.writeFileSync(at("real"), "before");
  fs.symlinkSync("real", at("link"));
  expect(await output(["seq", "3", "-o", at("link")])).toBe("");
  expect(fs.lstatSync(at("link")).isSymbolicLink()).toBe(true);
  expect(fs.readFileSync(at("real"), "latin1")).toBe("0\n1\n1\n");
  const line = "mkfifo pipe; cat pipe & $FIBSERVER seq 3 -o pipe; echo $?; wait; test -p pipe; echo $?";
  expect((await runInShell(line, folder.path)).stdout.split("\n").toSorted().join(" ")).toBe(" 0 0 0 1 1");
  expect(fs.readdirSync(folder.path).toSorted()).toEqual(["link", "pipe", "real"]);
});

withPrlimit("-o appears whole or not at all: a full disk leaves what was there before", async () => {
  using folder = temporaryFolder();
  const out = path.join(folder.path, "out");
  fs.writeFileSync(out, "before");
  const under = ["prlimit", "--fsize=100000"];
  for (const line of ["fib 1000000", "seq 10000"]) {
    const { stderr, exitCode } = await run([...line.split(" "), "-o", out], { under });
    expect({ line, exitCode }).toEqual({ line, exitCode: 74 });
    expect(stderr).toContain("Cannot write");
  }
  expect(fs.readFileSync(out, "latin1")).toBe("before");
  expect(fs.readdirSync(folder.path)).toEqual(["out"]);
});

test("a reader that has seen enough ends it without a word", async () => {
  using folder = temporaryFolder();
  for (const [line, stdout] of [
    ["$FIBSERVER seq 100000 | head -1", "0\n"],
    ["$FIBSERVER seq 100000 | head -c 10", "0\n1\n1\n2\n3\n"],
    ["$FIBSERVER fib 10000000 | head -c 3", "112"],
    ["$FIBSERVER fib 10000000 --json | head -c 4", `{"n"`],
    ["$FIBSERVER fact 100000 | head -c 3", "282"],
  ] as const) {
    const result = await runInShell(`${line}; echo " \${PIPESTATUS[0]}"`, folder.path);
    expect({ line, ...result }).toEqual({ line, stdout: `${stdout} 0\n`, stderr: "", exitCode: 0 });
  }
});

withScript("progress is drawn on a terminal, for long work only, and never into a pipe", async () => {
  using folder = temporaryFolder();
  const onTerminal = async (command: string) =>
    (await runInShell(`script -qec "$FIBSERVER ${command} -o out" /dev/null </dev/null`, folder.path)).stdout;
  expect(await onTerminal("fact 8000000")).toMatch(/8000000! \[.*\] +\d+%/);
  expect(await onTerminal("ack 3 800000000")).toMatch(/A\(3,800000000\) \[.*\] +\d+%/);
  // What takes half a second draws, if only because this machine stood still.
  await until("short work draws nothing", async () => (await onTerminal("fib 100000")) === "");
  const { stdout, stderr } = await runInShell("$FIBSERVER fact 8000000 | wc -c", folder.path);
  expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: "51750369", stderr: "" });
});

test("index - takes white space around the number, and refuses anything else before it has read all of it", async () => {
  for (const stdin of [
    "144",
    " 144\n",
    "\t\n144\r\n\n",
    `${" ".repeat(300_000)}144${"\n".repeat(300_000)}`,
  ]) {
    expect(await output(["index", "-"], { stdin })).toBe("12\n");
  }
  expect(await output(["index", "-", "--json"], { stdin: " 144\n" })).toBe('{"value":"144","index":"12"}\n');
  for (const stdin of ["", " \n", "1 44", "144,", "-144", "0144", "1e3", "\u0664"]) {
    const { stdout, stderr, exitCode } = await run(["index", "-"], { stdin });
    expect({ stdin, stdout, exitCode }).toEqual({ stdin, stdout: "", exitCode: 2 });
    expect(stderr).toMatch(/^fibserver: Cannot find the value: [^\n]+ like 6765[^\n]*\n$/);
  }
  // `yes` would go on for ever.
  using folder = temporaryFolder();
  const endless = await runInShell("yes 12345678901x | $FIBSERVER index -", folder.path);
  expect(endless).toMatchObject({ stdout: "", exitCode: 2 });
  expect(endless.stderr).toContain("after 11 digits comes what is no digit");
});

test("index - with more digits than any number that can be computed says so", async () => {
  using folder = temporaryFolder();
  const line = "head -c 2200000000 /dev/zero | tr '\\0' 9 | $FIBSERVER index -";
  const { stdout, stderr, exitCode } = await runInShell(line, folder.path);
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
  expect(stderr).toMatch(/^fibserver: Cannot find a value of more than 1,200,000,000 digits: [^\n]+\n$/);
});

test("-o - is standard output, and ./- a file", async () => {
  using folder = temporaryFolder();
  const start = { cwd: folder.path };
  for (const [line, text] of [
    ["fib 100", "354224848179261915075\n"],
    ["ack 1 1", "3\n"],
    ["seq 3", "0\n1\n1\n"],
  ] as const) {
    expect(await output([...line.split(" "), "-o", "-"], start)).toBe(text);
    expect(fs.readdirSync(folder.path)).toEqual([]);
  }
  expect(await output(["fib", "10", "-o", "./-"], start)).toBe("");
  expect(fs.readFileSync(path.join(folder.path, "-"), "latin1")).toBe("55\n");
});

/** Something that writes for a minute or so. */
const LONG_SEQUENCE = ["seq", "1000000", "-o", "out"];

test("whatever ends what writes a file, kill -9 too, leaves none", async () => {
  using folder = temporaryFolder();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const) {
    await using child = spawn(LONG_SEQUENCE, { cwd: folder.path });
    await until("it writes", () => isWriting(child.pid, folder.path));
    child.kill(signal);
    await child.exited;
    expect(child.signalCode).toBe(signal);
    expect(fs.readdirSync(folder.path)).toEqual([]);
  }
});

withStrace("where files need a name, a signal removes what was begun", async () => {
  using folder = temporaryFolder();
  // Opening the folder itself is how a file without a name is made.
  const under = [...strace("/dev/null", "openat", "openat:error=EOPNOTSUPP"), "-P", folder.path];
  const start = { under, cwd: folder.path };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    await using child = spawn([...LONG_SEQUENCE.slice(0, -1), path.join(folder.path, "out")], start);
    await until("it writes", () =>
      fs.readdirSync(folder.path).some((name) => name.startsWith(".fibserver.")),
    );
    child.kill(signal);
    await child.exited;
    expect(child.signalCode).toBe(signal);
    expect(fs.readdirSync(folder.path)).toEqual([]);
  }
  expect(await run(["seq", "3", "-o", path.join(folder.path, "out")], start)).toMatchObject({ exitCode: 0 });
  expect(fs.readdirSync(folder.path)).toEqual(["out"]);
  expect(fs.readFileSync(path.join(folder.path, "out"), "latin1")).toBe("0\n1\n1\n");
});

test("index - reads a number of many pieces", async () => {
  using folder = temporaryFolder();
  const line = "$FIBSERVER fib 10000000 | $FIBSERVER index -";
  expect(await runInShell(line, folder.path)).toMatchObject({
    stdout: "10000000\n",
    stderr: "",
    exitCode: 0,
  });
});

withPrlimit("a result that has nowhere to go is refused before it is computed", async () => {
  using folder = temporaryFolder();
  // It takes ten times as long as it may.
  const line = "prlimit --cpu=1 $FIBSERVER fact 60000000 -o missing/x";
  const { stderr, exitCode } = await runInShell(line, folder.path);
  expect({ stderr, exitCode }).toEqual({
    stderr: expect.stringContaining("Cannot write missing/x: "),
    exitCode: 74,
  });
});

withStrace("a folder that cannot be synced is said; one that knows no sync is not", async () => {
  using folder = temporaryFolder();
  for (const [error, expected] of [
    ["EIO", 74],
    ["EROFS", 74],
    ["EINVAL", 0],
  ] as const) {
    const under = [...strace("/dev/null", "fsync", `fsync:error=${error}`), "-P", folder.path];
    expect((await run(["fib", "10", "-o", path.join(folder.path, "out")], { under })).exitCode).toBe(
      expected,
    );
  }
});

withStrace("a file is on disk before it has its name, and its folder after that", async () => {
  using folder = temporaryFolder();
  using traces = temporaryFolder();
  const trace = path.join(traces.path, "trace");
  const under = strace(trace, "fsync,linkat,rename");
  expect(await run(["fib", "10", "-o", "out"], { under, cwd: folder.path })).toMatchObject({ exitCode: 0 });
  const calls = Array.from(
    fs.readFileSync(trace, "latin1").matchAll(/(fsync|linkat|rename)\(/g),
    ([, call]) => call,
  );
  expect(calls).toEqual(["fsync", "linkat", "rename", "fsync"]);
});

withStrace("a file that cannot be synced is said, and what was there stays", async () => {
  using folder = temporaryFolder();
  fs.writeFileSync(path.join(folder.path, "out"), "before");
  const under = strace("/dev/null", "fsync", "fsync:error=EIO");
  const { stderr, exitCode } = await run(["fib", "10", "-o", "out"], { under, cwd: folder.path });
  expect(exitCode).toBe(74);
  expect(stderr).toMatch(/^fibserver: Cannot write out: EIO/);
  expect(fs.readdirSync(folder.path)).toEqual(["out"]);
  expect(fs.readFileSync(path.join(folder.path, "out"), "latin1")).toBe("before");
});

test("-o keeps the mode of what it replaces, follows links, and takes the longest name", async () => {
  using folder = temporaryFolder();
  const name = "x".repeat(255);
  const { stdout, stderr } = await runInShell(
    `umask 022; echo x >private; chmod 600 private; ln -s target dangling
    for out in private fresh dangling ${name}; do $FIBSERVER fib 10 -o $out; done
    stat -c '%a %F' private fresh dangling target; cat ${name}`,
    folder.path,
  );
  const modes = ["600 regular file", "644 regular file", "777 symbolic link", "644 regular file"];
  expect({ stdout, stderr }).toEqual({ stdout: `${modes.join("\n")}\n55\n`, stderr: "" });
});

withStrace("a file that cannot be linked to its name is said, and what was there stays", async () => {
  using folder = temporaryFolder();
  fs.writeFileSync(path.join(folder.path, "out"), "before");
  const under = strace("/dev/null", "linkat", "linkat:error=EPERM");
  const { stderr, exitCode } = await run(["fib", "10", "-o", "out"], { under, cwd: folder.path });
  expect({ stderr, exitCode }).toEqual({
    stderr: expect.stringContaining("Cannot write out: "),
    exitCode: 74,
  });
  expect(fs.readdirSync(folder.path)).toEqual(["out"]);
  expect(fs.readFileSync(path.join(folder.path, "out"), "latin1")).toBe("before");
});

test("-o /dev/stdout writes into what is there", async () => {
  using folder = temporaryFolder();
  const line = "echo before >f; { $FIBSERVER fib 10 -o /dev/stdout; echo after; } >>f; cat f";
  expect((await runInShell(line, folder.path)).stdout).toBe("before\n55\nafter\n");
});

withStrace("a file that cannot get its name is said, and nothing of it is left", async () => {
  using folder = temporaryFolder();
  const under = strace("/dev/null", "rename", "rename:error=EPERM");
  const { stderr, exitCode } = await run(["fib", "10", "-o", "out"], { under, cwd: folder.path });
  expect(exitCode).toBe(74);
  expect(stderr).toMatch(/^fibserver: Cannot write out: EPERM[^\n]+\n$/);
  expect(fs.readdirSync(folder.path)).toEqual([]);
});

test("^C ends a long computation at once, and leaves no file", async () => {
  using folder = temporaryFolder();
  for (const args of [LONG, [...LONG, "-o", path.join(folder.path, "out")]]) {
    await using child = spawn(args);
    await until("it computes", () => cpuTicks(child.pid) > 30);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
  }
  expect(fs.readdirSync(folder.path)).toEqual([]);
});

test("fibserver -t computes on its one CPU and answers for the cursor meanwhile", async () => {
  using folder = temporaryFolder();
  const limits = ["--max-digits", "1000000000"];
  await using server = await startServer(["-t", "-f", path.join(folder.path, "cursor"), ...limits]);
  const client = new AbortController();
  const computing = fetch(`${server.url}/v1/factorial/${LONG[1]}`, { signal: client.signal });
  const ended = computing.catch(() => "left");
  for (let index = 1; index <= 50; index++) {
    const response = await fetch(`${server.url}/v1/cursor/next`, { method: "POST" });
    expect(await response.json()).toMatchObject({ index: String(index) });
  }
  expect(Bun.peek.status(computing)).toBe("pending");
  client.abort();
  expect(await ended).toBe("left");
  expect((await fetch(`${server.url}/v1/fibonacci/1000000?format=text`)).status).toBe(200);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
});

/** Whether a process has written something into a file of a folder that has no name there. */
function isWriting(pid: number, folder: string): boolean {
  const files = `/proc/${pid}/fd`;
  return fs.readdirSync(files).some((fd) => {
    try {
      const link = path.join(files, fd);
      return fs.readlinkSync(link).startsWith(`${folder}/#`) && fs.statSync(link).size > 0;
    } catch {
      return false;
    }
  });
}

/** Hundredths of a second that a process has computed. */
function cpuTicks(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "latin1").split(" ");
  return Number(fields[13]);
}
