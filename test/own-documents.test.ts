/**
 * What is written for those who change the program is true: each file, folder and target of make that it names is there.
 */
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";

const ROOT = path.resolve(import.meta.dir, "..");
const read = (name: string) => fs.readFileSync(path.join(ROOT, name), "utf8");

const DECISIONS = fs.readdirSync(path.join(ROOT, "docs/decisions")).map((name) => `docs/decisions/${name}`);
const PAGES = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", ...DECISIONS];

/** Each file of the repository, by its path and by every end of it that begins behind a slash. */
const ENDS = new Set(
  ["src", "test", "bench", "packages", "deploy", "docs"]
    .flatMap((folder) =>
      fs
        .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" })
        .map((file) => path.join(folder, file)),
    )
    .flatMap((file) => file.split("/").map((_, index, parts) => parts.slice(index).join("/"))),
);

const isThere = (name: string) =>
  name.includes("*")
    ? Array.from(new Bun.Glob(`**/${name}`).scanSync(path.join(ROOT, "src"))).length > 0
    : ENDS.has(name.replace(/\/$/, "")) || fs.existsSync(path.join(ROOT, name));

for (const page of PAGES) {
  test(`${page} names what there is`, () => {
    const spans = Array.from(read(page).matchAll(/`([^`\n]+)`/g), ([, text]) => text!);
    const files = spans.filter((text) => /^[\w.*-]*[a-z][\w./*-]*(\.(ts|tsx|md|json|sh|mk)|\/)$/.test(text));
    expect(files.filter((name) => !MADE.test(name) && !isThere(name))).toEqual([]);
  });
}

/** What is made by a build, or is a user's. */
const MADE = /^(dist|build|\.bun)\/|^NAME\.|^bunfig/;

test("CONTRIBUTING.md names targets of make and tests that there are", () => {
  const text = read("CONTRIBUTING.md");
  const made = ["Makefile", "packages/release/release.mk"].map(read).join("\n");
  const targets = Array.from(text.matchAll(/\bmake ((?:[a-z][a-z0-9-]+ ?)+)/g), ([, names]) =>
    names!.trim().split(" "),
  ).flat();
  expect(targets.length).toBeGreaterThan(8);
  for (const target of new Set(targets)) expect(made).toMatch(new RegExp(`^${target}:`, "m"));
  const tests = Array.from(text.matchAll(/\btest\/[\w./-]*/g), ([name]) => name);
  expect(tests.length).toBeGreaterThan(10);
  for (const name of tests) expect({ name, isThere: isThere(name) }).toEqual({ name, isThere: true });
});

test("the index of decisions has each of them, once", () => {
  const links = Array.from(
    read("docs/decisions/README.md").matchAll(/\]\(([\w-]+\.md)\)/g),
    ([, name]) => name!,
  );
  const pages = fs.readdirSync(path.join(ROOT, "docs/decisions")).filter((name) => name !== "README.md");
  expect(links.toSorted()).toEqual(pages.toSorted());
});
