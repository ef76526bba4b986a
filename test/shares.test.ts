/** A limit that is shared: one greedy holder never has all of it. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { Shares } from "../src/shares.ts";

/** Takes as many as it gets. */
function takeAll(shares: Shares, holder: string): (() => void)[] {
  const taken: (() => void)[] = [];
  for (let give = shares.take(holder); give !== undefined; give = shares.take(holder)) taken.push(give);
  return taken;
}

test("take() lets one holder have half, and each one after it half of the rest", () => {
  const shares = new Shares(256);
  const counts = ["greedy", "second", "third", "modest"].map((holder) => takeAll(shares, holder).length);
  expect(counts).toEqual([128, 64, 32, 16]);
  expect(shares.taken).toBe(240);
  // Of three: two, when one is left for the next.
  expect(takeAll(new Shares(3), "one")).toHaveLength(2);
});

test("take() gives a first share wherever it fits, and none beyond the limit", () => {
  const shares = new Shares(2);
  expect(takeAll(shares, "one")).toHaveLength(1);
  expect(takeAll(shares, "other")).toHaveLength(1);
  expect(shares.take("third")).toBeUndefined();
  expect(new Shares(100).take("big", 101)).toBeUndefined();
  expect(new Shares(100).take("big", 100)).toBeDefined();
});

test("count() counts what is held beyond the limit, too", () => {
  const shares = new Shares(2);
  const give = [1, 2, 3].map(() => shares.count("one"));
  expect([shares.taken, shares.take("other")]).toEqual([3, undefined]);
  for (const each of give) each();
  expect(shares.take("other")).toBeDefined();
});

test("take() counts what was given back once, however often it is given back", () => {
  const shares = new Shares(8);
  const [first] = takeAll(shares, "one");
  first!();
  first!();
  expect(shares.taken).toBe(3);
  expect(takeAll(shares, "one")).toHaveLength(1);
});

test("take() keeps the limit, and forgets who holds nothing, on any history", () => {
  const step = fc.record({
    holder: fc.constantFrom("a", "b", "c"),
    size: fc.integer({ min: 1, max: 9 }),
    gives: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 60 }), (limit, steps) => {
      const shares = new Shares(limit);
      const taken: { size: number; give: () => void }[] = [];
      for (const { holder, size, gives } of steps) {
        const give = gives ? undefined : shares.take(holder, size);
        if (gives) taken.shift()?.give();
        else if (give !== undefined) taken.push({ size, give });
        expect(shares.taken).toBe(taken.reduce((sum, share) => sum + share.size, 0));
        expect(shares.taken).toBeLessThanOrEqual(limit);
      }
      for (const { give } of taken) give();
      // Nobody's past counts: the whole limit can be had again.
      expect(shares.take("a", limit)).toBeDefined();
    }),
  );
});
