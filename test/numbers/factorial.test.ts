/** n!: the reference values, BigInt at random n, the recurrence; each check catches its error. */
import { expect, test } from "bun:test";
import { distrusted } from "../../src/notices.ts";
import { factorial, factorialMemoryBytes } from "../../src/numbers/factorial.ts";
import { kernel } from "../../src/numbers/kernel.ts";
import reference from "../vectors/reference.json";

const text = (digits: Uint8Array): string => new TextDecoder().decode(digits);
const sha256 = (digits: Uint8Array): string => new Bun.CryptoHasher("sha256").update(digits).digest("hex");

test("factorial() gives every reference value", () => {
  kernel();
  for (const { n, sha256: expected, bytes } of reference.factorials.list) {
    const digits = factorial(n);
    expect([n, digits.length, sha256(digits)]).toEqual([n, bytes, expected]);
  }
});

test("factorial() equals BigInt at every n to 600, and at a tenth of those to 6,000", () => {
  kernel();
  let product = 1n;
  for (let n = 0; n <= 6000; n++) {
    if (n > 0) product *= BigInt(n);
    if (n > 600 && Math.random() > 0.1 && n % 1000 > 2) continue;
    if (text(factorial(n)) !== product.toString()) throw new Error(`${n}! is wrong`);
  }
});

test("factorial() keeps n! = n (n-1)! around a power of 2, of 5 and of 10", () => {
  kernel();
  for (const n of [8192, 15_625, 10_000, 16_384, 20_011]) {
    expect(BigInt(text(factorial(n)))).toBe(BigInt(n) * BigInt(text(factorial(n - 1))));
  }
});

test("factorial() reports progress that grows to 1", () => {
  const fractions: number[] = [];
  factorial(100_000, { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(fractions.length).toBeGreaterThan(5);
  expect(fractions.at(-1)).toBe(1);
});

test("factorialMemoryBytes() predicts what a fresh process holds", async () => {
  const script = `
    const { factorial } = await import("./src/numbers/factorial.ts");
    const { kernelMemoryBytes } = await import("./src/numbers/kernel.ts");
    console.log(factorial(1_000_000).length + kernelMemoryBytes());`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const held = Number(await child.stdout.text());
  expect(factorialMemoryBytes(1e6) / held).toBeWithin(0.95, 1.3);
});

for (const [stage, check, spoil] of [
  ["product", "rounding", (data) => (data[20]! += 0.4)],
  ["product", "residue", (data) => (data[20]! += 1)],
  ["limbs", "residue", (data) => (data[20]! += 1)],
  ["text", "residue", (data) => (data[20] = data[20] === 0x30 ? 0x31 : 0x30)],
] as const satisfies readonly (readonly [
  string,
  "rounding" | "residue",
  (data: Float64Array | Int32Array | Uint8Array) => unknown,
])[]) {
  for (const bases of [[100_000], [100_000, 10_000]]) {
    test(`factorial() catches an error in ${stage} at base ${bases.join(" and ")} by its ${check}`, () => {
      kernel();
      const right = text(factorial(9000));
      const before = { ...distrusted };
      const spoiled = new Set<number>();
      const digits = factorial(9000, {
        fault: (at, base, data) => {
          if (at !== stage || !bases.includes(base) || spoiled.has(base) || data.length < 100) return;
          spoiled.add(base);
          spoil(data);
        },
      });
      expect(text(digits)).toBe(right);
      expect(distrusted[check] - before[check]).toBe(bases.length);
    });
  }
}
