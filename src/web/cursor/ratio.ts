/**
 * F(n)/F(n−1) on its way to φ, in decimals.
 * @module
 */

/** Of what is shown: in one line on a phone; with larger text it may end between groups. */
const DECIMALS = 18;
/** Its ratio has the decimals of φ, and many more. */
const SETTLED = 120;

/** A ratio: the digits that are φ's as well, and those that are not. */
export interface Ratio {
  readonly agreed: string;
  readonly rest: string;
}

/** φ as it is written here. */
export const PHI = decimalsOf(SETTLED);

/** F(n)/F(n−1), cut after the last decimal that is shown; undefined for 0 and 1, which have none. */
export function ratioOf(n: number): Ratio | undefined {
  if (n < 2) return undefined;
  const text = decimalsOf(Math.min(n, SETTLED));
  let agreedCount = 0;
  while (agreedCount < text.length && text[agreedCount] === PHI[agreedCount]) agreedCount++;
  return { agreed: text.slice(0, agreedCount), rest: text.slice(agreedCount) };
}

function decimalsOf(n: number): string {
  let [before, term] = [0n, 1n];
  for (let index = 1; index < n; index++) [before, term] = [term, before + term];
  const digits = String((term * 10n ** BigInt(DECIMALS)) / before);
  return `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS).replaceAll(/\d{3}(?=\d)/g, "$&\u2009")}`;
}
