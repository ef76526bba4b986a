/** Texts of big integers: with zeros behind them, and refused when they cannot be held. */
import { expect, test } from "bun:test";
import { byBigInt } from "../../src/numbers/big-integers.ts";
import { textOf } from "../../src/numbers/decimal.ts";

const notComputed = (): bigint => {
  throw new Error("this was not to be computed");
};

test("byBigInt() writes an integer, and the zeros that it was computed without", () => {
  expect(textOf(byBigInt("0", 1, () => 0n))).toBe("0");
  expect(textOf(byBigInt("10^20", 21, () => 1n, 20))).toBe(String(10n ** 20n));
});

test("byBigInt() refuses what is too long before it is computed", () => {
  expect(() => byBigInt("2^(10^10)", 3_010_299_957, notComputed)).toThrow(
    expect.objectContaining({
      code: "result_too_large",
      message: expect.stringMatching(/2\^\(10\^10\) .* 3010299957 digits/),
    }),
  );
});

test("byBigInt() says which number there was no room for", () => {
  expect(() => byBigInt("2^(2^40)", 1000, () => 2n ** (2n ** 40n))).toThrow(
    expect.objectContaining({ code: "result_too_large", message: expect.stringContaining("2^(2^40)") }),
  );
});
