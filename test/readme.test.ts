/**
 * What is said of the program is whole and true: examples for programs run, and print what the comments behind them
 * promise; the tables have each flag and each metric.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { argumentsOf, COMMON_FLAGS, type Found, findCommand, resolved } from "../src/cli/arguments.ts";
import { fibserver } from "../src/cli/root.ts";
import { CODES } from "../src/errors.ts";
import { environmentName } from "../src/config/config.ts";
import { temporaryFolder } from "./binary.ts";
import { openServer } from "./client/server.ts";
import { linesOf, PAGES, textOf } from "./docs-pages.ts";

setDefaultTimeout(300_000);

const ROOT = path.resolve(import.meta.dir, "..");

for (const [readme, count] of [
  ["docs/client.md", 6],
  ["packages/client/README.md", 9],
] as const) {
  const text = fs.readFileSync(path.join(ROOT, readme), "utf8");
  const examples = Array.from(text.matchAll(/^```js\n(.*?)^```$/gms), ([, code]) => code!);
  /** The first one imports and connects, for all. */
  const [setup = ""] = examples[0]!.split(/(?=^console\.log)/m);

  test(`${readme} has ${count} examples for programs`, () => {
    expect(examples).toHaveLength(count);
    expect(setup).toContain("new FibClient(");
  });

  for (const [number, example] of examples.entries()) {
    test(`example ${number + 1} of ${readme} prints what it says`, async () => {
      const code = number === 0 ? example : setup + example;
      // What each prints is compared without white space: an object takes several lines, and a loop prints several times.
      const expected = Array.from(
        example.matchAll(/console\.log\(.*[;,] \/\/ (.*)$/gm),
        ([, printed]) => printed!,
      );
      expect(expected.length).toBeGreaterThan(0);
      expect(bare(await printedBy(code))).toBe(bare(expected.join("\n")));
    });
  }
}

const rows = PAGES.flatMap(linesOf).filter((line) => line.startsWith("|"));

test("each flag that may come from the environment is in a table, with its variable, and no other is", async () => {
  const options = linesOf("docs/options.md").filter((line) => line.startsWith("|"));
  const variables = new Set(
    Array.from(options.join("").matchAll(/`(FIBSERVER_[A-Z_]+)/g), ([, name]) => name!),
  );
  const known = new Set([
    "FIBSERVER_TOKEN",
    "FIBSERVER_SENTINEL_AUTH",
    "FIBSERVER_SERVER",
    "FIBSERVER_CURSOR",
  ]);
  for (const name of ["serve", "worker"]) {
    const { flags } = await argumentsOf((await findCommand(fibserver, [name])).command);
    for (const [flag] of flags.filter(([each]) => !Object.hasOwn(COMMON_FLAGS, each))) {
      const row = options.find((each) => new RegExp(`--${flag}[ \`]`).test(each.split("|")[1]!));
      expect({ flag, row }).toEqual({ flag, row: expect.stringContaining(`\`${environmentName(flag)}\``) });
      known.add(environmentName(flag));
    }
  }
  expect(Array.from(variables).toSorted()).toEqual(Array.from(known).toSorted());
});

test("each variable that a page names is in the table of options", () => {
  const options = textOf("docs/options.md");
  for (const page of PAGES)
    for (const [name] of textOf(page).matchAll(/\bFIBSERVER_[A-Z_]+\b/g))
      expect([page, name, options.includes(`\`${name}\``)]).toEqual([page, name, true]);
});

test("each option that a page names is one of a command", async () => {
  const flags = new Set<string>();
  for (const { found } of await commandsBelow())
    for (const [flag] of (await argumentsOf(found.command)).flags) flags.add(`--${flag}`);
  // What installs it, and what measures it, have options of their own.
  const others = new Set(["docs/install.md", "docs/performance.md"]);
  for (const page of PAGES.filter((each) => /^docs.[a-z]*.md$|^README/.test(each) && !others.has(each)))
    for (const [, named] of textOf(page).matchAll(/`(--[a-z0-9-]+)/g))
      expect([page, named, flags.has(named!)]).toEqual([page, named, true]);
});

test("each command is in a table of docs/shell.md, with the words that it takes", async () => {
  const shown = linesOf("docs/shell.md").filter((line) => line.startsWith("|"));
  const commands = (await commandsBelow()).filter(
    ({ words, found }) => words.length > 0 && found.command.run !== undefined,
  );
  expect(commands.length).toBeGreaterThan(25);
  for (const { words } of commands) {
    const name = `fibserver ${words.join(" ")}`;
    expect([name, shown.some((row) => new RegExp(`\`${name}[ \`]`).test(row))]).toEqual([name, true]);
  }
});

test("each exit status is in the table of docs/shell.md, and each there is one that there is", () => {
  const told = linesOf("docs/shell.md").flatMap((line) => /^\| (\d+) \|/.exec(line)?.[1] ?? []);
  const known = new Set([0, 130, ...Object.values(CODES).map(({ exit }) => exit)]);
  expect(told.map(Number)).toEqual(Array.from(known).toSorted((a, b) => a - b));
});

test("each metric is in a table, and each in a table is one that there is", () => {
  const sources = Array.from(new Bun.Glob("src/**/*.ts").scanSync(ROOT), (file) =>
    fs.readFileSync(path.join(ROOT, file), "utf8"),
  );
  const named = new Set(
    sources.flatMap((text) => Array.from(text.matchAll(/"(fibserver_\w+)"/g), ([, name]) => name!)),
  );
  const told = new Set(
    rows.flatMap((row) => Array.from(row.matchAll(/`(fibserver_\w+)/g), ([, name]) => name!)),
  );
  expect(named.size).toBeGreaterThan(20);
  expect(Array.from(told).toSorted()).toEqual(Array.from(named).toSorted());
});

/** Runs a program that has the package installed, against a server of its own. */
async function printedBy(code: string): Promise<string> {
  using folder = temporaryFolder();
  await using server = await openServer();
  const modules = path.join(folder.path, "node_modules/@fibserver");
  fs.mkdirSync(modules, { recursive: true });
  fs.symlinkSync(path.join(ROOT, "dist/client"), path.join(modules, "client"));
  const main = path.join(folder.path, "main.mjs");
  // The limits of milliseconds are for readers; no example is about them.
  fs.writeFileSync(main, code.replaceAll("5000", "200000").replaceAll("http://127.0.0.1:8080", server.url));
  await using child = Bun.spawn([process.execPath, main], {
    cwd: folder.path,
    env: { NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect({ stderr, exitCode: await child.exited }).toEqual({ stderr: "", exitCode: 0 });
  return stdout;
}

function bare(text: string): string {
  return text.replaceAll(/\s|,(?=\s*\})/g, "");
}

/** All commands, with those below them. */
async function commandsBelow(
  words: readonly string[] = [],
): Promise<{ words: readonly string[]; found: Found }[]> {
  const found = await findCommand(fibserver, words);
  const names = Object.keys(await resolved(found.command.subCommands ?? {}));
  const below = await Promise.all(names.map((name) => commandsBelow([...words, name])));
  return [{ words, found }, ...below.flat()];
}
