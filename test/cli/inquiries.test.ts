/** What the shell finds out about numbers: remainders, ends, counts of digits, Zeckendorf, Pisano, Lucas. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { output, requireTool, run, runInShell, spawn, temporaryFolder, until } from "../binary.ts";
import { openServer } from "../client/server.ts";
import { bigPair } from "../oracle.ts";

setDefaultTimeout(300_000);

const withScript = requireTool(["script", "--version"], "apt-get install bsdutils");

/** Command, text, JSON, and the path by which a server answers with this JSON. */
const ANSWERS = [
  ["fib 1000 --mod 97", "72", `{"n":"1000","mod":"97","digits":2,"value":"72"}`, "fibonacci/1000?mod=97"],
  ["fib 007 --mod 1", "0", `{"n":"7","mod":"1","digits":1,"value":"0"}`, "fibonacci/7?mod=1"],
  ["fib 100 --first 5", "35422", `{"n":"100","digits":"21","first":"35422"}`, "fibonacci/100?first=5"],
  ["fib 44 --last 8", "01408733", `{"n":"44","digits":"9","last":"01408733"}`, "fibonacci/44?last=8"],
  [
    "fib 100 --last 2 --first 3",
    "354\n75",
    `{"n":"100","digits":"21","first":"354","last":"75"}`,
    "fibonacci/100?first=3&last=2",
  ],
  // More than there are gives all; the number of digits stands before them.
  [
    "fib 10 --first 1000 --last 30 --digits",
    "2\n55\n55",
    `{"n":"10","digits":"2","first":"55","last":"55"}`,
    "fibonacci/10?first=1000&last=30",
  ],
  [
    "fib 1000000000000000000 --first 30 --last 30",
    "262897881867922046740750648916\n123436395041183788299560546875",
    `{"n":"1000000000000000000","digits":"208987640249978734","first":"262897881867922046740750648916","last":"123436395041183788299560546875"}`,
    "fibonacci/1000000000000000000?first=30&last=30",
  ],
  [
    "fib 100 --stats",
    "digits 21\nsum 93\n0 1\n1 3\n2 3\n3 1\n4 3\n5 3\n6 1\n7 2\n8 2\n9 2",
    `{"n":"100","digits":21,"sum":93,"counts":[1,3,3,1,3,3,1,2,2,2]}`,
    "fibonacci/100/digits",
  ],
  ["lucas 0", "2", `{"n":"0","digits":1,"value":"2"}`, "lucas/0"],
  [
    "lucas 100",
    "792070839848372253127",
    `{"n":"100","digits":21,"value":"792070839848372253127"}`,
    "lucas/100",
  ],
  ["zeck 100", "11\n6\n4", `{"value":"100","indices":["11","6","4"]}`, "zeckendorf/100"],
  ["zeck 1", "2", `{"value":"1","indices":["2"]}`, "zeckendorf/1"],
  ["pisano 1", "1", `{"m":"1","period":"1"}`, "pisano/1"],
  ["pisano 1000", "1500", `{"m":"1000","period":"1500"}`, "pisano/1000"],
] as const;

test("each command prints its answer and a newline, and with --json the bytes of HTTP's JSON and a newline", async () => {
  await using server = await openServer();
  for (const [line, text, json, route] of ANSWERS) {
    expect(await output(line.split(" "))).toBe(`${text}\n`);
    expect(await output([...line.split(" "), "--json"])).toBe(`${json}\n`);
    expect([line, await (await fetch(`${server.url}/v1/${route}`)).text()]).toEqual([line, json]);
  }
  expect(await output(["fib", "1000", "--digits"])).toBe("209\n");
  expect(await output(["fib", "1000", "--digits", "--json"])).toBe('{"n":"1000","digits":"209"}\n');
  // Nothing for no terms.
  expect(await output(["zeck", "0"])).toBe("");
  expect(await output(["zeck", "0", "--json"])).toBe('{"value":"0","indices":[]}\n');
});

test("fib --mod takes n and m that are as long as an argument may be", async () => {
  // F(n) is divisible by F(k) for each k that divides n, and F(n + 1) = F(k + 1)^(n/k) modulo F(k).
  const k = 1000;
  const [m, next] = bigPair(k);
  const zeros = "0".repeat(100_000);
  expect(await output(["fib", `${k}${zeros}`, "--mod", String(m)])).toBe("0\n");
  const n = BigInt(`1${"0".repeat(300)}`);
  const power = powerOf(next, n / BigInt(k), m);
  expect(await output(["fib", String(n + 1n), "--mod", String(m)])).toBe(`${power}\n`);
  // Larger than the number itself.
  expect(await output(["fib", "1000", "--mod", `1${zeros}`])).toBe(`${m}\n`);
});

