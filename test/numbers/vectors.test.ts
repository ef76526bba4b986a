/** F(n), L(n) and their residues are those of OEIS and of PARI. */
import { expect, test } from "bun:test";
import { textOf } from "../../src/numbers/decimal.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { lucas } from "../../src/numbers/lucas.ts";
import { fibonacciRemainder } from "../../src/numbers/remainder.ts";
import vectors from "../vectors/terms.json";

test("fibonacci() gives OEIS A000045, and lucas() A000032", () => {
  expect(vectors.A000045.map((_, n) => textOf(fibonacci(n)))).toEqual(vectors.A000045);
  expect(vectors.A000032.map((_, n) => textOf(lucas(n)))).toEqual(vectors.A000032);
});

test("fibonacciRemainder(), fibonacci() and lucas() leave the residues that PARI gives", () => {
  for (const { n, mod, ...expected } of vectors.residues) {
    const residueOf = (text: string): string => String(BigInt(text) % BigInt(mod));
    expect(String(fibonacciRemainder(BigInt(n), BigInt(mod)))).toBe(expected.fibonacci);
    if (Number(n) > 1_000_000) continue;
    expect(residueOf(textOf(fibonacci(Number(n))))).toBe(expected.fibonacci);
    expect(residueOf(textOf(lucas(Number(n))))).toBe(expected.lucas);
  }
});
