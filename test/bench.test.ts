/**
 * `make bench` writes what it measured between its marks, and nothing else: neither another question's tables, nor prose,
 * nor anything of a question that failed. And what stands in the project's documents is what is kept of the measurements.
 *
 * Method: questions that publish made-up samples, on documents in a folder of the test's.
 */
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { publish } from "../bench/measure.ts";
import { QUESTIONS } from "../bench/questions.ts";
import { blocksOf, fillBlocks } from "../bench/report.ts";
import {
  checkWanted,
  measureQuestion,
  type Question,
  readResults,
  writeDocuments,
} from "../bench/session.ts";
import { temporaryFolder } from "./binary.ts";

const ROOT = path.resolve(import.meta.dir, "..");
const PLACE = { commit: "0123456789ab", bun: "1.4.5", machine: "a machine" };
const PERFORMANCE = `# Before
<!-- bench:first -->
<!-- /bench:first -->
between $& and $1, | a pipe
<!-- bench:second -->
old
<!-- /bench:second -->
behind
<!-- bench:impossible -->
kept
<!-- /bench:impossible -->
`;
const README = `top\n\n<!-- bench:headlines -->\n<!-- /bench:headlines -->\nbottom\n`;

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
const read = (name: string) => fs.readFileSync(path.join(root, name), "utf8");

beforeEach(() => {
  for (const method of ["log", "error"] as const) spyOn(console, method).mockImplementation(() => {});
  folder = temporaryFolder();
  root = folder.path;
  for (const name of ["docs", "bench"]) fs.mkdirSync(path.join(root, name));
  fs.writeFileSync(path.join(root, "docs/performance.md"), PERFORMANCE);
  fs.writeFileSync(path.join(root, "README.md"), README);
});

afterEach(() => {
  for (const method of ["log", "error"] as const) spyOn(console, method).mockRestore();
  folder[Symbol.dispose]();
});

/** A question whose sample is this; of `NaN` it fails, after it has published. */
function questionOf(name: string, sample: number): Question {
  const answer = (): Promise<void> => {
    const rows = [
      { name: "yard|stick", unit: "ms", samples: [2, 2, 2] },
      {
        name: "ours",
        unit: "ms",
        samples: [sample, sample, sample + 1],
        against: "yard|stick",
        goal: { ratio: 1, atMost: true },
        headline: `what <${name}> takes`,
      },
    ];
    publish({ title: `The ${name} test of make bench`, rows });
    return Number.isNaN(sample) ? Promise.reject(new Error("a wrong answer")) : Promise.resolve();
  };
  return { load: () => Promise.resolve(answer) };
}

function sessionOf(samples: Record<string, number>, commit = PLACE.commit) {
  const questions = {
    first: questionOf("first", samples["first"]!),
    second: questionOf("second", samples["second"]!),
    impossible: { ...questionOf("impossible", 1), needs: ["a-program-that-nobody-has"] },
  };
  return { root, questions, rounds: 3, place: { ...PLACE, commit } };
}

/** Measures what has a sample. */
async function measure(samples: Record<string, number>, commit?: string): Promise<void> {
  for (const name of Object.keys(samples)) await measureQuestion(sessionOf(samples, commit), name);
}

/** A document without what is between marks. */
const empty = (document: string): string =>
  document.replaceAll(/(<!-- bench:\w+ -->).*?(<!-- \/bench:\w+ -->)/gs, "$1$2");

const refusal = (wanted: string): string => {
  try {
    checkWanted(sessionOf({}), ["second", wanted]);
    return "";
  } catch (error) {
    return String(error);
  }
};

test("what was measured stands between its marks, once, and all else as it was", async () => {
  await measure({ first: 1 });
  const text = read("docs/performance.md");
  expect(text.split("**The first test of make bench**")).toHaveLength(2);
  expect(text).toContain("| ours | 1 ms | 1 … 2 | 0.50 × yard\\|stick | reaches ≤ 1 × |");
  expect(text).toMatch(
    /Measured \d{4}-\d\d-\d\d, commit 0123456789ab, 3 rounds, Bun 1\.4\.5, on a machine\./,
  );
  expect(text).toContain("<!-- bench:second -->\nold\n<!-- /bench:second -->");
  expect(empty(text)).toBe(empty(PERFORMANCE));
  expect(empty(read("README.md"))).toBe(empty(README));
  expect(read("README.md")).toContain("| what &lt;first> takes | 1 ms | 0.50 × yard\\|stick |");
});

