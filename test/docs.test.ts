/**
 * What the pages show is true: each command that can be run here is run, in a shell with the real program, and prints
 * what stands below it; each block is of a kind that something checks; links lead somewhere.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { isWorking, requireTool } from "./binary.ts";
import { blocksOf, type Command, commandsOf, isShown, linesOf, PAGES } from "./docs-pages.ts";
import { openSession } from "./docs-session.ts";
import { startNginx } from "./nginx.ts";

setDefaultTimeout(300_000);

const ROOT = path.resolve(import.meta.dir, "..");

/** The kinds of blocks, and what checks them. */
const KINDS: Readonly<Record<string, string>> = {
  console: "run here, with its output",
  sh: "run here",
  js: "run by readme.test.ts, with what it prints",
  nginx: "loaded by nginx here",
  text: "nothing to run: a picture, or what something looks like",
};

/** Commands that are not run here, by how they begin, and why. */
const NOT_RUN: readonly (readonly [start: string, why: string])[] = [
  ["make ", "they build and test this very program: make test, make test-release"],
  [".bun/bun test ", "it would run tests within tests"],
  ["curl -fsSL https://example.org/", "no address of ours; install.sh runs in test/release/install.test.ts"],
  ["curl -fO https://example.org/", "no address of ours"],
  ["sha256sum --check --ignore-missing ", "what was not fetched; the archives are checked by test/release/"],
  ["tar -xzf fibserver-", "the same"],
  ["apt-get install ./fibserver", "it changes the machine; the package is installed by test/release/"],
  ["npx fibserver", "no registry of ours; the packages are installed by test/release/npm.test.ts"],
  ["npm install ", "the same"],
  ["source <(fibserver completion zsh)", "zsh's own; test/cli/ has the real shells complete"],
  ["fibserver completion fish | source", "fish's own"],
  ["docker ", "there is no Docker here; the files of deploy/containers are tested by test/deploy/"],
];

const isRun = ({ text }: Command) => !NOT_RUN.some(([start]) => text.startsWith(start));

/** What the commands of some pages need, besides the program. */
const TOOLS = [
  [/\bcurl\b/, ["curl", "--version"], "apt-get install curl"],
  [/^redis-server /m, ["redis-server", "--version"], "apt-get install redis-server"],
  [/\bopenssl\b/, ["openssl", "version"], "apt-get install openssl"],
] as const;

for (const page of PAGES) {
  const commands = commandsOf(page);
  const run = commands.filter(isRun);
  if (run.length === 0) continue;
  const all = run.map(({ text }) => text).join("\n");
  const needed = TOOLS.filter(([word]) => word.test(all));
  const [, probe, install] = needed.find(([, each]) => !isWorking(each)) ?? [undefined, ["true"], ""];

  requireTool(probe, install)(`the ${run.length} commands in ${page} do what it says`, async () => {
    await using session = await openSession();
    const wrong = [];
    for (const { at, text, expected } of run) {
      const status = Number(/# .*\bstatus (\d+)/.exec(text)?.[1] ?? 0);
      const shown = expected === undefined ? undefined : session.translated(expected).trimEnd();
      const { output, exitCode } = await session.run(text, shown);
      if (exitCode !== status || (shown !== undefined && !isShown(output, shown)))
        wrong.push({ at, text, exitCode, output: output.slice(0, 2000), shown });
    }
    expect(wrong).toEqual([]);
  });
}

test("each block of a page is of a kind that something checks", () => {
  for (const page of PAGES)
    for (const { line, kind } of blocksOf(page))
      expect({ at: `${page}:${line}`, kind, checked: Object.hasOwn(KINDS, kind) }).toMatchObject({
        checked: true,
      });
});

test("each command that is not run is one that a page shows, and one that bash understands", () => {
  const commands = PAGES.flatMap(commandsOf);
  for (const [start] of NOT_RUN) {
    const such = commands.filter(({ text }) => text.startsWith(start));
    expect([start, such.length]).not.toEqual([start, 0]);
    for (const { at, text } of such) {
      const { exitCode, stderr } = Bun.spawnSync(["bash", "-n", "-c", text]);
      expect([at, text, stderr.toString(), exitCode]).toEqual([at, text, "", 0]);
    }
  }
});

const withNginx = requireTool(["nginx", "-v"], "apt-get install nginx-light");

withNginx("nginx takes what the pages show for it", async () => {
  const blocks = PAGES.flatMap((page) => blocksOf(page).filter(({ kind }) => kind === "nginx"));
  expect(blocks.length).toBeGreaterThan(0);
  for (const { text } of blocks) {
    await using nginx = await startNginx(text);
    expect(nginx.url).toStartWith("http://127.0.0.1:");
  }
});

test("README is short", () => {
  expect(linesOf("README.md").length).toBeLessThan(150);
});

test("each file of deploy/ is in the table of docs/operating.md, or its folder is", () => {
  const table = linesOf("docs/operating.md").filter((line) => line.startsWith("|"));
  const files = Array.from(new Bun.Glob("*/*").scanSync(path.join(ROOT, "deploy")));
  expect(files.length).toBeGreaterThan(4);
  for (const file of files) {
    const names = [`\`deploy/${file}\``, `\`deploy/${path.dirname(file)}/\``];
    const isNamed = table.some((row) => names.some((name) => row.includes(name)));
    expect([file, isNamed]).toEqual([file, true]);
  }
});

test("no table is torn apart by an empty line", () => {
  for (const page of PAGES) {
    const lines = linesOf(page);
    const isRow = (i: number) => lines[i]?.startsWith("|") === true;
    for (const i of lines.keys().filter((each) => isRow(each) && !isRow(each - 1)))
      expect([page, lines[i], lines[i + 1]]).toEqual([page, lines[i], expect.stringMatching(/^[|: -]+$/)]);
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
  expect(links.length).toBeGreaterThan(30);
  const broken = links.filter(({ page, link }) => {
    const [file, anchor] = link.split("#");
    const target = path.join(ROOT, file === "" ? page : path.join(path.dirname(page), file!));
    if (!fs.existsSync(target)) return true;
    return anchor !== undefined && !anchorsOf(path.relative(ROOT, target)).includes(anchor);
  });
  expect(broken).toEqual([]);
});

/** What the headings of a page are called in links. */
function anchorsOf(page: string): string[] {
  return linesOf(page).flatMap((line) => {
    const heading = /^#+ (.*)/.exec(line)?.[1];
    return heading === undefined
      ? []
      : [
          heading
            .toLowerCase()
            .replaceAll(/[^\w -]/g, "")
            .replaceAll(" ", "-"),
        ];
  });
}
