/**
 * A question of `make bench` is measured, and what it has come to is kept and written into the documents. One that fails
 * changes nothing: its tables stay, with their own date and commit.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { takePublished } from "./measure.ts";
import { blocksOf, fillBlocks, HEADLINES, type Measured, type Results } from "./report.ts";

/** What can be measured. */
export interface Question {
  /** Programs without which it cannot be. */
  readonly needs?: readonly string[];
  /** Finds what measures, and publishes its tables. */
  readonly load: () => Promise<(rounds: number) => Promise<void>>;
}

/** What is kept, below the root: all documents are written from it. */
const RESULTS = "bench/results.json";
/** This one has a block for each question. */
const PERFORMANCE = "docs/performance.md";
const DOCUMENTS = [PERFORMANCE, "README.md"];

/** Where questions are measured, and what their tables say of it. */
export interface Session {
  /** The folder of the project. */
  readonly root: string;
  /** All that there are, in the order of the results. */
  readonly questions: Readonly<Record<string, Question>>;
  readonly rounds: number;
  readonly place: Pick<Measured, "commit" | "bun" | "machine">;
}

/** Half an hour of measuring must not end at a wrong word. @throws when what is wanted cannot be measured and written. */
export function checkWanted(
  { root, questions, rounds }: Omit<Session, "place">,
  wanted: readonly string[],
): void {
  const names = Object.keys(questions);
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`No benchmark ${unknown}: there are ${names.join(", ")}`);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("ROUNDS is a whole number from 1 on");
  checkDocuments(root, names);
}

/** Measures one question, and writes its tables. @throws when it fails; then nothing is written. */
export async function measureQuestion(session: Session, name: string): Promise<void> {
  const { questions, rounds, place } = session;
  const { needs = [], load } = questions[name]!;
  const missing = needs.filter((program) => Bun.which(program) === null);
  if (missing.length > 0)
    return console.log(`\n${name} is not measured, and its tables stay: install ${missing.join(", ")}`);
  const startMs = performance.now();
  takePublished();
  const measure = await load();
  await measure(rounds);
  keep(session, name, { ...place, rounds, date: new Date().toISOString().slice(0, 10) });
  console.log(`\n(${name}: ${Math.round((performance.now() - startMs) / 1000)} s)`);
}

/** Every question has its block in {@link PERFORMANCE}, and every block its question. */
function checkDocuments(root: string, names: readonly string[]): void {
  for (const document of DOCUMENTS) {
    const blocks = blocksOf(fs.readFileSync(path.join(root, document), "utf8"));
    const missing = document === PERFORMANCE ? names.filter((name) => !blocks.includes(name)) : [];
    if (missing.length > 0) throw new Error(`${document} lacks the marks of ${missing.join(", ")}`);
    const unknown = blocks.filter((name) => name !== HEADLINES && !names.includes(name));
    if (unknown.length > 0) throw new Error(`${document} has marks of no benchmark: ${unknown.join(", ")}`);
  }
}

function keep({ root, questions }: Session, name: string, about: Omit<Measured, "tables">): void {
  const found: Record<string, Measured> = {
    ...readResults(root),
    [name]: { ...about, tables: takePublished() },
  };
  const results = Object.fromEntries(
    Object.keys(questions)
      .filter((key) => found[key] !== undefined)
      .map((key) => [key, found[key]!]),
  );
  fs.writeFileSync(path.join(root, RESULTS), `${JSON.stringify(results, null, 1)}\n`);
  writeDocuments(root);
}

/** What was measured so far. */
export function readResults(root: string): Results {
  const file = path.join(root, RESULTS);
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Results) : {};
}

/** Writes what is kept into the documents, and nothing besides. */
export function writeDocuments(root: string): void {
  const results = readResults(root);
  for (const name of DOCUMENTS) {
    const file = path.join(root, name);
    const text = fs.readFileSync(file, "utf8");
    const filled = fillBlocks(text, results);
    if (filled !== text) fs.writeFileSync(file, filled);
  }
}
