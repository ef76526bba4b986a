/**
 * How everything here is measured: contenders in turn, in the same minute, as a ratio.
 *
 * The machines are noisy and have two cores, so an absolute figure says little. In
 * each round every contender runs once; a ratio is taken within its round, and the
 * median over the rounds is what is quoted.
 * @module
 */
import fs from "node:fs";

/** One row of a table: what a contender did in each round. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly samples: readonly number[];
  /** Row that this one is compared with; undefined for the yardstick itself. */
  readonly against?: string | undefined;
  /** The ratio says how many times as fast: the samples are times, and the yardstick's is divided by ours. */
  readonly speedup?: boolean;
  /** What the ratio is to reach, or the median itself: at least, or at most where less is better. */
  readonly goal?: Goal | undefined;
  /** What the README calls it, if it is one of the figures that stand there. */
  readonly headline?: string | undefined;
}

/** What a row is to reach. */
export type Goal = ({ readonly ratio: number } | { readonly median: number }) & { readonly atMost?: boolean };

/** A set of rows that were measured together. */
export interface Table {
  readonly title: string;
  /** Which programs stand beside, with their versions. */
  readonly beside?: string;
  readonly rows: readonly Row[];
}

/** What a row has come to. */
export interface Figure extends Omit<Row, "samples"> {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly ratio?: number | undefined;
}

/** A table of such figures, as it is kept. */
export interface Figures extends Omit<Table, "rows"> {
  readonly rows: readonly Figure[];
}

/** Measures once and returns the figure, or several. */
export type Contender<Sample = number> = () => Promise<Sample> | Sample;

/** What each contender did in each round. */
export type Samples<Contenders extends Record<string, Contender<unknown>>> = {
  [Name in keyof Contenders]: Awaited<ReturnType<NonNullable<Contenders[Name]>>>[];
};

/** The middle of the samples. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median of the ratios within each round; undefined for a row without a yardstick. */
function ratio(table: Table, row: Row): number | undefined {
  const base = table.rows.find(({ name }) => name === row.against);
  const ratios = base && row.samples.map((sample, round) => sample / base.samples[round]!);
  return ratios && median(row.speedup ? ratios.map((value) => 1 / value) : ratios);
}

/**
 * Runs every contender once a round, in random order: what one leaves behind must not always meet the same next.
 *
 * @param rounds - How many rounds count.
 * @param contenders - By name.
 * @returns The samples by name.
 */
export async function interleave<Contenders extends Record<string, Contender<unknown>>>(
  rounds: number,
  contenders: Contenders,
): Promise<Samples<Contenders>> {
  const samples: Record<string, unknown[]> = Object.fromEntries(
    Object.keys(contenders).map((name) => [name, []]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of shuffled(Object.entries(contenders))) samples[name]!.push(await measure());
  }
  return samples as Samples<Contenders>;
}

function shuffled<T>(list: readonly T[]): T[] {
  const keyed = list.map((value) => ({ value, key: Math.random() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ value }) => value);
}

let published: Figures[] = [];

/** Prints a table, and keeps it: with its samples as JSON in `build/bench/`, its figures for {@link takePublished}. */
export function publish(table: Table): void {
  const figures = { ...table, rows: table.rows.map((row) => figureOf(table, row)) };
  published.push(figures);
  const lines = figures.rows.map((row) => Object.values(cellsOf(row)));
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  console.log(`\n${table.title}`);
  for (const line of lines)
    console.log(
      `  ${line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()}`,
    );
  fs.mkdirSync("build/bench", { recursive: true });
  const file = `build/bench/${table.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.json`;
  const samples = table.rows.map((row) => row.samples);
  fs.writeFileSync(file, `${JSON.stringify({ ...figures, samples }, null, 2)}\n`);
}

/** What was published since it was last asked for. */
export function takePublished(): Figures[] {
  const tables = published;
  published = [];
  return tables;
}

function figureOf(table: Table, row: Row): Figure {
  const { samples, ...rest } = row;
  return {
    ...rest,
    median: median(samples),
    lowest: Math.min(...samples),
    highest: Math.max(...samples),
    ratio: ratio(table, row),
  };
}

/** What a row says in each column, for a terminal and for a document. */
export function cellsOf(row: Figure): Record<"what" | "measured" | "range" | "beside" | "goal", string> {
  const { name, unit, median: middle, lowest, highest, ratio: value, against, speedup, goal } = row;
  const wanting = goal && verdict(row, goal);
  return {
    what: name,
    measured: quantity(middle, unit),
    range: lowest === highest ? "" : `${format(lowest)} … ${format(highest)}`,
    beside: value === undefined ? "" : `${times(value)} × ${speedup ? "as fast as " : ""}${against}`,
    goal: goal === undefined || wanting === undefined ? "" : `${wanting} ${textOf(goal, unit)}`,
  };
}

/** A ratio of 0.003 is not 0.00. */
function times(value: number): string {
  return value >= 0.1 || value === 0 ? format(value) : value.toPrecision(2);
}

/** Undefined for a ratio when nothing stands beside. */
function verdict({ median: middle, ratio: value }: Figure, goal: Goal): "reaches" | "MISSES" | undefined {
  const [figure, wanted] = "ratio" in goal ? [value, goal.ratio] : [middle, goal.median];
  if (figure === undefined) return undefined;
  return (goal.atMost ? figure <= wanted : figure >= wanted) ? "reaches" : "MISSES";
}

function textOf(goal: Goal, unit: string): string {
  const sign = goal.atMost ? "≤" : "≥";
  return "ratio" in goal
    ? `${sign} ${goal.ratio} ×`
    : `${sign} ${goal.median.toLocaleString("en-US")}${spaced(unit)}`;
}

function quantity(value: number, unit: string): string {
  return `${format(value)}${spaced(unit)}`;
}

/** A rate stands close behind its number: 111,000/s. */
function spaced(unit: string): string {
  return unit === "" || unit.startsWith("/") ? unit : ` ${unit}`;
}

/** Stops the benchmark: a wrong answer must not get a time. */
export function mustBe(actual: unknown, expected: unknown, what: string): void {
  if (!Bun.deepEquals(actual, expected)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
  }
}

/** Three digits, or four: more are noise. */
function format(value: number): string {
  if (Number.isInteger(value) && value < 100_000) return value.toLocaleString("en-US");
  if (value >= 10_000) return (Math.round(value / 100) * 100).toLocaleString("en-US");
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
