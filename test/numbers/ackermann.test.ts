/** A(m, n) by closed forms equals the definition where that ends, and refuses what cannot be written. */
import { expect, test } from "bun:test";
import { FibError } from "../../src/errors.ts";
import { ackermann, ackermannMemoryBytes } from "../../src/numbers/ackermann.ts";
import { textOf } from "../../src/numbers/decimal.ts";
import { powerMemoryBytes } from "../../src/numbers/power.ts";
import { sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json";

const value = (m: bigint, n: bigint): bigint => BigInt(textOf(ackermann(m, n)));

test("ackermann() gives every reference value", () => {
  for (const { m, n, value: expected, digits, sha256: digest } of reference.ackermann) {
    const text = ackermann(BigInt(m), BigInt(n));
    if (expected !== undefined) expect(textOf(text)).toBe(expected);
    if (digits !== undefined) expect(text.length).toBe(digits);
    if (digest !== undefined) expect(sha256(text)).toBe(digest);
  }
});

test("ackermann() obeys A(m, n) = A(m-1, A(m, n-1)) and A(m, 0) = A(m-1, 1)", () => {
  for (const [m, nMax] of [
    [1n, 50n],
    [2n, 50n],
    [3n, 50n],
    [4n, 2n],
  ] as const) {
    expect(value(m, 0n)).toBe(value(m - 1n, 1n));
    for (let n = 1n; n <= nMax; n++) {
      expect(value(m, n)).toBe(
        m === 4n ? 2n ** (value(m, n - 1n) + 3n) - 3n : value(m - 1n, value(m, n - 1n)),
      );
    }
  }
  expect(value(5n, 0n)).toBe(value(4n, 1n));
});

test("ackermann() and ackermannMemoryBytes() know that A(3, n) and A(4, 2) are powers of two, less three", () => {
  for (const [m, n, k] of [
    [3n, 0n, 3],
    [3n, 50_000n, 50_003],
    [4n, 0n, 4],
    [4n, 1n, 16],
    [4n, 2n, 65_536],
    [5n, 0n, 16],
  ] as const) {
    expect(value(m, n)).toBe(2n ** BigInt(k) - 3n);
    expect(ackermannMemoryBytes(m, n)).toBe(powerMemoryBytes(k));
  }
  expect(ackermannMemoryBytes(2n, 10n ** 30n)).toBeWithin(31, 200);
});

test("ackermann() refuses what cannot be written down, and says so", () => {
  for (const [m, n] of [
    [4n, 3n],
    [5n, 1n],
    [6n, 0n],
    [10n ** 30n, 10n ** 30n],
  ] as const) {
    const error = (() => {
      try {
        return ackermann(m, n);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(FibError);
    expect(error).toMatchObject({ code: "result_too_large" });
    expect(error).toMatchObject({
      message: expect.stringContaining(`A(${m},${n}): it cannot be written down`),
    });
  }
});
