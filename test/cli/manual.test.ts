/** The manual page, held against the definitions and the programs that show it. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { ArgsDef } from "citty";
import fs from "node:fs";
import path from "node:path";
import { manualPage, VARIABLES } from "../../packages/manual/page.ts";
import { type Command, resolved } from "../../src/cli/arguments.ts";
import { fibserver } from "../../src/cli/root.ts";
import { environmentName } from "../../src/config/config.ts";
import { CODES } from "../../src/errors.ts";
import { requireTool, temporaryFolder } from "../binary.ts";

setDefaultTimeout(300_000);

const DATE = new Date("2026-11-28T00:00:00Z");
const PAGE = await manualPage(DATE);
const withMandoc = requireTool(["sh", "-c", "command -v mandoc"], "apt-get install mandoc");
const withMan = requireTool(["man", "--version"], "apt-get install man-db");

withMandoc("mandoc finds nothing to warn of", () => {
  const { stdout } = Bun.spawnSync(["mandoc", "-T", "lint", "-W", "warning"], { stdin: Buffer.from(PAGE) });
  expect(stdout.toString()).toBe("");
  return Promise.resolve();
});

test("it is the same page for the same time, and has its date", async () => {
  expect(await manualPage(DATE)).toBe(PAGE);
  expect(PAGE).toStartWith(".Dd November 28, 2026\n");
  const built = Bun.spawnSync(
    [process.execPath, path.resolve(import.meta.dir, "../../packages/manual/build.ts")],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(DATE.getTime() / 1000) },
    },
  );
  expect(built.stdout.toString()).toBe(PAGE);
});

withMandoc("each command, flag, exit status and section is in it", async () => {
  const { stdout } = Bun.spawnSync(["mandoc", "-T", "ascii", "-O", "width=78"], { stdin: Buffer.from(PAGE) });
  const text = plain(stdout);
  const parts = new Map(text.split(/\n {3}(?=fibserver)/).map((part) => [part.split("\n")[0]!, part]));
  const server = partOf(parts, "fibserver serve");
  const walk = async (command: Command, name: string): Promise<void> => {
    if (command.run !== undefined) {
      const part = partOf(parts, name);
      for (const [flag, { type }] of Object.entries(await resolved<ArgsDef>(command.args ?? {})))
        if (type !== "positional")
          expect(`${part}${command === fibserver ? server : ""}`).toMatch(new RegExp(`--${flag}\\b`));
    }
    for (const [word, each] of Object.entries(await resolved(command.subCommands ?? {})))
      await walk(await resolved(each), `${name} ${word}`);
  };
  await walk(fibserver, "fibserver");
  for (const { exit } of Object.values(CODES)) expect(text).toMatch(new RegExp(`^ {5}${exit} `, "m"));
  for (const section of ["NAME", "SYNOPSIS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"])
    expect(text).toMatch(new RegExp(`^${section}$`, "m"));
});

test("each variable that is read is in it, and so is what docs/options.md tells of", async () => {
  const root = path.resolve(import.meta.dir, "../..");
  const flags = new Set<string>();
  const walk = async (command: Command): Promise<void> => {
    for (const flag of Object.keys(await resolved<ArgsDef>(command.args ?? {})))
      flags.add(environmentName(flag));
    for (const each of Object.values(await resolved(command.subCommands ?? {})))
      await walk(await resolved(each));
  };
  await walk(fibserver);
  const read = new Set<string>();
  for (const file of new Bun.Glob("src/**/*.ts").scanSync(root)) {
    const text = fs.readFileSync(path.join(root, file), "utf8");
    for (const [, name] of text.matchAll(/\benv(?:\[["'`]|\.)([A-Z][A-Z_\d]+)/g)) read.add(name!);
    for (const [, names] of text.matchAll(/\{([^{}]+)\} = (?:process\.)?env;/g))
      for (const [name] of names!.matchAll(/\b[A-Z][A-Z_\d]+\b/g)) read.add(name);
    if (file.startsWith("src/config/"))
      for (const [, name] of text.matchAll(/\b(?:setting|integer|natural|on)\("([a-z-]+)"/g))
        read.add(environmentName(name!));
  }
  for (const name of ["FIBSERVER_SENTINEL_AUTH", "NOTIFY_SOCKET", "WATCHDOG_USEC", "HOME"])
    expect([...read]).toContain(name);
  const options = fs.readFileSync(path.join(root, "docs/options.md"), "utf8");
  for (const [row] of options.matchAll(/^\|.*$/gm))
    for (const [, name] of row.matchAll(/`([A-Z][A-Z_\d]{3,})(?:=[^`]*)?`/g)) read.add(name!);
  // The standard's relatives of the one, and the id that goes with the other, are named with them.
  const missing = [...read].filter(
    (name) => !flags.has(name) && !Object.hasOwn(VARIABLES, name) && !/^OTEL_|^WATCHDOG_PID$/.test(name),
  );
  expect(missing).toEqual([]);
});

withMan("man shows it in 80 and in 40 columns", async () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/fibserver.1`;
  fs.writeFileSync(file, PAGE);
  for (const columns of [80, 40]) {
    const env = { PATH: process.env["PATH"], MANWIDTH: String(columns), LC_ALL: "C.UTF-8", MANROFFOPT: "" };
    const { stdout, stderr, exitCode } = Bun.spawnSync(["man", "--warnings", "-l", file], { env });
    // Addresses and lines to paste are longer than 40.
    const said = stderr.toString().split("\n");
    const warnings = said.filter((line) => columns === 80 || !line.endsWith("can't break line"));
    expect({ columns, exitCode, warnings }).toEqual({ columns, exitCode: 0, warnings: [""] });
    const text = plain(stdout);
    expect(text).toContain("--max-digits N");
    // What cannot be broken is as long as it is.
    const tooLong = text
      .split("\n")
      .filter((line) => line.length > columns && / \S.* /.test(line.trimStart()));
    expect(columns === 80 ? tooLong : []).toEqual([]);
  }
});

/** Without what is bold (a letter over itself) and underlined (over a line), as on a typewriter. */
function plain(text: Uint8Array): string {
  const [first = "", ...rest] = Buffer.from(text).toString().split("\u0008");
  return rest.reduce((before, part) => before.slice(0, -1) + part, first);
}

function partOf(parts: ReadonlyMap<string, string>, name: string): string {
  const found = [...parts].find(([title]) => title === name || new RegExp(`^${name} [[A-Z]`).test(title));
  if (found === undefined) throw new Error(`The page has nothing about ${name}`);
  return found[1];
}
