/** F(n) mod m, in each of the ways it is computed, against plain doubling and PARI. */
import { expect, test } from "bun:test";
import { fibonacciRemainder } from "../../src/numbers/remainder.ts";
import { requireTool } from "../binary.ts";
import vectors from "../vectors/remainder.json";

/** F(n) mod m as one would write it. */
function plainly(n: bigint, m: bigint): bigint {
  let [f, next] = [0n, 1n % m];
  for (const bit of n.toString(2)) {
    [f, next] = [(f * (2n * next - f + m)) % m, (f * f + next * next) % m];
    if (bit === "1") [f, next] = [next, (f + next) % m];
  }
  return f;
}

/** A random natural number of so many bits. */
function ofBits(bits: number): bigint {
  let digits = "";
  for (let i = 0; i < bits; i++) digits += Math.random() < 0.5 ? "0" : "1";
  return BigInt(`0b1${digits.slice(1)}`);
}

const upTo = (bits: number): number => 1 + Math.floor(Math.random() * bits);

function check(n: bigint, m: bigint): void {
  const [found, wanted] = [fibonacciRemainder(n, m), plainly(n, m)];
  if (found !== wanted) throw new Error(`F(${n}) mod ${m} is ${wanted}, not ${found}`);
}

test("fibonacciRemainder() is right for all small m, also 1, and the first n", () => {
  for (let m = 1n; m <= 130n; m++) {
    for (let n = 0n; n < 100n; n++) check(n, m);
    check(ofBits(upTo(300)), m);
  }
});

test("fibonacciRemainder() is right around 2^26.5, 2^52 and 2^53, where doubles would end", () => {
  for (const border of [94_906_265n, 2n ** 50n, 2n ** 51n, 2n ** 52n, 2n ** 53n]) {
    for (let m = border - 400n; m <= border + 100n; m++) check(ofBits(upTo(150)), m);
  }
});

test("fibonacciRemainder() is right for random m of up to 60 bits", () => {
  for (let i = 0; i < 4000; i++) check(ofBits(upTo(150)), ofBits(upTo(60)));
});

test("fibonacciRemainder() is right on both sides of 2,048 bits, where the way to reduce changes", () => {
  for (let bits = 2040; bits <= 2052; bits++) {
    for (const m of [2n ** BigInt(bits) - 1n, 2n ** BigInt(bits) + 1n, 2n ** BigInt(bits)])
      check(ofBits(40), m);
    for (let i = 0; i < 10; i++) check(ofBits(upTo(60)), ofBits(bits));
  }
});

test("fibonacciRemainder() is right for m of any length up to 6,000 bits", () => {
  for (let bits = 54; bits < 6000; bits += 1 + Math.floor(bits / 100)) {
    const m = ofBits(bits);
    check(ofBits(16 + upTo(40)), m);
    // F(n) just below, around and just above m: the first index that is reduced.
    const n = BigInt(Math.round(bits / Math.log2((1 + Math.sqrt(5)) / 2)));
    for (let i = -2n; i <= 4n; i++) check(n + i, m);
  }
});

test("fibonacciRemainder() is right where n shrinks first: m of twos and fives alone", () => {
  for (let twos = 0n; twos < 30n; twos++) {
    for (let fives = 0n; fives < 30n; fives++) {
      const m = 2n ** twos * 5n ** fives;
      check(ofBits(150), m);
      // As long as n is no longer than 12 m it stays as it is: the period itself.
      expect([fibonacciRemainder(12n * m, m), fibonacciRemainder(12n * m - 1n, m)]).toEqual([0n, 1n % m]);
    }
  }
  check(10n ** 400n - 1n, 10n ** 100n);
  check(10n ** 400n - 1n, 3n * 10n ** 100n);
});

/** One report is for 64 bits of the index that is taken. */
function reports(n: bigint, m: bigint): number {
  let count = 0;
  fibonacciRemainder(n, m, { onProgress: () => count++ });
  return count;
}

test("fibonacciRemainder() shortens n for m of twos and fives alone, of any length, and for no other m", () => {
  for (let power = 1n; power < 500n; power = 2n * power + 1n) {
    for (const m of [
      2n ** power,
      5n ** power,
      10n ** power,
      2n ** 30n * 5n ** power,
      2n ** power * 5n ** 27n,
    ]) {
      const n = 12n * m * 2n ** 640n + 5n;
      expect([reports(n, m), fibonacciRemainder(n, m)]).toEqual([1, 5n % m]);
      for (const other of [3n * m, 7n * m, 10n * m + 1n, 10n * m + 15n])
        expect(reports(n, other)).toBeGreaterThan(10);
    }
  }
});

test("fibonacciRemainder() agrees with PARI's values", () => {
  for (const { n, m, value } of vectors) expect(fibonacciRemainder(BigInt(n), BigInt(m))).toBe(BigInt(value));
});

requireTool(["gp", "--version-short"], "apt-get install pari-gp")(
  "fibonacciRemainder() agrees with PARI for random n and m",
  async () => {
    const cases = Array.from(
      { length: 200 },
      (_, i) => [ofBits(upTo(8 * i + 8)), ofBits(upTo(16 * i + 8))] as const,
    );
    const script = cases.map(([n, m]) => `print(lift((Mod([1,1;1,0],${m})^${n})[1,2]))`).join("\n");
    const gp = Bun.spawn(["gp", "-q", "-f", "--default", "colors=no"], {
      stdin: Buffer.from(`${script}\n`),
    });
    const wanted = (await gp.stdout.text()).trim().split("\n");
    expect(cases.map(([n, m]) => fibonacciRemainder(n, m).toString())).toEqual(wanted);
  },
);

test("fibonacciRemainder() tells how far it is, from 0 upwards and below 1", () => {
  for (const m of [1001n, 10n ** 30n + 57n, 10n ** 700n + 1n]) {
    const told: number[] = [];
    fibonacciRemainder(10n ** 200n, m, { onProgress: (fraction) => told.push(fraction) });
    expect(told.length).toBeGreaterThan(5);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told[0]).toBe(0);
    expect(told.at(-1)).toBeWithin(0.8, 1);
  }
});
