/** F(n): every reference value, thousands of n against BigInt, identities; each check catches its error. */
import { describe, expect, test } from "bun:test";
import { distrusted } from "../../src/notices.ts";
import { fibonacci, fibonacciMemoryBytes, fibonacciPair, pairByBigInt } from "../../src/numbers/fibonacci.ts";
import { kernel, kernelMemoryBytes } from "../../src/numbers/kernel.ts";
import type { Fault } from "../../src/numbers/trust.ts";
import reference from "../vectors/reference.json";

/** Indices from here are computed in the kernel, once it is loaded. */
const KERNEL_FROM = 12_000;

const text = (digits: Uint8Array): string => new TextDecoder().decode(digits);
const sha256 = (digits: Uint8Array): string => new Bun.CryptoHasher("sha256").update(digits).digest("hex");
const random = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from));

const lastDigits = (n: number, count: number): bigint => BigInt(text(fibonacci(n).subarray(-count)));

/** Corrupts one stage, of the given bases, once for each attempt. */
const corrupt = (
  stage: string,
  bases: readonly number[],
  spoil: (data: Float64Array | Int32Array | Uint8Array) => void,
) => {
  const spoiled = new Set<number>();
  const fault: Fault = (at, base, data) => {
    if (at !== stage || !bases.includes(base) || spoiled.has(base) || data.length < 100) return;
    spoiled.add(base);
    spoil(data);
  };
  return { fault, spoiled };
};

test("fibonacci() in a fresh thread and in a warm one gives the same", () => {
  const fresh = fibonacci(KERNEL_FROM + 7);
  kernel();
  expect(text(fibonacci(KERNEL_FROM + 7))).toBe(text(fresh));
});

test("fibonacci() gives every reference value", () => {
  kernel();
  for (const { n, sha256: expected, bytes } of reference.fibonacci) {
    const digits = fibonacci(n);
    expect([n, digits.length, sha256(digits)]).toEqual([n, bytes, expected]);
  }
  expect(reference.small.map((_, n) => text(fibonacci(n)))).toEqual(reference.small);
});

test.skipIf(process.env["SLOW"] === undefined)(
  "fibonacci(10^9) has 208,987,640 digits and the known ends",
  () => {
    const digits = fibonacci(1e9);
    expect(digits.length).toBe(208_987_640);
    expect(text(digits.subarray(0, 20))).toBe("79523178745546834678");
    // F has the period 1,500,000 modulo 10^6, so these are the last digits of F(10^6).
    expect(text(digits.subarray(-6))).toBe("546875");
  },
  60_000,
);

test("fibonacci() equals BigInt at 3,000 random n, and at every n around the crossovers", () => {
  kernel();
  const indices = Array.from({ length: 3000 }, () => Math.floor(10 ** (4 + 1.3 * Math.random())));
  for (const crossover of [KERNEL_FROM, 150_000]) {
    for (let offset = -3; offset <= 3; offset++) indices.push(crossover + offset);
  }
  for (const n of indices) {
    if (text(fibonacci(n)) !== pairByBigInt(n)[0].toString()) throw new Error(`F(${n}) is wrong`);
  }
}, 60_000);

test("fibonacci() is right at lengths around every change of the rings", () => {
  kernel();
  // A product of c limbs of five digits belongs to n = 5 c / log10(phi).
  for (const size of [4096, 8192]) {
    for (const ratio of [1, 1.125, 1.25, 1.5, 1.75]) {
      const n = Math.floor((5 * size * ratio) / 0.20898764);
      for (let near = n - 40; near <= n + 16; near += 7) {
        if (text(fibonacci(near)) !== pairByBigInt(near)[0].toString())
          throw new Error(`F(${near}) is wrong`);
      }
    }
  }
});

test("fibonacci() keeps Cassini's identity F(n-1) F(n+1) - F(n)^2 = (-1)^n", () => {
  kernel();
  for (let round = 0; round < 20; round++) {
    const n = random(KERNEL_FROM, 60_000);
    const [before, at, after] = [n - 1, n, n + 1].map((index) => BigInt(text(fibonacci(index))));
    expect(before! * after! - at! * at!).toBe(n % 2 === 0 ? 1n : -1n);
  }
});

test("fibonacci() keeps gcd(F(m), F(n)) = F(gcd(m, n))", () => {
  kernel();
  const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));
  for (let round = 0; round < 5; round++) {
    const common = random(100, 2000);
    const [m, n] = [common * random(8, 12), common * random(13, 20)];
    const index = Number(gcd(BigInt(m), BigInt(n)));
    expect(gcd(BigInt(text(fibonacci(m))), BigInt(text(fibonacci(n))))).toBe(pairByBigInt(index)[0]);
  }
});

test("fibonacci() has the Pisano periods of 10, 1000 and 10^6", () => {
  kernel();
  for (const [count, period] of [
    [1, 60],
    [3, 1500],
    [6, 1_500_000],
  ] as const) {
    const n = random(2_000_000, 3_000_000);
    expect(lastDigits(n, count)).toBe(lastDigits(n + period, count));
  }
});

