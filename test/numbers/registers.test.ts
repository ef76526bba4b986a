/** Products in the registers equal BigInt's, at every kind of ring, for operands of very different lengths. */
import { expect, test } from "bun:test";
import { multiplier } from "../../src/numbers/multiplier.ts";
import type { LimbDigits } from "../../src/numbers/decimal.ts";
import { Registers, ringSizes } from "../../src/numbers/registers.ts";

const randomNumber = (digits: number): bigint => {
  let text = String(1 + Math.floor(Math.random() * 9));
  while (text.length < digits) text += Math.random().toString().slice(2, 15);
  return BigInt(text.slice(0, digits));
};

/** Digits that make limbs and carries extreme: only 9s, only 0s behind a 1, the halves of the base. */
const extremes = (digits: number): bigint[] => {
  const power = 10n ** BigInt(digits - 1);
  return [
    power,
    power - 1n || 1n,
    BigInt("49999".repeat(digits).slice(0, digits)),
    BigInt("50000".repeat(digits).slice(0, digits)),
    BigInt("50001".repeat(digits).slice(0, digits)),
  ];
};

/** a·b, or a·a and then b·b as well, by the registers. */
function multiply(
  a: bigint,
  b: bigint,
  limbDigits: LimbDigits,
  what: "product" | "square",
  squareY: boolean,
): bigint[] {
  const count = Math.ceil((2 * Math.max(a.toString().length, b.toString().length)) / limbDigits) + 4;
  const registers = new Registers(count, 0, limbDigits);
  const { x, y } = registers;
  x.length = registers.read(a, x.address);
  y.length = registers.read(b, y.address);
  const used = squareY || what === "square" ? count : x.length + y.length + 2;
  registers.multiply(what, used, squareY);
  registers.settle(x, used);
  if (squareY) registers.settle(y, used);
  return (squareY ? [x, y] : [x]).map((register) => {
    if (register === y) registers.load(x, y.address, y.length);
    // The other register is free, so its room takes the text.
    return BigInt(new TextDecoder().decode(registers.text(y.address + 4 * y.length)) || "0");
  });
}

test("ringSizes() covers the count by one to three powers of two, at most a fifth more", () => {
  for (let count = 300; count < 100_000; count = Math.ceil(count * 1.01)) {
    const sizes = ringSizes(count);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThanOrEqual(count);
    expect(total).toBeLessThanOrEqual((count * 6) / 5);
    expect(sizes.every((size) => Number.isInteger(Math.log2(size)))).toBe(true);
  }
});

for (const limbDigits of [5, 4] as const) {
  test(`multiply() equals BigInt on random lengths, ${limbDigits} digits in a limb`, () => {
    for (let round = 0; round < 400; round++) {
      const [digitsA, digitsB] = [10 ** (4 * Math.random()), 10 ** (4 * Math.random())].map(Math.ceil);
      const [a, b] = [randomNumber(digitsA!), randomNumber(digitsB!)];
      expect(multiply(a, b, limbDigits, "product", false)).toEqual([a * b]);
      expect(multiply(a, b, limbDigits, "square", false)).toEqual([a * a]);
      expect(multiply(a, b, limbDigits, "product", true)).toEqual([a * b, b * b]);
    }
  });

  test(`multiply() equals BigInt on extreme digits, ${limbDigits} digits in a limb`, () => {
    for (const digits of [1, 5, 6, 640, 1279, 1280, 1281, 2400, 5000, 20_000]) {
      for (const a of extremes(digits)) {
        for (const b of extremes(digits))
          expect(multiply(a, b, limbDigits, "product", true)).toEqual([a * b, b * b]);
      }
    }
  });
}

test("textResidue() and factorialResidue() equal BigInt's remainders", () => {
  const prime = 2_147_483_629n;
  const { factorialResidue, memory, textResidue } = multiplier();
  const room = new Registers(4096, 0, 5).x.address;
  for (let digits = 1; digits < 300; digits++) {
    const value = randomNumber(digits);
    // At odd addresses as well: the text starts where its leading zeros end.
    const address = room + (digits % 16);
    new TextEncoder().encodeInto(value.toString(), new Uint8Array(memory.buffer, address, digits));
    expect(textResidue(address, digits, prime)).toBe(value % prime);
  }
  let factorial = 1n;
  for (let n = 0n; n < 100n; n++) {
    if (n > 0n) factorial *= n;
    expect(factorialResidue(n, prime)).toBe(factorial % prime);
  }
});

test("stepPair() leaves balanced limbs", () => {
  const { memory, stepPair } = multiplier();
  const [f, l, count] = [65_536, 66_560, 100];
  const limbs = (at: number) => new Int32Array(memory.buffer, at, count + 2);
  const half = 50_000;
  for (const sign of [1, -1]) {
    limbs(f)
      .fill(sign * half)
      .fill(0, count);
    limbs(l)
      .fill(sign * half)
      .fill(0, count);
    stepPair(f, l, count, 100_000);
    for (const at of [f, l])
      for (const limb of limbs(at)) expect(Math.abs(limb)).toBeLessThanOrEqual(half + 1);
  }
});

test("stepOne() leaves balanced limbs", () => {
  const { memory, stepOne } = multiplier();
  const [a, b, count] = [65_536, 66_560, 100];
  const limbs = (at: number) => new Int32Array(memory.buffer, at, count + 6);
  const half = 50_000;
  for (const sign of [1, -1]) {
    for (const at of [a, b]) {
      limbs(at)
        .fill(sign * half)
        .fill(0, count);
      // Two go up from here, to where one is at the border already.
      limbs(at)[0] = sign * (half + 1);
    }
    stepOne(a, b, count, 100_000, 5);
    for (const limb of limbs(a)) expect(Math.abs(limb)).toBeLessThanOrEqual(half + 1);
  }
});

test("longer than the registers is distrusted", () => {
  expect(() => new Registers(100, 0, 5).multiply("product", 101)).toThrow("failed its residue check");
  const registers = new Registers(100, 500, 5);
  registers.x.length = 97;
  expect(() => registers.addMultiples(1n, 1n, 1)).toThrow("failed its residue check");
});
