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
  /** The ratio to reach: at least, or at most where less is better. */
  readonly goal?: { readonly ratio: number; readonly atMost?: boolean } | undefined;
}

/** A set of rows that were measured together. */
export interface Table {
  readonly title: string;
  readonly rows: readonly Row[];
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
export function ratio(table: Table, row: Row): number | undefined {
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

/** Prints a table, and keeps it as JSON in `build/bench/`. */
export function publish(table: Table): void {
  const lines = table.rows.map((row) => {
    const value = ratio(table, row);
    const { goal } = row;
    const reached =
      value === undefined || goal === undefined || (goal.atMost ? value <= goal.ratio : value >= goal.ratio);
    return [
      row.name,
      `${format(median(row.samples))} ${row.unit}`,
      `${format(Math.min(...row.samples))} … ${format(Math.max(...row.samples))}`,
      value === undefined ? "" : `${value.toFixed(2)} × ${row.speedup ? "as fast as " : ""}${row.against}`,
      goal === undefined ? "" : `${reached ? "reaches" : "MISSES"} ${goal.atMost ? "≤" : "≥"} ${goal.ratio}`,
    ];
  });
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
  const rows = table.rows.map((row) => ({ ...row, median: median(row.samples), ratio: ratio(table, row) }));
  fs.writeFileSync(file, `${JSON.stringify({ ...table, rows }, null, 2)}\n`);
}

/** Stops the benchmark: a wrong answer must not get a time. */
export function mustBe(actual: unknown, expected: unknown, what: string): void {
  if (!Bun.deepEquals(actual, expected)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
  }
}

function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