test("fibonacciPair() gives F(n) and F(n+1)", () => {
  kernel();
  const indices = [0, 1, 2, 92, 9999, 10_000, 10_001, 131_071, 131_072, 131_073];
  for (let round = 0; round < 200; round++) indices.push(random(KERNEL_FROM, 150_000));
  for (const n of indices) {
    expect(fibonacciPair(n).map(text), `n = ${n}`).toEqual(pairByBigInt(n).map(String));
  }
});

test("fibonacci() reports progress that grows to 1", () => {
  kernel();
  const fractions: number[] = [];
  fibonacci(1_000_000, { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(fractions.length).toBeGreaterThan(5);
  expect(fractions.at(-1)).toBeCloseTo(1, 2);
});

test("fibonacciMemoryBytes() predicts what a fresh process holds", async () => {
  const script = `
    const { fibonacci } = await import("./src/numbers/fibonacci.ts");
    const { kernelMemoryBytes } = await import("./src/numbers/kernel.ts");
    const report = () => fibonacci(Number(process.argv.at(-1))).length + kernelMemoryBytes();
    const { readFileSync } = await import("node:fs");
    console.log(report(), /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);`;
  for (const n of [1_000_000, 50_000_000, 100_000_000]) {
    const child = Bun.spawn([process.execPath, "-e", script, String(n)], { stdout: "pipe" });
    const [held, peakKilobytes] = (await child.stdout.text()).split(" ").map(Number);
    expect(Math.abs(fibonacciMemoryBytes(n) - held!), `n = ${n}`).toBeLessThan(2 ** 20);
    expect(peakKilobytes! * 1024 - fibonacciMemoryBytes(n), `n = ${n}`).toBeLessThan(100 * 2 ** 20);
  }
  expect(fibonacciMemoryBytes(1e9)).toBeLessThan(1e9);
  expect(fibonacciMemoryBytes(1e30)).toBeGreaterThan(1e29);
});

test("fibonacci() with `borrow` gives the same digits, in the kernel's memory", () => {
  const borrowed = fibonacci(200_000, { borrow: true });
  expect(borrowed.buffer.byteLength).toBe(kernelMemoryBytes());
  const copy = borrowed.slice();
  expect(fibonacci(200_000)).toEqual(copy);
});

test("fibonacci() refuses what the kernel cannot address", () => {
  expect(() => fibonacci(8e9)).toThrow(/needs \d+\.\d GB of memory, more than the kernel can address/);
});

test("10,000 computations do not grow the kernel's memory", () => {
  fibonacci(KERNEL_FROM + 10_000);
  const before = kernelMemoryBytes();
  for (let i = 0; i < 10_000; i++) fibonacci(KERNEL_FROM + i);
  expect(kernelMemoryBytes()).toBe(before);
}, 60_000);

describe("an injected error", () => {
  const n = 123_456;
  const right = (): string[] => pairByBigInt(n).map(String);

  const errors = [
    ["a coefficient that is off by 0.4", "product", "rounding", (data) => (data[77]! += 0.4)],
    ["a coefficient that is not a number", "product", "residue", (data) => (data[77] = Number.NaN)],
    ["a coefficient that is off by 1", "product", "residue", (data) => (data[77]! += 1)],
    [
      "two exchanged coefficients",
      "product",
      "residue",
      (data) => ([data[5], data[6]] = [data[6]!, data[5]!]),
    ],
    ["a limb that is off by 1", "limbs", "residue", (data) => (data[50]! -= 1)],
    ["a lost carry", "limbs", "residue", (data) => (data[99]! += 100_000)],
    [
      "a digit that is off by 1",
      "text",
      "residue",
      (data) => (data[1000] = data[1000] === 0x30 ? 0x31 : data[1000]! - 1),
    ],
  ] as const satisfies readonly (readonly [
    string,
    string,
    "rounding" | "residue",
    (data: Float64Array | Int32Array | Uint8Array) => unknown,
  ])[];

  for (const [name, stage, check, spoil] of errors) {
    for (const bases of [[100_000], [100_000, 10_000]]) {
      test(`${name} at base ${bases.join(" and ")} is caught by the ${check} check, and the digits are right`, () => {
        kernel();
        const before = { ...distrusted };
        const { fault, spoiled } = corrupt(stage, bases, spoil);
        expect(text(fibonacci(n, { fault }))).toBe(right()[0]!);
        expect([...spoiled]).toEqual(bases);
        expect(distrusted[check] - before[check]).toBe(bases.length);
      });
    }
  }

  test("fibonacciPair() is caught as well", () => {
    kernel();
    const { fault } = corrupt(
      "text",
      [100_000, 10_000],
      (data) => (data[10] = data[10] === 0x30 ? 0x31 : 0x30),
    );
    expect(fibonacciPair(n, { fault }).map(text)).toEqual(right());
  });
});
