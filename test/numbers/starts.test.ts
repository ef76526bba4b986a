/** The text of a sequence from any start, and whichever part of it is asked for; method: compare with BigInt's. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { distrusted } from "../../src/notices.ts";
import { textOf } from "../../src/numbers/decimal.ts";
import { LAYOUTS, framed } from "../../src/numbers/layouts.ts";
import { termDigits } from "../../src/numbers/offsets.ts";
import {
  openSequence,
  planSequence,
  readSequence,
  type SequenceRequest,
  sequenceMemoryBytes,
} from "../../src/numbers/sequence.ts";
import { sizeSequence } from "../../src/numbers/sizes.ts";
import { type Start, startText } from "../../src/numbers/start.ts";
import { bigTerms, sequenceText } from "../oracle.ts";

const NINES = 10n ** 128n - 1n;

/** Rising from the first, falling once, all the same, all zeros; powers of ten; short and long ones. */
const STARTS: readonly Start[] = [
  [2n, 1n],
  [0n, 0n],
  [1n, 0n],
  [5n, 0n],
  [7n, 7n],
  [10n, 0n],
  [1000n, 0n],
  [100n, 3n],
  [99n, 1n],
  [1n, 9n],
  [1n, 99n],
  [9n, 9n],
  [1n, 10n ** 127n],
  [10n ** 127n, 0n],
  [0n, 10n ** 127n],
  [NINES, NINES],
  [NINES, 1n],
  [1n, NINES],
  [123_456_789n, 987_654_321n],
  // G(2) is the modulus of the check.
  [10n ** 16n - 2n, 1n],
];

const layouts = [
  ...Object.entries(LAYOUTS),
  ["framed", framed(LAYOUTS.joined, '{"N":0,"result":"', '"}')],
] as const;

const read = (request: SequenceRequest, range?: { start: number; end: number }): string =>
  textOf(readSequence(planSequence(request, range)));

const textOfTerms = ({ from, count, layout, start }: SequenceRequest): string =>
  sequenceText(from, count, layout, start);

/** Nothing was noticed, so nothing had to be written again. */
function expectUndisturbed(action: () => void): void {
  const before = { ...distrusted };
  action();
  expect(distrusted).toEqual(before);
}

test("a b-file has index and value, as the OEIS wants it", () => {
  const request = { from: 0, count: 8, layout: LAYOUTS.bfile };
  const text = "0 0\n1 1\n2 1\n3 2\n4 3\n5 5\n6 8\n7 13\n";
  expect(read(request)).toBe(text);
  expect(read({ ...request, start: [2n, 1n] })).toBe("0 2\n1 1\n2 3\n3 4\n4 7\n5 11\n6 18\n7 29\n");
  for (let start = 0; start < text.length; start++) {
    for (let end = start + 1; end <= text.length; end++)
      expect(read(request, { start, end })).toBe(text.slice(start, end));
  }
});

test("sequences that do not rise at first", () => {
  const beginnings = (
    [
      [5, 0],
      [1000, 0],
      [100, 3],
      [0, 0],
      [7, 7],
    ] as const
  ).map(([first, second]) =>
    read({ from: 0, count: 6, layout: LAYOUTS.spaced, start: [BigInt(first), BigInt(second)] }),
  );
  expect(beginnings).toEqual([
    "5 0 5 5 10 15 ",
    "1000 0 1000 1000 2000 3000 ",
    "100 3 103 106 209 315 ",
    "0 0 0 0 0 0 ",
    "7 7 14 21 35 56 ",
  ]);
});

for (const [name, layout] of layouts) {
  test(`texts in ${name} from every start, beginning at every early index`, () => {
    expectUndisturbed(() => {
      for (const start of STARTS) {
        for (const from of [0, 1, 2, 3, 98]) {
          for (const count of [0, 1, 2, 3, 4, 40]) {
            const request = { from, count, layout, start };
            if (read(request) !== textOfTerms(request))
              throw new Error(`${startText(start)} from ${from}, ${count} terms`);
          }
        }
      }
    });
  });

  test(`every border of short ranges in ${name} from every start`, () => {
    expectUndisturbed(() => {
      for (const start of STARTS) {
        const request = { from: 0, count: 4, layout, start };
        const text = textOfTerms(request);
        for (let at = 0; at < text.length; at++) {
          for (const end of [at + 1, at + 30, text.length].filter((last) => last <= text.length)) {
            if (read(request, { start: at, end }) !== text.slice(at, end))
              throw new Error(`${startText(start)}: ${at} to ${end}`);
          }
        }
      }
    });
  });

  test(`random ranges of random sequences in ${name} are slices of the whole text`, () => {
    const term = fc.oneof(fc.bigInt({ min: 0n, max: NINES }), fc.bigInt({ min: 0n, max: 1000n }));
    const from = fc.oneof(fc.nat(5), fc.nat(1500));
    fc.assert(
      fc.property(
        term,
        term,
        from,
        fc.integer({ min: 1, max: 100 }),
        fc.nat(),
        fc.nat(),
        (first, second, at, count, a, b) => {
          const request = { from: at, count, layout, start: [first, second] as const };
          const text = textOfTerms(request);
          const start = a % text.length;
          const end = start + 1 + (b % (text.length - start));
          expect(read(request, { start, end })).toBe(text.slice(start, end));
        },
      ),
      { numRuns: 100 },
    );
  });
}

