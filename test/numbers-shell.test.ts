/** `fibserver fib|fact|ack|index|seq` as programs: what goes to stdout, a file, a terminal, and how they end. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import reference from "./vectors/reference.json";
import { requireTool, run, runInShell, spawn, startServer, temporaryFolder, until } from "./binary.ts";

setDefaultTimeout(60_000);

const withScript = requireTool(["script", "--version"], "apt-get install bsdutils");
const withPrlimit = requireTool(["prlimit", "--version"], "apt-get install util-linux");

/** Takes a minute or more, in half a gigabyte. */
const LONG = ["fact", "60000000"];

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A command that must end well, and say nothing else. */
async function output(args: readonly string[], start?: Parameters<typeof run>[1]): Promise<string> {
  const { stdout, stderr, exitCode } = await run(args, start);
  expect({ args, stderr, exitCode }).toEqual({ args, stderr: "", exitCode: 0 });
  return stdout;
}

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
  const { stdout, stderr, exitCode } = await run(["index", "145"]);
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
  expect(stderr).toContain("between F(12) and F(13)");
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

test("-o that cannot be written is 74, and is said", async () => {
  using folder = temporaryFolder();
  fs.mkdirSync(path.join(folder.path, "folder"));
  fs.writeFileSync(path.join(folder.path, "file"), "");
  for (const command of [
    ["fib", "10"],
    ["seq", "10"],
  ]) {
    for (const out of ["folder", "missing/out", "folder/", "file/out", ""]) {
      const { stdout, stderr, exitCode } = await run([...command, "-o", out], { cwd: folder.path });
      expect({ out, stdout, exitCode }).toEqual({ out, stdout: "", exitCode: out === "" ? 2 : 74 });
      expect(stderr).toMatch(/^fibserver: Cannot (write|use) [^\n]+\n$/);
    }
  }
  expect(fs.readdirSync(folder.path).toSorted()).toEqual(["file", "folder"]);
  expect(fs.readdirSync(path.join(folder.path, "folder"))).toEqual([]);
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

test("a usage error is one line on stderr with what would be right, and exits 2", async () => {
  for (const [line, said] of [
    ["fib", "fibserver fib --help"],
    ["fib x", "whole number from 0 to"],
    ["fib 1.5", "whole number from 0 to"],
    ["fib 1e9", "whole number from 0 to"],
    ["fib -5", "fibserver fib --help"],
    ["fib -- -5", "whole number from 0 to"],
    ["fib 5 6", "fibserver fib N"],
    [`fib ${10n ** 30n}`, "whole number from 0 to"],
    ["fib 5 --jsn", "fibserver fib --json"],
    ["fib 5 --json --json", "given twice"],
    ["fact", "fibserver fact --help"],
    ["fact 1073741824", "from 0 to 1073741823"],
    ["ack 3", "fibserver ack --help"],
    ["ack 3 x", "for N"],
    ["ack x 3", "for M"],
    ["index", "fibserver index --help"],
    ["index abc", "like 6765"],
    ["index 007", "like 6765"],
    ["seq", "fibserver seq --help"],
    ["seq 5..3", "fibserver seq 3..5"],
    ["seq 1..2..3", "fibserver seq 10..20"],
    ["seq 3..", "for TO"],
    ["seq ..3", "for FROM"],
    ["seq x", "for COUNT"],
    ["fob 5", "fibserver fib"],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(line.split(" "));
    expect({ line, stdout, exitCode }).toEqual({ line, stdout: "", exitCode: 2 });
    expect(stderr).toMatch(/^fibserver: [^\n]+\n$/);
    expect(stderr).toContain(said);
  }
});

test("what does not fit into the memory is refused before it begins, with the figures", async () => {
  for (const [line, said] of [
    ["fib 20000000000", /needs [\d,.]+ [MG]B of memory/],
    ["ack 3 9007199254740991", /needs [\d,]+ MB of memory, and [\d,]+ MB are available/],
    ["seq 9999999999..10000000000", /of memory/],
    ["seq 10000000000", /too long/],
    ["ack 4 3", /cannot be written down/],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(line.split(" "));
    expect({ line, stdout, exitCode }).toEqual({ line, stdout: "", exitCode: 1 });
    expect(stderr).toMatch(said);
  }
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

test("a full device is 74, and is said", async () => {
  using folder = temporaryFolder();
  for (const line of ["fib 10", "fib 1000000", "fact 10", "ack 1 1", "index 5", "seq 10", "seq 10 --json"]) {
    const { stderr, exitCode } = await runInShell(`$FIBSERVER ${line} >/dev/full`, folder.path);
    expect({ line, exitCode }).toEqual({ line, exitCode: 74 });
    expect(stderr).toContain("ENOSPC");
  }
});

withScript("progress is drawn on a terminal, for long work only, and never into a pipe", async () => {
  using folder = temporaryFolder();
  const onTerminal = async (command: string) =>
    (await runInShell(`script -qec "$FIBSERVER ${command} -o out" /dev/null </dev/null`, folder.path)).stdout;
  expect(await onTerminal("fact 8000000")).toMatch(/8000000! \[.*\] +\d+%/);
  expect(await onTerminal("ack 3 800000000")).toMatch(/A\(3,800000000\) \[.*\] +\d+%/);
  expect(await onTerminal("fib 100000")).toBe("");
  const { stdout, stderr } = await runInShell("$FIBSERVER fact 8000000 | wc -c", folder.path);
  expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: "51750369", stderr: "" });
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

/** Hundredths of a second that a process has computed. */
function cpuTicks(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "latin1").split(" ");
  return Number(fields[13]);
}
