/**
 * What `make bench` writes into documents: pure.
 *
 * Between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` stands what was measured for the question of that name, with when
 * and where; `headlines` are the rows of all questions that have one. Everything else is somebody's prose.
 * @module
 */
import { cellsOf, type Figure, type Figures } from "./measure.ts";

/** What one question has come to. */
export interface Measured {
  /** Such as `2026-11-28`. */
  readonly date: string;
  readonly commit: string;
  readonly bun: string;
  readonly rounds: number;
  /** One line. */
  readonly machine: string;
  readonly tables: readonly Figures[];
}

/** By question. What was not measured again stays as it was. */
export type Results = Readonly<Record<string, Measured>>;

/** The block that has a row of each question. */
export const HEADLINES = "headlines";

const BLOCK = /(<!-- bench:([a-z]+) -->\n).*?(<!-- \/bench:\2 -->)/gs;
const MARK = /<!-- \/?bench:/g;
const COLUMNS = {
  what: "what",
  measured: "median",
  range: "lowest … highest",
  beside: "beside",
  goal: "goal",
};
/** Of these less is better; of rates more. */
const LESS_UNITS = new Set(["µs", "ms", "s", "ns", "MB", "bytes"]);

/** The names of the blocks in a document. @throws when a mark is alone, nested, or there twice. */
export function blocksOf(document: string): string[] {
  const names = Array.from(document.matchAll(BLOCK), ([, , name]) => name!);
  const marks = document.match(MARK) ?? [];
  if (marks.length !== 2 * names.length)
    throw new Error("A mark of make bench is not closed, or stands inside of another one's block");
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`The mark bench:${twice} is there twice`);
  return names;
}

/** Fills the blocks of a document; those of questions that were never measured stay. */
export function fillBlocks(document: string, results: Results): string {
  blocksOf(document);
  return document.replaceAll(BLOCK, (whole, open: string, name: string, close: string) => {
    const text = name === HEADLINES ? headlines(results) : results[name] && block(results[name]);
    return text === undefined ? whole : `${open}\n${text}\n${close}`;
  });
}

function block(measured: Measured): string {
  return [...measured.tables.map(tableOf), `<sub>${whenAndWhere(measured)}.</sub>\n`].join("\n");
}

function whenAndWhere({ date, commit, rounds, bun, machine }: Measured): string {
  const count = rounds === 1 ? "1 round" : `${rounds} rounds`;
  return `Measured ${date}, commit ${commit}, ${count}, Bun ${bun}, on ${machine}`;
}

function tableOf({ title, beside, rows }: Figures): string {
  const lines = rows.map(cellsOf);
  const columns = (["what", "measured", "range", "beside", "goal"] as const).filter((column) =>
    lines.some((line) => line[column] !== ""),
  );
  const heads = columns.map((column) => COLUMNS[column] + (column === "measured" ? better(rows) : ""));
  const body = lines.map((line) => columns.map((column) => line[column]));
  const caption = beside === undefined || beside === "" ? `**${title}**` : `**${title}** (${beside})`;
  return `${caption}\n\n${table([heads, ...body])}`;
}

function better(rows: readonly Figure[]): string {
  const isLess = rows.map(({ unit }) => LESS_UNITS.has(unit));
  if (isLess.every(Boolean)) return ", less is better";
  return isLess.some(Boolean) || rows.some(({ unit }) => !unit.endsWith("/s")) ? "" : ", more is better";
}

function headlines(results: Results): string | undefined {
  const all = Object.values(results);
  const rows = all.flatMap(({ tables }) => tables.flatMap((one) => one.rows));
  const lines = rows.flatMap((row) => {
    const { measured, beside } = cellsOf(row);
    return row.headline === undefined ? [] : [[row.headline, measured, beside]];
  });
  if (lines.length === 0) return undefined;
  const latest = all.toSorted((a, b) => a.date.localeCompare(b.date)).at(-1)!;
  return `${table([["what", "measured", "beside"], ...lines])}\n<sub>Medians, last measured ${latest.date}, commit ${latest.commit}, on ${latest.machine}.</sub>\n`;
}

function table([heads, ...body]: readonly (readonly string[])[]): string {
  return `${lineOf(heads!)}|${"---|".repeat(heads!.length)}\n${body.map(lineOf).join("")}`;
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.map(escaped).join(" | ")} |\n`;
}

/** What would end a cell, or begin a tag. */
function escaped(cell: string): string {
  return cell.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