test("fib --first, --last and --digits take n of 1,000 digits, and no more", async () => {
  const n = "9".repeat(1000);
  const { digits, first, last } = JSON.parse(
    await output(["fib", n, "--first", "1000", "--last", "1000", "--json"]),
  ) as Record<string, string>;
  expect([digits!.length, first!.length, last!.length]).toEqual([1000, 1000, 1000]);
  expect(await output(["fib", n, "--last", "20"])).toBe(`${last!.slice(-20)}\n`);
  expect(await output(["fib", n, "--digits"])).toBe(`${digits}\n`);
  const longer = await run(["fib", `1${n}`, "--digits"]);
  expect(longer).toMatchObject({ stdout: "", exitCode: 2 });
  expect(longer.stderr).toContain("a whole number from 0 of at most 1000 digits. Try: fibserver fib");
});

test("zeck - reads a long number, whose terms add up to it", async () => {
  const value = (BigInt("123456789".repeat(1500)) * 10n) ** 2n;
  const lines = (await output(["zeck", "-"], { stdin: ` ${value}\n` })).trimEnd().split("\n");
  const indices = lines.map(Number);
  let [f, next, index, sum] = [0n, 1n, 0, 0n];
  for (const wanted of indices.toReversed()) {
    expect(wanted).toBeGreaterThan(index + 1);
    for (; index < wanted; index++) [f, next] = [next, f + next];
    sum += f;
  }
  expect(sum === value).toBe(true);
});

