/**
 * What a process has to tell, as text that Prometheus reads: its own format 0.0.4, and OpenMetrics 1.0.
 *
 * They differ in the names of counters and infos in the lines about a family, in what is escaped there, and in the end.
 * Bounds are written as OpenMetrics wants them (`le="1.0"`) in both: it is the same series for whoever changes over.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @see https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 * @module
 */
/** The values of the labels of a family, in their order. */
export type LabelValues = readonly string[];

/** A value for each set of labels. */
export type Reading = readonly (readonly [labels: LabelValues, value: number])[];

/** What all families have. */
export interface Head {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** How observations were spread, see `HistogramCell`. */
interface Spread {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  readonly sum: number;
}

/** What a family had to tell at one moment. */
export type Told = Head &
  (
    | { readonly type: "counter" | "gauge" | "info"; readonly values: Reading }
    | { readonly type: "histogram"; readonly values: readonly (readonly [LabelValues, Spread])[] }
  );

/** How it is written. */
export type TextFormat = "prometheus" | "openmetrics";

/** The media type of each. */
export const CONTENT_TYPES: Readonly<Record<TextFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** Writes what a registry has to tell. */
export function metricsText(told: readonly Told[], format: TextFormat): string {
  const end = format === "openmetrics" ? "# EOF\n" : "";
  return told.map((family) => familyText(family, format)).join("") + end;
}

function familyText(family: Told, format: TextFormat): string {
  const { type, help } = family;
  const isOpen = format === "openmetrics";
  const name = isOpen ? family.name.replace(/_(?:total|info)$/, "") : family.name;
  const text = isOpen ? help.replace(/[\\\n"]/g, escaped) : help.replace(/[\\\n]/g, escaped);
  return (
    `# HELP ${name} ${text}\n# TYPE ${name} ${type === "info" && !isOpen ? "gauge" : type}\n` +
    samplesOf(family)
  );
}

function samplesOf(family: Told): string {
  const { name, labels } = family;
  if (family.type === "histogram") {
    return family.values.map(([values, cell]) => histogramText(name, pairsOf(labels, values), cell)).join("");
  }
  return family.values.map(([values, value]) => sample(name, pairsOf(labels, values), value)).join("");
}

function histogramText(name: string, pairs: readonly string[], { bounds, counts, sum }: Spread): string {
  let count = 0;
  let text = "";
  counts.forEach((more, i) => {
    count += more;
    const bound = bounds[i] ?? Number.POSITIVE_INFINITY;
    text += sample(`${name}_bucket`, [...pairs, `le="${boundText(bound)}"`], count);
  });
  return text + sample(`${name}_sum`, pairs, sum) + sample(`${name}_count`, pairs, count);
}

function sample(name: string, pairs: readonly string[], value: number): string {
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numberText(value)}\n`;
}

function pairsOf(labels: readonly string[], values: LabelValues): string[] {
  return labels.map((label, i) => `${label}="${values[i]!.replace(/[\\\n"]/g, escaped)}"`);
}

function escaped(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}

function boundText(bound: number): string {
  return Number.isInteger(bound) && bound < 1e21 ? `${bound}.0` : numberText(bound);
}

/** The shortest text that is this number again. */
function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
