/** A seed is worth printing: it chooses the same faults again, of all kinds; and what is held against results can fail. */
import { expect, test } from "bun:test";
import { bigPair, isFibonacci } from "../oracle.ts";
import { planFaults } from "./faults.ts";
import { Random } from "./random.ts";

const plan = (seed: number) =>
  planFaults(new Random(seed), 15_000, [0, 1]).map(({ atMs, lastsMs, victim, name }) =>
    [atMs, lastsMs, victim, name].join(" "),
  );

test("planFaults() chooses the same for the same seed, and something else for another", () => {
  expect(plan(7)).toEqual(plan(7));
  expect(plan(7)).not.toEqual(plan(8));
});

test("planFaults() deals all kinds in two rounds", () => {
  const kinds = [...plan(7), ...plan(8)].map((line) => line.split(" ").slice(2).join(" ").replace(/ \d/, ""));
  expect(new Set(kinds).size).toBe(23);
});

test("isFibonacci() knows each number, and each that differs in one digit", () => {
  for (const n of [0, 1, 2, 93, 1000, 12_345]) {
    const digits = Buffer.from(String(bigPair(n)[0]));
    expect(isFibonacci(n, digits)).toBe(true);
    expect(isFibonacci(n + 3, digits)).toBe(false);
    for (let at = 0; at < digits.length; at++) {
      const wrong = Buffer.from(digits);
      wrong[at] = 48 + ((wrong[at]! - 48 + 1) % 10);
      expect(isFibonacci(n, wrong)).toBe(false);
    }
  }
});
