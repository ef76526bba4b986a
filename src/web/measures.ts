/**
 * How the page writes times, sizes and rates: in the unit that people say, to two or three digits. Pure.
 * @module
 */
import { grouped } from "./numerals.ts";

const NBSP = "\u00a0";

/** How long something takes: `85 µs`, `0.21 ms`, `12 ms`, `1.4 s`. */
export function shortTime(seconds: number): string {
  if (seconds < 0.0001) return `${rounded(seconds * 1e6)}${NBSP}µs`;
  if (seconds < 1) return `${rounded(seconds * 1e3)}${NBSP}ms`;
  return `${rounded(seconds)}${NBSP}s`;
}

/** How long something lasts: `12 s`, `3 min`, `2 h 5 min`, `3 days`. */
export function longTime(seconds: number): string {
  if (seconds < 59.5) return `${Math.max(0, Math.round(seconds))}${NBSP}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}${NBSP}min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}${NBSP}h ${minutes % 60}${NBSP}min`;
  return `${Math.floor(hours / 24)}${NBSP}days`;
}

/** `61 MB`: of a million bytes each, as files are counted. */
export function sizeText(bytes: number): string {
  const power = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${rounded(bytes / 1000 ** power)}${NBSP}${SIZES[power]}`;
}

const SIZES = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** A count that is a mean: whole from ten on, else with a tenth, `1 204`, `1.6`. */
export function rounded(value: number): string {
  if (value >= 9.95 || Number.isInteger(value)) return grouped(Math.round(value));
  return value >= 0.995 ? value.toFixed(1).replace(/\.0$/, "") : String(Number(value.toPrecision(2)));
}
