/**
 * How the page writes whole numbers, and reads those that people type.
 * @module
 */

/** Between groups of digits: narrow, and no place for a line to break. */
const GAP = "\u202f";

/** A whole number in groups of three: `10 946`. */
export function grouped(value: number | bigint | string): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, GAP);
}

/** Digits alone, or in groups of three: with one separator throughout, for `1.5` and `0,123` are no whole numbers. */
const NATURAL = /^(\d+|[1-9]\d{0,2}([_.,'’])\d{3}(\2\d{3})*)$/;

/**
 * A number that somebody has typed or pasted, without the gaps and separators; undefined for what is none. Gaps may be
 * anywhere, since digits are shown in tens as well.
 */
export function typedNatural(text: string): string | undefined {
  const dense = text.replaceAll(/\s/g, "");
  return NATURAL.test(dense) ? dense.replaceAll(/\D|^0+(?=\d)/g, "") : undefined;
}

/** How many of something: `1 digit`, `20 899 digits`. */
export function counted(count: number | bigint, one: string, many = `${one}s`): string {
  return `${grouped(count)}\u00a0${count === 1 || count === 1n ? one : many}`;
}