test("long terms from other starts, through many turns of the ring", () => {
  expectUndisturbed(() => {
    for (const start of [
      [2n, 1n],
      [NINES, 3n],
    ] as const) {
      const request = { from: 20_000, count: 120, layout: LAYOUTS.bfile, start };
      expect(read(request) === textOfTerms(request)).toBe(true);
    }
  });
});

test("planSequence() says what the longest touched term has, also where that is G(0)", () => {
  const plan = planSequence({ from: 0, count: 2, layout: LAYOUTS.text, start: [10n ** 127n, 0n] });
  expect(plan.digitsMax).toBe(128);
  expect(plan.sizeBytes).toBe(128 + 1 + 1 + 1);
  expect(sequenceMemoryBytes(plan)).toBeGreaterThan(65_536);
});

test("sizeSequence() refuses a start that is longer than a term may be", () => {
  const limits = { digitsMax: 100, termsMax: 10 };
  const start = [10n ** 127n, 0n] as const;
  expect(() => sizeSequence(0n, 2n, limits, start)).toThrow(
    "its longest term has 128 digits, and the limit is 100",
  );
  expect(sizeSequence(1n, 1n, limits, start)).toEqual({ from: 1, count: 1, start, sizeBytes: 2 });
});

test("a sequence of zeros begins anywhere at once", () => {
  const request = { from: 2 ** 40, count: 3, layout: LAYOUTS.bfile, start: [0n, 0n] as const };
  expect(read(request)).toBe("1099511627776 0\n1099511627777 0\n1099511627778 0\n");
});

test("indices beyond the formula are refused from any start, and the index is named", () => {
  for (const start of [
    [0n, 0n],
    [2n, 1n],
  ] as const) {
    expect(() => planSequence({ from: 2 ** 48, count: 1, layout: LAYOUTS.text, start })).toThrow(
      "1 terms from index 281474976710656: a sequence ends below 281474976710656",
    );
  }
});

describe("one flipped bit in the stream of another start", () => {
  for (const start of [
    [2n, 1n],
    // Shorter than F: by F's lengths an earlier term would be written again.
    [1n, 0n],
    [1000n, 0n],
    [NINES, 1n],
  ] as const) {
    test(`from ${String(start).slice(0, 20)}, anywhere in what has been written`, () => {
      for (const from of [0, 30_000]) {
        const request = { from, count: 45, layout: LAYOUTS.bfile, start };
        const whole = textOfTerms(request);
        fc.assert(
          fc.property(
            fc.nat(from === 0 ? 0 : 3),
            fc.nat(7),
            fc.double({ min: 0, max: 0.999_999, noNaN: true }),
            (chunk, bit, part) => {
              const before = distrusted.recurrence;
              let filled = 0;
              const reader = openSequence(planSequence(request), undefined, (_, written) => {
                if (written !== undefined && filled++ === chunk)
                  written[Math.floor(part * written.length)]! ^= 1 << bit;
              });
              let text = "";
              for (let view = reader.next(); view !== undefined; view = reader.next()) text += textOf(view);
              expect([text === whole, distrusted.recurrence - before]).toEqual([true, 1]);
            },
          ),
          { numRuns: 40 },
        );
      }
    });
  }

  test("residues come from the index and the start, not from the text: another sequence's pair is noticed", () => {
    const before = distrusted.recurrence;
    const request = { from: 500, count: 5, layout: LAYOUTS.text, start: [2n, 1n] as const };
    const wrong = bigTerms(500, 2, [2n, 2n]).map((term) => Buffer.from(term));
    expect(termDigits(500, [2n, 2n])).toBe(termDigits(500, [2n, 1n]));
    expect(textOf(readSequence(planSequence(request), [wrong[0]!, wrong[1]!]))).toBe(textOfTerms(request));
    expect(distrusted.recurrence - before).toBe(1);
  });
});
