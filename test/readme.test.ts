/**
 * What is said of the program is whole and true: examples for programs run, and print what the comments behind them
 * promise; the tables have each flag and each metric.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { argumentsOf, COMMON_FLAGS, findCommand } from "../src/cli/arguments.ts";
import { fibserver } from "../src/cli/root.ts";
import { environmentName } from "../src/config/config.ts";
import { temporaryFolder } from "./binary.ts";
import { openServer } from "./client/server.ts";

setDefaultTimeout(60_000);

const ROOT = path.resolve(import.meta.dir, "..");

for (const [readme, count] of [
  ["README.md", 6],
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

const PAGES = ["README.md", "docs/operating.md", "packages/client/README.md"];
const linesOf = (page: string) => fs.readFileSync(path.join(ROOT, page), "utf8").split("\n");
const rows = PAGES.flatMap(linesOf).filter((line) => line.startsWith("|"));

test("no table is torn apart by an empty line", () => {
  for (const page of PAGES) {
    const lines = linesOf(page);
    const isRow = (i: number) => lines[i]!.startsWith("|");
    const starts = Array.from(lines.keys()).filter((i) => isRow(i) && !isRow(i - 1));
    expect(starts.length).toBeGreaterThan(0);
    for (const i of starts)
      expect([page, lines[i], lines[i + 1]]).toEqual([page, lines[i], expect.stringMatching(/^[|-]+$/)]);
  }
});

test("each link leads to a page and a heading that there are", () => {
  const links = PAGES.flatMap((page) =>
    Array.from(
      linesOf(page)
        .join("\n")
        .matchAll(/\]\(([^):]*)\)/g),
      ([, link]) => ({ page, link: link! }),
    ),
  );
  expect(links.length).toBeGreaterThan(10);
  for (const { page, link } of links) {
    const [file, anchor] = link.split("#");
    const target = file === "" ? page : path.join(path.dirname(page), file!);
    const headings = linesOf(target).flatMap((line) => /^#+ (.*)/.exec(line)?.[1] ?? []);
    const anchors = headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    );
    expect([page, link, ...(anchor === undefined ? [] : [anchors.includes(anchor)])]).not.toContain(false);
  }
});

test("each flag of servers and executors is in a table, with the variable that stands in for it", async () => {
  for (const name of ["serve", "worker"]) {
    const { flags } = await argumentsOf((await findCommand(fibserver, [name])).command);
    for (const [flag] of flags.filter(([each]) => !Object.hasOwn(COMMON_FLAGS, each))) {
      const row = rows.find((each) => new RegExp(`--${flag}[ \`]`).test(each.split("|")[1]!));
      expect({ flag, row }).toEqual({ flag, row: expect.stringContaining(`\`${environmentName(flag)}\``) });
    }
  }
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
  fs.writeFileSync(main, code.replaceAll("http://127.0.0.1:8080", server.url));
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
