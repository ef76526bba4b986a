/** Help that a person can read and paste from: every command's, in every width. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { ArgsDef } from "citty";
import { checkArguments, findCommand, type Found, resolved } from "../../src/cli/arguments.ts";
import { pageOf, renderHelp } from "../../src/cli/help.ts";
import { fibserver } from "../../src/cli/root.ts";
import { environmentName, resolveConfig } from "../../src/config/config.ts";
import { output, requireTool, runInShell, temporaryFolder } from "../binary.ts";

setDefaultTimeout(300_000);

const withScript = requireTool(["script", "--version"], "apt-get install bsdutils");

/** Each command that there is, with the words that lead to it. */
async function allCommands(
  words: readonly string[] = [],
): Promise<{ words: readonly string[]; found: Found }[]> {
  const found = await findCommand(fibserver, words);
  const names = Object.keys(await resolved(found.command.subCommands ?? {}));
  const below = await Promise.all(names.map((name) => allCommands([...words, name])));
  return [{ words, found }, ...below.flat()];
}

const COMMANDS = await allCommands();

test("there are the commands that the README names, and more", () => {
  const names = COMMANDS.map(({ words }) => words.join(" "));
  expect(names).toEqual(expect.arrayContaining(["", "fib", "cursor set", "task run", "help", "version"]));
});

test("renderHelp() keeps to the width, plain, with usage that names the program and no space at an end", async () => {
  for (const { words, found } of COMMANDS) {
    for (const columns of [40, 55, 80]) {
      const help = await renderHelp(found, { columns, styled: false });
      expect(help).toMatch(/\n\nUsage\n {2}fibserver [^\n]/);
      expect(help).not.toContain("\u001B");
      expect(help).not.toMatch(/[ \t]\n|\n\n\n|undefined|\n\n$/);
      expect(help.endsWith("\n")).toBe(true);
      // Lines to paste are whole however narrow it is, and so are words.
      const tooLong = help
        .split("\n")
        .filter((line) => line.length > columns && !/^ *\S+$|^ {2}(\S+=\S+ )?fibserver |^ {2}-/.test(line));
      expect({ words, columns, tooLong }).toEqual({ words, columns, tooLong: [] });
      if (columns === 80)
        expect(Math.max(...help.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    }
  }
});

test("renderHelp() of the root fits on a large screen and sends the reader on", async () => {
  const help = await renderHelp({ command: fibserver, name: "fibserver" }, { columns: 80, styled: false });
  // With the prompt.
  expect(help.split("\n").length).toBeLessThanOrEqual(60);
  for (const { words } of COMMANDS)
    if (words.length === 1) expect(help).toMatch(new RegExp(`^ {2}${words[0]}\\b`, "m"));
  expect(help).toContain("fibserver help serve");
  expect(help).not.toContain("--max-digits");
});

test("every flag of a command is in a help, and each example would be accepted", async () => {
  const serve = await renderHelp(await findCommand(fibserver, ["serve"]), { columns: 80, styled: false });
  for (const { words, found } of COMMANDS) {
    const help = await renderHelp(found, { columns: 80, styled: false });
    for (const [flag, { type }] of Object.entries(await resolved<ArgsDef>(found.command.args ?? {}))) {
      if (type !== "positional") expect(`${help}${words.length === 0 ? serve : ""}`).toContain(`--${flag}`);
    }
    const { examples = [] } = (await resolved(found.command.meta)) ?? {};
    expect({ words, count: examples.length }).not.toEqual({ words, count: 0 });
    for (const example of examples) {
      const line = example.split("  # ")[0]!.split("fibserver ").at(-1)!;
      const argv = line.split(/\)| \|/)[0]!.split(" ");
      await checkArguments(await findCommand(fibserver, argv));
    }
  }
});

test("the defaults that the help names are those that there are", async () => {
  const env = { HOME: "/home/somebody" };
  const { command } = await findCommand(fibserver, ["serve"]);
  const defaults = Object.entries(await resolved<ArgsDef>(command.args ?? {})).flatMap(
    ([flag, { description }]) => {
      const named = /\(default ([\w.]+)/.exec(description ?? "")?.[1];
      return named === undefined ? [] : [[flag, named] as const];
    },
  );
  expect(defaults.length).toBeGreaterThan(10);
  for (const [flag, named] of defaults) {
    // What is about Redis needs one.
    const others = flag.startsWith("redis-") ? { redis: "redis://127.0.0.1" } : {};
    expect(resolveConfig({ ...others, [flag]: named }, env)).toEqual(resolveConfig(others, env));
  }
});

test("the help of a server says how the environment stands in for flags, once", async () => {
  const help = await renderHelp(await findCommand(fibserver, ["serve"]), { columns: 80, styled: false });
  expect(help.match(/FIBSERVER_/g)).toHaveLength(1);
  expect(help).toContain(environmentName("max-index"));
});

test("pageOf() is plain in a pipe, under NO_COLOR and on a dumb terminal, and as wide as a narrow terminal", () => {
  const tty = { isTTY: true, columns: 60 } as NodeJS.WriteStream;
  expect(pageOf(tty, {})).toEqual({ columns: 60, styled: true });
  expect(pageOf({ ...tty, columns: 200 } as NodeJS.WriteStream, {})).toEqual({ columns: 80, styled: true });
  expect(pageOf({ ...tty, columns: 0 } as NodeJS.WriteStream, {}).columns).toBe(80);
  expect(pageOf(tty, { NO_COLOR: "1" }).styled).toBe(false);
  expect(pageOf(tty, { TERM: "dumb" }).styled).toBe(false);
  expect(pageOf({ isTTY: false } as NodeJS.WriteStream, {})).toEqual({ columns: 80, styled: false });
});

test("each way to ask for help or the version prints the same to stdout, and exits with 0", async () => {
  for (const [first, ...others] of [
    [
      ["help"],
      ["--help"],
      ["-h"],
      ["-dh"],
      ["n", "-h"],
      ["--bogus", "--help"],
      ["help", "n"],
      ["help", "p", "c", "i"],
    ],
    [
      ["help", "fib"],
      ["fib", "--help"],
      ["fib", "-h"],
      ["fib", "x", "-h"],
    ],
    [
      ["help", "cursor"],
      ["cursor", "--help"],
      ["cursor", "-h"],
    ],
    [
      ["help", "cursor", "set"],
      ["cursor", "set", "--help"],
      ["cursor", "set", "5", "-h"],
    ],
    [["version"], ["--version"], ["-V"], ["serve", "--version"]],
  ] as const) {
    const expected = await plain(...first);
    for (const other of others) expect(await plain(...other)).toBe(expected);
  }
  expect(await plain("version")).toMatch(
    /^\d+\.\d+\.\d+ \(commit [\da-f]{7,40}(-dirty)?, Bun \d+\.\d+\.\d+\)\n$/,
  );
});

withScript("help has bold titles on a terminal, and none under NO_COLOR or TERM=dumb", async () => {
  using folder = temporaryFolder();
  const help = async (env: string) =>
    (await runInShell(`${env} script -qec "$FIBSERVER help" /dev/null </dev/null`, folder.path)).stdout;
  expect(await help("TERM=xterm")).toContain("\u001B[1mUsage");
  expect(await help("NO_COLOR=1")).not.toContain("\u001B");
  expect(await help("TERM=dumb")).not.toContain("\u001B");
});

/** The same in a pipe, whoever wants colours. */
async function plain(...args: string[]): Promise<string> {
  const text = await output(args, { env: { FORCE_COLOR: "1" } });
  expect(text).not.toContain("\u001B");
  return text;
}
