/** `fibserver task` with each kind that is no plain number, and with sequences of another start. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { output, run } from "../binary.ts";
import { openScripted, openServer } from "../client/server.ts";
import { ask } from "./asking.ts";

setDefaultTimeout(300_000);

/** A task, and the command that prints the same. */
const SAME = [
  ["lucas 50", "lucas 50"],
  ["remainder 1000 97", "fib 1000 --mod 97"],
  [`remainder 1${"0".repeat(2000)} 1${"0".repeat(50)}`, `fib 1${"0".repeat(2000)} --mod 1${"0".repeat(50)}`],
  ["statistics 1000", "fib 1000 --stats"],
  ["pisano 1000", "pisano 1000"],
  ["sequence 5 --start 2,1", "seq 5 --start 2,1"],
  ["sequence 100..105 --start 2,1", "seq 100..105 --start 2,1"],
  ["sequence 5 --start 0,1", "seq 5"],
] as const;

test("task run and task result print what the shell's own command prints, and list and show what was asked", async () => {
  await using server = await openServer();
  const env = { FIBSERVER_SERVER: server.url };
  for (const [task, command] of SAME) {
    const created = await ask(["task", "run", ...task.split(" "), "--detach"], { env });
    expect(created).toMatchObject({ stderr: "", exitCode: 0 });
    const id = created.stdout.trimEnd();
    for (const json of [[], ["--json"]]) {
      const expected = await output([...command.split(" "), ...json]);
      const result = await ask(["task", "run", ...task.split(" "), ...json], { env });
      expect(result).toEqual({ stdout: expected, stderr: "", exitCode: 0 });
      expect(await output(["task", "result", id, ...json], { env })).toBe(expected);
    }
    const [kind, ...given] = task.replace(" --start 0,1", "").split(" ");
    const list = await output(["task", "list"], { env });
    const line = list.split("\n").find((each) => each.startsWith(id));
    // What is long would fill the screen.
    const words = given.map((word) => word.replace(/^(.{40}).+/, "$1…")).join(" ");
    expect(line).toEndWith(`100% ${kind!.padEnd("statistics".length)} ${words}`);
    expect(await output(["task", "show", id], { env })).toStartWith(`id: ${id}\nkind: ${kind}\n`);
  }
});

test("task run of what is too long says how long it may be", async () => {
  await using server = await openServer();
  for (const [kind, first, ...more] of [
    ["remainder", "9".repeat(15_000), "7"],
    ["remainder", "9".repeat(100_000), "7"],
    ["fibonacci", "9".repeat(15_000)],
    ["lucas", "9".repeat(16_000)],
    ["ackermann", "3", "9".repeat(16_000)],
  ] as const) {
    const result = await run(["task", "run", kind, first, ...more, "--server", server.url]);
    expect(result).toMatchObject({ stdout: "", exitCode: 2 });
    expect(result.stderr).toMatch(
      kind === "remainder"
        ? /: together they have 15000 at most; fibserver fib N --mod M takes more/
        : /15000 digits, and the most is 128|1600[01] digits: a number has 128 at most\. Try: fibserver help task run\n/,
    );
  }
});

test("task run says that a server is older when it knows no such task", async () => {
  for (const [line, detail, reason] of [
    [
      "pisano 5",
      "Cannot find the kind: it is one of fibonacci, sequence",
      "without tasks of the kind pisano",
    ],
    [
      "sequence 5 --start 2,1",
      "Cannot use 'start': sequence takes from, count",
      "without sequences with a start",
    ],
    ["fibonacci 5", "Cannot use '5' for n: it is not odd", "it is not odd"],
  ] as const) {
    await using server = openScripted(() => Response.json({ code: "bad_argument", detail }, { status: 400 }));
    const result = await run(["task", "run", ...line.split(" "), "--server", server.url]);
    expect({ line, ...result }).toMatchObject({ line, stdout: "", exitCode: 2 });
    expect(result.stderr).toContain(reason);
  }
});

test("task run refuses what is none of its kinds", async () => {
  for (const [line, reason] of [
    ["remainder 5", "remainder N MOD, statistics N"],
    ["statistics", "statistics N"],
    ["pisano 1 2", "pisano M"],
    ["zeckendorf 5", "it takes fibonacci N, lucas N,"],
    ["constructor 5", "it takes fibonacci N, lucas N,"],
    ["lucas 5 --start 2,1", "--start is for a sequence"],
    ["sequence 5 --start 2", "'2' is no start"],
    ["sequence --start 2,1", "COUNT is missing"],
    ["fibonacci 5 --mod 7", "it knows no --mod: remainder N MOD is a task of its own"],
    ["remainder 5 x", "'x' is no whole number from 0"],
  ] as const) {
    const result = await run(["task", "run", ...line.split(" "), "--server", "http://127.0.0.1:1"]);
    expect({ line, ...result }).toMatchObject({ line, stdout: "", exitCode: 2 });
    expect(result.stderr).toContain(reason);
    expect(result.stderr).toMatch(/ Try: fibserver [^\n]+\n$/);
  }
});