test("what is written twice is the same, and nothing is measured for that", async () => {
  await measure({ first: 1, second: 2 });
  const before = [read("docs/performance.md"), read("README.md")];
  writeDocuments(root);
  expect([read("docs/performance.md"), read("README.md")]).toEqual(before);
});

test("one that is measured again leaves the other with its own commit", async () => {
  await measure({ first: 1, second: 2 }, "aaaaaaaaaaaa");
  await measure({ second: 3 }, "bbbbbbbbbbbb");
  const [first = "", second = ""] = read("docs/performance.md").split("between $&");
  expect(first).toContain("commit aaaaaaaaaaaa");
  expect(second).toContain("commit bbbbbbbbbbbb");
  expect(second).not.toContain("aaaaaaaaaaaa");
  expect(second).toContain("MISSES ≤ 1 ×");
});

test("a question that fails changes nothing, and its tables go to no other", async () => {
  await measure({ first: 1, second: 2 });
  const before = [read("docs/performance.md"), read("README.md"), read("bench/results.json")];
  const failure = await measure({ first: Number.NaN }).catch((error: unknown) => String(error));
  expect(failure).toBe("Error: a wrong answer");
  expect([read("docs/performance.md"), read("README.md"), read("bench/results.json")]).toEqual(before);
  await measure({ second: 7 });
  expect(readResults(root)["second"]!.tables).toHaveLength(1);
  expect(readResults(root)["first"]!.tables[0]!.rows[1]!.median).toBe(1);
});

test("what cannot be measured here stays, and is no failure", async () => {
  await measure({ impossible: 1, first: 1 });
  expect(read("docs/performance.md")).toContain("-->\nkept\n<!--");
  expect(Object.keys(readResults(root))).toEqual(["first"]);
});

test("before anything is measured marks and names are checked", () => {
  expect(refusal("third")).toBe("Error: No benchmark third: there are first, second, impossible");
  fs.writeFileSync(path.join(root, "README.md"), `${README}<!-- bench:third -->\n<!-- /bench:third -->\n`);
  expect(refusal("first")).toBe("Error: README.md has marks of no benchmark: third");
  const renamed = PERFORMANCE.replaceAll("bench:second", "bench:third");
  fs.writeFileSync(path.join(root, "docs/performance.md"), renamed);
  expect(refusal("first")).toBe("Error: docs/performance.md lacks the marks of second");
  fs.writeFileSync(path.join(root, "docs/performance.md"), PERFORMANCE);
  fs.writeFileSync(path.join(root, "README.md"), README);
  expect(refusal("first")).toBe("");
});

test.each([
  ["not closed", PERFORMANCE.replace("<!-- /bench:first -->", ""), "not closed"],
  ["closed by another", PERFORMANCE.replace("<!-- /bench:first -->", "<!-- /bench:other -->"), "not closed"],
  ["there twice", PERFORMANCE + PERFORMANCE, "bench:first is there twice"],
])("a mark that is %s is refused", (_, document, message) => {
  expect(() => fillBlocks(document, {})).toThrow(message);
});

test("every table is one: heads, a line below, and as many cells in each row", async () => {
  await measure({ first: 1, second: 2 });
  for (const name of ["docs/performance.md", "README.md"]) expectTables(read(name));
});

const cellsIn = (row: string): number => row.split(/(?<!\\)\|/).length;

function expectTables(document: string): void {
  const tables = document.split("\n\n").filter((part) => part.startsWith("| what |"));
  expect(tables.length).toBeGreaterThan(0);
  for (const table of tables) {
    const [heads = "", line = "", ...rows] = table.trimEnd().split("\n");
    expect(line).toMatch(/^\|(---\|)+$/);
    expect([heads, ...rows].map(cellsIn)).toEqual([heads, ...rows].map(() => cellsIn(line)));
  }
}

test("the project's documents have a block for each question, and what is kept of it", () => {
  const text = fs.readFileSync(path.join(ROOT, "docs/performance.md"), "utf8");
  expect(blocksOf(text).toSorted()).toEqual(["headlines", ...Object.keys(QUESTIONS)].toSorted());
  const results = readResults(ROOT);
  for (const name of ["docs/performance.md", "README.md"]) {
    const document = fs.readFileSync(path.join(ROOT, name), "utf8");
    expect([name, fillBlocks(document, results)]).toEqual([name, document]);
    expect(document).not.toContain("Not measured yet");
  }
});
