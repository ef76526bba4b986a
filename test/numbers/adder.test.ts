/** The adder's sums, differences and residues are those of BigInt, with vectors and without; its instances are reused. */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import path from "node:path";
import * as fc from "fast-check";
import { Adder, MODULUS, type Records, idleAdders, returnAdder, takeAdder } from "../../src/numbers/adder.ts";

const LENGTH_MAX = 300;

const taken: Adder[] = [];
afterEach(() => taken.splice(0).forEach(returnAdder));

function take(digitsMax: number): Adder {
  const adder = takeAdder(digitsMax);
  taken.push(adder);
  return adder;
}

const scalarFile = path.resolve(import.meta.dir, "../../build/add-scalar.wasm");
const scalarModule = new WebAssembly.Module(readFileSync(scalarFile));
const scalar = new Adder(131_072, scalarModule);

/** With vectors, and without. */
const KERNELS: [string, () => Adder][] = [
  ["", () => take(LENGTH_MAX)],
  [" without vectors", () => scalar],
];

/** 296 digits without order. */
const DIGITS = String(7n ** 350n);

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (view: Uint8Array): string => Buffer.from(view).toString();

/** Numbers whose carries run: long runs of 9, of 0, and of digits that add up to 9, and random ones. */
const decimal = fc
  .array(
    fc.oneof(
      fc.record({ digit: fc.constantFrom("9", "0", "1", "4", "5"), times: fc.integer({ min: 1, max: 150 }) }),
      fc.record({ digit: fc.integer({ min: 0, max: 9 }).map(String), times: fc.constant(1) }),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((runs) => runs.map(({ digit, times }) => digit.repeat(times)).join(""))
  .map((digits) => digits.slice(0, LENGTH_MAX).replace(/^0+(?=.)/u, ""));

function checkBoth(adder: Adder, x: string, y: string): void {
  const [a, b] = x.length < y.length || (x.length === y.length && x <= y) ? [x, y] : [y, x];
  const sum = text(adder.add(bytes(a), bytes(b)));
  const difference = text(adder.subtract(bytes(a), bytes(b)));
  if (sum !== String(BigInt(a) + BigInt(b))) throw new Error(`wrong sum of ${a} and ${b}: ${sum}`);
  if (difference !== String(BigInt(b) - BigInt(a)))
    throw new Error(`wrong difference of ${b} and ${a}: ${difference}`);
}

for (const [name, takeOne] of KERNELS) {
  test(`add() and subtract() agree with BigInt where carries run${name}`, () => {
    const adder = takeOne();
    fc.assert(
      fc.property(decimal, decimal, (x, y) => checkBoth(adder, x, y)),
      { numRuns: 5000 },
    );
  });

  test(`add() and subtract() agree with BigInt where every lane waits for the one below${name}`, () => {
    const adder = takeOne();
    for (let length = 1; length <= LENGTH_MAX; length++) {
      const nines = "9".repeat(length);
      // Digit sums of 9 from end to end, with and without a carry into them.
      const fives = "5".repeat(length);
      const fours = "4".repeat(length);
      for (const [x, y] of [
        [nines, nines],
        [nines, "1"],
        [nines, "9"],
        [fives, fours],
        [fives, `${fours.slice(1)}5`],
        [`1${"0".repeat(length - 1)}`, "1"],
        ["0", nines],
        [fives, fives],
      ] as const) {
        checkBoth(adder, x, y);
      }
    }
  });

  test(`add() carries through runs of nines that begin and end at every place of four blocks${name}`, () => {
    const adder = takeOne();
    const length = 256;
    for (let end = 1; end <= length; end += 3) {
      for (let start = 0; start < end; start += 5) {
        const run = `${"1".repeat(length - end)}${"9".repeat(end - start)}${"0".repeat(start)}`;
        checkBoth(adder, run, `1${"0".repeat(start)}`);
      }
    }
  });

  test(`add() and subtract() agree with BigInt where any two groups of four digits add up to nines${name}`, () => {
    const adder = takeOne();
    const length = 128;
    for (let i = 0; i < length; i += 4) {
      for (let j = i; j < length; j += 4) {
        const a = Buffer.from(DIGITS.slice(0, length));
        const b = Buffer.from(DIGITS.slice(-length));
        for (const at of [i, j]) for (let k = at; k < at + 4; k++) b[k] = 0x39 - (a[k]! - 0x30);
        checkBoth(adder, text(a), text(b));
      }
    }
  });

  test(`add() and subtract() walk the sequence forward and back${name}`, () => {
    const adder = takeOne();
    let [a, b] = ["0", "1"];
    for (let i = 0; i < 1000; i++) [a, b] = [b, text(adder.add(bytes(a), bytes(b)))];
    for (let i = 0; i < 1000; i++) [a, b] = [text(adder.subtract(bytes(a), bytes(b))), a];
    expect([a, b]).toEqual(["0", "1"]);
  });

  test(`residueOf() is BigInt's, of any length, and says when a byte is above '9'${name}`, () => {
    const adder = takeOne();
    for (let length = 1; length < 3000; length += length < 600 ? 1 : 97) {
      const digits = Buffer.from(DIGITS.repeat(11).slice(-length));
      expect(adder.residueOf(digits)).toBe(BigInt(text(digits)) % MODULUS);
      for (const wrong of [0x3a, 0x40, 0x80, 0xff]) {
        const damaged = Buffer.from(digits);
        damaged[(length * 7919) % length] = wrong;
        damaged[(7919 * wrong) % length] = wrong;
        expect(adder.residueOf(damaged)).toBe(MODULUS);
      }
    }
  });

  test(`residueOf() does not overflow, whatever the length${name}`, () => {
    const adder = name === "" ? take(1_000_000) : new Adder(4_194_304, scalarModule);
    for (const length of [114_687, 114_688, 114_689, 458_752, 1_000_000]) {
      expect(adder.residueOf(Buffer.alloc(length, "9"))).toBe((10n ** BigInt(length % 16) - 1n) % MODULUS);
    }
  });
}

for (const [what, first, second] of [
  ["a sequence", "0", "1"],
  ["a sequence that falls at first", DIGITS, "1"],
] as const) {
  test(`${what} is the same without vectors`, () => {
    const records: Records = {
      first: bytes(first),
      second: bytes(second),
      residues: [BigInt(first) % MODULUS, BigInt(second) % MODULUS],
      digitsMax: 2400,
      count: 10_000,
      head: "n,value\n",
      prefix: "",
      index: "0",
      infix: ",",
      suffix: "\n",
    };
    const adder = take(2400);
    for (const one of [adder, scalar]) one.begin(records);
    for (;;) {
      const [chunk, other] = [adder.fill(), scalar.fill()];
      expect(chunk !== undefined && other !== undefined && Buffer.compare(chunk, other) === 0).toBe(true);
      if (chunk!.length === 0) break;
    }
  });
}

test("takeAdder() reuses an instance of the same size class", () => {
  const first = takeAdder(1000);
  returnAdder(first);
  const idle = idleAdders();
  const second = takeAdder(20_000);
  expect(second).toBe(first);
  expect(idleAdders()).toBe(idle - 1);
  const third = take(20_000);
  expect(third).not.toBe(second);
  returnAdder(second);
});

test("returnAdder() keeps a limited amount of idle memory", () => {
  const large = Array.from({ length: 3 }, () => takeAdder(8_000_000));
  const idle = idleAdders();
  large.forEach(returnAdder);
  expect(idleAdders() - idle).toBeLessThanOrEqual(1);
});

test("residueOf() sees a byte above '9' at every place", () => {
  const adder = takeAdder(600);
  for (let at = 0; at < 600; at++) {
    const digits = Buffer.alloc(600, "1");
    digits[at] = 0x3a;
    expect([at, adder.residueOf(digits)]).toEqual([at, MODULUS]);
  }
});

test("residueOf() of two pieces that add up to the modulus", () => {
  const adder = takeAdder(200_000);
  // The lower 114,688 digits are 1, the upper ones 10^16 - 2.
  const digits = Buffer.alloc(114_688 + 16, "0");
  digits.set(Buffer.from("9".repeat(15) + "8"), 0);
  digits[digits.length - 1] = 0x31;
  expect(adder.residueOf(digits)).toBe(0n);
});

test("residueOf() of many pieces", () => {
  const adder = takeAdder(1_000_000);
  const digits = Buffer.alloc(114_688 * 5, "9");
  for (let i = 15; i < digits.length; i += 16) digits[i] = 0x38;
  expect(adder.residueOf(digits)).toBe(BigInt(text(digits)) % MODULUS);
});
