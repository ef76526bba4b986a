/**
 * Counters, gauges and histograms of one process, which metrics-text.ts writes for Prometheus.
 *
 * They are ours because they lie on the way of every request, which takes 8 µs: a counter and a histogram cost 92 ns,
 * prom-client's 1.3 µs, OpenTelemetry's 1.5. Whoever counts often keeps the {@link Cell} of its labels; what can be
 * read when somebody asks, such as how many wait, is a gauge with a function and costs nothing in between.
 * @module
 */
import {
  type Head,
  type LabelValues,
  metricsText,
  type Reading,
  type TextFormat,
  type Told,
} from "./metrics-text.ts";

const NOTHING: Reading = [];

/** Bounds for what takes from 0.1 ms to 10 s. */
const SECONDS_BOUNDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

/** One number that only grows. */
export class Cell {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  add(amount = 1): void {
    this.#value += amount;
  }
}

/** How many observations lie below each bound, and their sum. */
export class HistogramCell {
  readonly bounds: readonly number[];
  /** Those up to each bound and beyond the one before, and behind them those beyond the last. */
  readonly counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  get sum(): number {
    return this.#sum;
  }

  observe(value: number): void {
    const bounds = this.bounds;
    let i = 0;
    while (i < bounds.length && value > bounds[i]!) i++;
    this.counts[i]!++;
    this.#sum += value;
  }
}

/** Cells of one name, by the values of their labels. */
class Family<C extends Cell | HistogramCell> implements Head {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly cells = new Map<string, { readonly values: LabelValues; readonly cell: C }>();
  readonly #make: () => C;

  constructor({ name, help, labels }: Head, make: () => C) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.#make = make;
    if (labels.length === 0) this.cell();
  }

  /** The cell of some values, which has to be few in all: a pattern or a state, never a path or a name. */
  cell(...values: string[]): C {
    const key = values.join("\n");
    let entry = this.cells.get(key);
    if (entry === undefined) {
      if (values.length !== this.labels.length)
        throw new Error(`${this.name} has labels ${this.labels.join()}`);
      this.cells.set(key, (entry = { values, cell: this.#make() }));
    }
    return entry.cell;
  }

  /**
   * Makes the cells that are known beforehand, so that they begin at 0: of what appears at 1 Prometheus sees no growth.
   *
   * @param values - For each label all that it may be; there is a cell for each combination.
   */
  declare(...values: readonly (readonly string[])[]): this {
    const combinations = values.reduce<string[][]>(
      (found, more) => found.flatMap((before) => more.map((value) => [...before, value])),
      [[]],
    );
    for (const combination of combinations) this.cell(...combination);
    return this;
  }

  /**
   * What its cells come to now; a status page makes rates and quantiles of two of them.
   *
   * @param of - Which cells, by the values of their labels.
   */
  total(of: (values: LabelValues) => boolean = () => true): Total {
    let sum = 0;
    let counts = new Float64Array(0);
    let bounds: readonly number[] = [];
    for (const { values, cell } of this.cells.values()) {
      if (!of(values)) continue;
      sum += cell instanceof Cell ? cell.value : cell.sum;
      if (cell instanceof Cell) continue;
      if (counts.length === 0) counts = new Float64Array(cell.counts.length);
      bounds = cell.bounds;
      for (let i = 0; i < counts.length; i++) counts[i]! += cell.counts[i]!;
    }
    return { sum, counts, bounds };
  }
}

export type Counter = Family<Cell>;
export type Histogram = Family<HistogramCell>;

type Read = () => Reading | Promise<Reading>;

/** What is read when somebody asks. */
class Gauge implements Head {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly #read: Read;

  constructor({ name, help, labels }: Head, read: Read) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.#read = read;
  }

  /** Nothing when it fails. */
  async read(): Promise<Reading> {
    try {
      return await this.#read();
    } catch {
      return NOTHING;
    }
  }
}

/** What the cells of a counter or a histogram come to together. The difference of two is what happened in between. */
export interface Total {
  readonly sum: number;
  /** As in a {@link HistogramCell}; empty for a counter. */
  readonly counts: Float64Array;
  readonly bounds: readonly number[];
}

/** What a process has to tell. */
export class Registry {
  readonly #families = new Map<string, Counter | Histogram | Gauge>();

  /** A count that only grows; its name ends with `_total`. */
  counter(name: string, help: string, labels: readonly string[] = []): Counter {
    return this.#add(new Family<Cell>({ name, help, labels }, () => new Cell()));
  }

  /** How observations are spread; in base units, so a name that ends with `_seconds` or `_bytes`. */
  histogram(
    name: string,
    help: string,
    labels: readonly string[] = [],
    bounds: readonly number[] = SECONDS_BOUNDS,
  ): Histogram {
    return this.#add(new Family({ name, help, labels }, () => new HistogramCell(bounds)));
  }

  /**
   * What is read when somebody asks. One that fails is left out of that answer; one that waits for something has a
   * deadline of its own ({@link promptly}), because the answer waits for all. A name with `_total` is a counter that
   * somebody else keeps, one with `_info` tells by its labels.
   */
  gauge(name: string, help: string, labels: readonly string[], read: Read): void {
    this.#add(new Gauge({ name, help, labels }, read));
  }

  /** A gauge of one value. */
  value(name: string, help: string, read: () => number | Promise<number>): void {
    this.gauge(name, help, [], async () => [[[], await read()]]);
  }

  /** Everything as text. What has nothing to tell is left out. */
  async text(format: TextFormat): Promise<string> {
    return metricsText(await this.#tell(), format);
  }

  async #tell(): Promise<Told[]> {
    const told = [...this.#families.values()].map(async (family) =>
      family instanceof Gauge ? toldOfGauge(family, await family.read()) : toldOfCells(family),
    );
    return (await Promise.all(told)).filter(({ values }) => values.length > 0);
  }

  #add<F extends Counter | Histogram | Gauge>(family: F): F {
    if (this.#families.has(family.name)) throw new Error(`${family.name} is registered twice`);
    this.#families.set(family.name, family);
    return family;
  }
}

function toldOfGauge({ name, help, labels }: Gauge, values: Reading): Told {
  const type = name.endsWith("_total") ? "counter" : name.endsWith("_info") ? "info" : "gauge";
  return { name, help, labels, type, values };
}

function toldOfCells({ name, help, labels, cells }: Counter | Histogram): Told {
  const head = { name, help, labels };
  const counts: [LabelValues, number][] = [];
  const histograms: [LabelValues, HistogramCell][] = [];
  for (const { values, cell } of cells.values()) {
    if (cell instanceof Cell) counts.push([values, cell.value]);
    else histograms.push([values, cell]);
  }
  return histograms.length > 0
    ? { ...head, type: "histogram", values: histograms }
    : { ...head, type: "counter", values: counts };
}