test("a question that is none is refused with a line to try, which would be accepted", async () => {
  for (const [line, reason] of [
    ["fib 5 --mod 0", "Cannot use '0' for --mod: it takes a whole number from 1."],
    ["fib 5 --mod=-3", "Cannot use '-3' for --mod"],
    ["fib 5 --mod x", "Cannot use 'x' for --mod"],
    ["fib x --mod 5", "Cannot use 'x' for N"],
    ["fib -5 --mod 5", "begins with a dash"],
    ["fib 5 --first 0", "Cannot use '0' for --first: it takes a whole number from 1 to 1000."],
    ["fib 5 --last 1001", "Cannot use '1001' for --last"],
    ["fib 5 --first -1", "--first takes a value, K, and '-1' begins with a dash, as flags do; a number is"],
    ["seq 5 --start -1,2", "--start takes a value, A,B, and '-1,2' begins with a dash"],
    ["fib 5 --mod 7 --first 2", "ask for one"],
    ["fib 5 --mod 7 --digits", "ask for one"],
    ["fib 5 --stats --mod 7", "ask for one"],
    ["fib 5 --stats --last 7", "ask for one"],
    ["fib 5 --stats --digits", "ask for one"],
    ["fib 20000000001 --stats", "Cannot use '20000000001' for N"],
    [`fib 1${"0".repeat(18)}`, `. Try: fibserver fib 1${"0".repeat(18)} --first 30 --last 30\n`],
    [`fib 1${"0".repeat(18)} --stats`, `. Try: fibserver fib 1${"0".repeat(18)} --first 30 --last 30\n`],
    ["fib 5 --mod 7 --out=", "Try: fibserver fib 1000 --mod 97"],
    ["lucas 20000000001", "Cannot use '20000000001' for N"],
    ["lucas x", "Cannot use 'x' for N"],
    ["zeck", "VALUE is missing"],
    ["zeck abc", "Cannot use 'abc' for VALUE"],
    ["zeck 1.5", "Cannot use '1.5' for VALUE"],
    ["zeck -5", "begins with a dash"],
    ["zeck -", "there is none on standard input"],
    ["pisano 0", "Cannot use '0' for M: it takes a whole number from 1 to 1000000000000000000000000000000."],
    [`pisano 1${"0".repeat(29)}01`, "from 1 to 1000000000000000000000000000000."],
    ["pisano", "M is missing"],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(line.split(" "));
    expect({ line, stdout, exitCode }).toEqual({ line, stdout: "", exitCode: 2 });
    expect([line, stderr]).toEqual([line, expect.stringContaining(reason)]);
    const tried = /\. Try: fibserver ([^\n]+)\n$/.exec(stderr)?.[1];
    expect([line, tried]).toEqual([line, expect.any(String)]);
    expect([line, (await run(tried!.split(" "))).exitCode]).toEqual([line, 0]);
  }
  const words = await run(["zeck", "-"], { stdin: "three\n" });
  expect(words).toMatchObject({ stdout: "", exitCode: 2 });
  expect(words.stderr).toContain("after 0 digits comes what is no digit");
});

test("what does not fit into the memory is refused before it begins", async () => {
  const ends = ". Try: fibserver fib 20000000000 --first 30 --last 30";
  for (const [line, number, hint] of [
    ["fib 20000000000", "F(20000000000)", ends],
    ["fib 20000000000 --stats", "F(20000000000)", ends],
    ["lucas 20000000000", "L(20000000000)", ""],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(line.split(" "));
    expect({ line, stdout, exitCode }).toEqual({ line, stdout: "", exitCode: 1 });
    expect(stderr).toStartWith(`fibserver: Cannot compute ${number}: it needs `);
    expect(stderr).toEndWith(`)${hint}\n`);
  }
});

test("zeck - with more digits than it takes apart says so", async () => {
  using folder = temporaryFolder();
  const line = "head -c 100000001 /dev/zero | tr '\\0' 7 | $FIBSERVER zeck -";
  const { stdout, stderr, exitCode } = await runInShell(line, folder.path);
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
  expect(stderr).toMatch(/^fibserver: Cannot find a value of more than 100,000,000 digits: [^\n]+\n$/);
});

test("an answer goes into a file or a pipe, whose reader may have seen enough", async () => {
  using folder = temporaryFolder();
  expect(await output(["fib", "100", "--stats", "--json", "-o", "out"], { cwd: folder.path })).toBe("");
  expect(fs.readFileSync(path.join(folder.path, "out"), "latin1")).toBe(
    `{"n":"100","digits":21,"sum":93,"counts":[1,3,3,1,3,3,1,2,2,2]}\n`,
  );
  expect(fs.readdirSync(folder.path)).toEqual(["out"]);
  const line = `$FIBSERVER fib 100000 | $FIBSERVER zeck - -q | head -1; echo "\${PIPESTATUS[@]}"`;
  expect(await runInShell(line, folder.path)).toEqual({ stdout: "100000\n0 0 0\n", stderr: "", exitCode: 0 });
  const missing = await run(["pisano", "10", "-o", "missing/out"], { cwd: folder.path });
  expect(missing).toMatchObject({ exitCode: 74 });
});

/** Minutes, by any algorithm. */
const LONG = ["fib", "9".repeat(100_000), "--mod", "7".repeat(100_000)];

test("^C ends a long answer at once", async () => {
  await using child = spawn(LONG);
  await until("it computes", () => cpuTicks(child.pid) > 30);
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
});

test("an answer that cannot be written is not computed", async () => {
  using folder = temporaryFolder();
  // A minute's work.
  const long = `fib $(head -c 100000 /dev/zero | tr '\\0' 9) --mod $(head -c 100000 /dev/zero | tr '\\0' 7)`;
  const { stdout, stderr, exitCode } = await runInShell(
    `ulimit -t 5; $FIBSERVER ${long} -o missing/out`,
    folder.path,
  );
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 74 });
  expect(stderr).toContain("missing");
});

withScript("progress of a sequence that begins deep is drawn before its first term", async () => {
  using folder = temporaryFolder();
  const { stdout } = await runInShell(
    `TERM=xterm script -qec "$FIBSERVER seq 600000000..600000000 -o out" /dev/null </dev/null`,
    folder.path,
  );
  expect(stdout).toMatch(/term 600000000 .* +\d+%/);
});

withScript("progress of a long answer leaves room on a narrow terminal for how far it is", async () => {
  using folder = temporaryFolder();
  const line = `fib ${"9".repeat(10_000)} --mod ${"7".repeat(2000)}`;
  const { stdout } = await runInShell(
    `TERM=xterm script -qec "stty cols 60; $FIBSERVER ${line}" /dev/null </dev/null`,
    folder.path,
  );
  expect(stdout).toMatch(/\rF\(9{8}…\) mod 7{8}…( \[.+\])? +\d+%(, about \d+ s left)? /);
});

function powerOf(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === "1") result = (result * base) % modulus;
  }
  return result;
}

/** What a process has used, in hundredths of a second. */
function cpuTicks(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
