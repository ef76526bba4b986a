/** What the part Numbers reads, counts and says, without a browser. */
import { expect, test } from "bun:test";
import { fileOf } from "../../src/web/kinds.ts";
import { limitNote, readRefusal, refusalHint } from "../../src/web/numbers/limits.ts";
import { typedNatural } from "../../src/web/numerals.ts";
import { countDigits, spreadOf } from "../../src/web/numbers/statistics.ts";
import { digitsOf, type Field, named, readTyped } from "../../src/web/typed.ts";

const N: Field = { name: "n", digitsMax: 1000, from: 0 };

test("readTyped() takes gaps and separators, and whole powers that stay powers", () => {
  const read = [" 100 000 ", "1_000", "1\u202f000", "1,000,000", "007", "10^18", " 10 ^ 1 8 ", "2^3000", "0"];
  expect(read.map((text) => readTyped(text, N))).toEqual(
    ["100000", "1000", "1000", "1000000", "7", "10^18", "10^18", "2^3000", "0"].map((number) => ({ number })),
  );
  expect(digitsOf("10^18")).toBe(String(10n ** 18n));
  expect(digitsOf("0^0")).toBe("1");
});

test("typedNatural() takes gaps anywhere, separators before each three digits, and nothing else", () => {
  const read = ["1 2345 6", "12\u202f34", "10,946", "1'000'000", "12.345.678", "0", "00042"];
  expect(read.map(typedNatural)).toEqual(["123456", "1234", "10946", "1000000", "12345678", "0", "42"]);
  const wrong = "1.5 1,5 1__5 5. .5 '5 1,000.000 1,0000 1234,567 0.123 1,00,000".split(" ");
  expect(wrong.map(typedNatural)).toEqual(wrong.map(() => undefined));
});

test("readTyped() says what is wrong, and expands no power that is too long", () => {
  const wrong = (text: string, field = N) => Object(readTyped(text, field)).wrong as string;
  expect(wrong("")).toContain("n is missing");
  for (const text of ["abc", "-1", "1e5", "1.5", "10^1.8", "10^", "^3", "2^3^2", "10^-1"])
    expect(wrong(text)).toContain("takes a whole number");
  // The longest that fits, and one more.
  expect(readTyped("10^999", N)).toEqual({ number: "10^999" });
  for (const text of ["10^1000", "9^999999999999", "1".repeat(1001), `10^${"9".repeat(400)}`])
    expect(wrong(text)).toBe("n takes up to 1\u202f000 digits");
  expect(wrong("0", { ...N, name: "m", from: 1 })).toBe("m begins at 1");
});

test("named() groups digits, keeps powers, and folds what is long", () => {
  expect(named("100000")).toBe("100\u202f000");
  expect(named("10^100")).toBe("10^100");
  expect(named("1".repeat(50))).toBe("111\u202f111\u202f111 … 111\u202f111\u202f111");
});

test("fileOf() tells long numbers apart, and stays short", () => {
  const names = [10n ** 100n, 10n ** 100n + 1n].map((n) =>
    fileOf({ kind: "fibonacci", numbers: [String(n)] }),
  );
  expect(names).toEqual(["fibonacci-100000..000000.txt", "fibonacci-100000..000001.txt"]);
  expect(fileOf({ kind: "ackermann", numbers: ["3", "20"] })).toBe("ackermann-3-20.txt");
});

test("countDigits() counts what comes in pieces; spreadOf() knows share and chance", async () => {
  const counts = await countDigits(new Blob(["0123456789".repeat(10), "7".repeat(100)]).stream());
  expect(counts).toEqual([10, 10, 10, 10, 10, 10, 10, 110, 10, 10]);
  const { share, distances, deviation, reach } = spreadOf(counts);
  expect({ share, reach, seventh: distances[7] }).toEqual({ share: 20, reach: 90, seventh: 90 });
  expect(deviation).toBeCloseTo(Math.sqrt(200 * 0.09), 9);
  // Of even counts it is chance that reaches furthest, and a digit may be far below its share as well.
  const even = spreadOf(counts.map(() => 10));
  expect(even.reach).toBe(even.deviation);
  expect(spreadOf(counts.map((_, digit) => (digit === 3 ? 0 : 1000))).reach).toBe(900);
});

test("what a server refuses is told with its digits, its limit and its flag", () => {
  const detail = "Cannot compute this: it has 417975281 digits, and the limit is 25000000 (--max-digits)";
  expect(readRefusal(detail)).toEqual({ digits: "417975281", limit: "25000000", flag: "--max-digits" });
  expect(refusalHint(detail)).toBe("417\u202f975\u202f281 digits, beyond --max-digits");
  expect(limitNote(detail)).toContain("25\u202f000\u202f000 digits; --max-digits");
  const never = "Cannot compute A(4,3): it cannot be written down. A(4,2) has 19729 digits; and so on.";
  expect(refusalHint(never)).toBe("More digits than can be written down");
  expect(limitNote(never)).toBeUndefined();
  expect(limitNote("the limit is 5")).toBeUndefined();
});
