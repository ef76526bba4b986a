/** The text of a sequence is one text, whichever part of it is asked for; method: compare with BigInt's. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { sequenceText, sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json";
import { CHUNK_BYTES, adderMemoryBytes, idleAdders } from "../../src/numbers/adder.ts";
import { LAYOUTS, type SequenceLayout, framed } from "../../src/numbers/layouts.ts";
import { termDigits } from "../../src/numbers/offsets.ts";
import {
  type ByteRange,
  openSequence,
  planSequence,
  readSequence,
  sequenceMemoryBytes,
} from "../../src/numbers/sequence.ts";

/** As `/fib/N` frames it: a head and a tail that a range can begin in. */
const framedLayout = framed(LAYOUTS.joined, '{"N":0,"result":"', '"}');
const layouts: [string, SequenceLayout][] = [...Object.entries(LAYOUTS), ["framed", framedLayout]];

const read = (from: number, count: number, layout: SequenceLayout, range?: ByteRange): string =>
  Buffer.from(readSequence(planSequence({ from, count, layout }, range))).toString();

test("LAYOUTS are the representations of the contract", () => {
  expect(read(0, 5, LAYOUTS.text)).toBe("0\n1\n1\n2\n3\n");
  expect(read(0, 5, LAYOUTS.spaced)).toBe("0 1 1 2 3 ");
  expect(read(0, 5, framed(LAYOUTS.joined, '{"N":5,"result":"', '"}'))).toBe('{"N":5,"result":"0 1 1 2 3"}');
  expect(read(0, 3, LAYOUTS.json)).toBe('["0","1","1"]');
  expect(read(9, 2, LAYOUTS.ndjson)).toBe('{"n":"9","value":"34"}\n{"n":"10","value":"55"}\n');
  expect(read(99, 2, LAYOUTS.csv)).toBe("n,value\n99,218922995834555169026\n100,354224848179261915075\n");
  expect(read(0, 2, framed(LAYOUTS.spaced, "\0"))).toBe(" 0 1 ".replace(" ", "\0"));
});

test("a sequence without terms is head and tail", () => {
  for (const [, layout] of layouts) expect(read(7, 0, layout)).toBe(layout.head + layout.tail);
  expect(read(7, 0, LAYOUTS.csv, { start: 2, end: 5 })).toBe("val");
});

for (const { from, count, bytes, sha256: expected } of reference.sequences.list) {
  test(`the reference digest of ${count} terms from F(${from})`, () => {
    const plan = planSequence({ from, count, layout: LAYOUTS.spaced });
    expect(plan.sizeBytes).toBe(bytes);
    const digest = createHash("sha256");
    const reader = openSequence(plan);
    for (let view = reader.next(); view !== undefined; view = reader.next()) {
      expect(view.length).toBeWithin(1, CHUNK_BYTES + 1);
      digest.update(view);
    }
    expect(digest.digest("hex")).toBe(expected);
  });
}

for (const [name, layout] of layouts) {
  test(`random texts in ${name} are BigInt's`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1200 }), fc.integer({ min: 0, max: 150 }), (from, count) => {
        expect(read(from, count, layout)).toBe(sequenceText(from, count, layout));
      }),
      { numRuns: 150 },
    );
  });

  test(`random ranges in ${name} are slices of the whole text`, () => {
    const texts = (
      [
        [0, 200],
        [8, 100],
        [990, 300],
        [9_995, 40],
      ] as const
    ).map(([from, count]) => ({ from, count, text: sequenceText(from, count, layout) }));
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(), ({ from, count, text }, a, b) => {
        const start = a % text.length;
        const end = start + 1 + (b % (text.length - start));
        expect(read(from, count, layout, { start, end })).toBe(text.slice(start, end));
      }),
      { numRuns: 400 },
    );
  });

  test(`every short range in ${name}, at the start, at the end, and where indices grow`, () => {
    for (const [from, count] of [
      [0, 12],
      [97, 5],
      [998, 3],
    ] as const) {
      const text = sequenceText(from, count, layout);
      for (let start = 0; start < text.length; start++) {
        for (const end of [start + 1, start + 2, start + 23, text.length].filter((at) => at <= text.length)) {
          expect(read(from, count, layout, { start, end })).toBe(text.slice(start, end));
        }
      }
    }
  });

  test(`ranges in ${name} around every power of ten up to 10^500`, () => {
    const [from, count] = [0, 2400];
    const text = sequenceText(from, count, layout);
    const { prefix, infix, suffix, separator } = layout;
    const pieces = prefix.length + (infix?.length ?? 0) + suffix.length + separator.length;
    let at = layout.head.length;
    for (let index = from; index < from + count; index++) {
      if (index > 0 && termDigits(index) > termDigits(index - 1)) {
        const range = { start: Math.max(at - 3, 0), end: at + 3 };
        expect(read(from, count, layout, range)).toBe(text.slice(range.start, range.end));
      }
      at += termDigits(index) + pieces + (infix === undefined ? 0 : String(index).length);
    }
  });
}

test("ranges around the borders of chunks and of the ring are slices of the whole text", () => {
  for (const layout of [LAYOUTS.text, LAYOUTS.ndjson]) {
    const request = { from: 20_000, count: 120, layout };
    const text = Buffer.from(sequenceText(request.from, request.count, layout));
    let border = 0;
    const reader = openSequence(planSequence(request));
    for (let view = reader.next(); view !== undefined; view = reader.next()) {
      expect(Buffer.compare(view, text.subarray(border, border + view.length))).toBe(0);
      border += view.length;
      const range = { start: border - 70, end: Math.min(border + 70, text.length) };
      const slice = readSequence(planSequence(request, range));
      expect(Buffer.compare(slice, text.subarray(range.start, range.end))).toBe(0);
    }
    expect(border).toBe(text.length);
  }
});

test("a range at byte 104,000,000,000 of a million terms is a part of the term it begins with", () => {
  const plan = planSequence({ from: 0, count: 1_000_000, layout: LAYOUTS.text });
  expect(plan.sizeBytes).toBe(104_494_866_149);
  const range = { start: 104_000_000_000, end: 104_000_001_000 };
  const part = planSequence({ from: 0, count: 1_000_000, layout: LAYOUTS.text }, range);
  const text = readSequence(part);
  const two = sequenceText(part.firstIndex, 2, LAYOUTS.text);
  const start = range.start - part.touched.start;
  expect(Buffer.from(text).toString()).toBe(two.slice(start, start + 1000));
});

test("terms that fill the memory of their size class to the last byte", () => {
  const [from, count] = [151_710, 30];
  const last = termDigits(from + count - 1);
  expect(adderMemoryBytes(last)).toBe(2 * 65_536);
  for (const layout of [LAYOUTS.text, LAYOUTS.ndjson]) {
    const text = readSequence(planSequence({ from, count, layout }));
    expect(Buffer.compare(text, Buffer.from(sequenceText(from, count, layout)))).toBe(0);
  }
});

test("terms longer than a chunk come in several views", () => {
  const plan = planSequence({ from: 400_000, count: 20, layout: LAYOUTS.json });
  const digest = createHash("sha256");
  const reader = openSequence(plan);
  for (let view = reader.next(); view !== undefined; view = reader.next()) {
    expect(view.length).toBeLessThanOrEqual(CHUNK_BYTES);
    digest.update(view);
  }
  expect(digest.digest("hex")).toBe(sha256(sequenceText(400_000, 20, LAYOUTS.json)));
});

test("sequenceMemoryBytes() is known before anything is computed", () => {
  const small = planSequence({ from: 0, count: 100_000, layout: LAYOUTS.text });
  expect(sequenceMemoryBytes(small)).toBeWithin(CHUNK_BYTES + 2 * 20_899, 4 * CHUNK_BYTES);
  const large = planSequence({ from: 100_000_000, count: 1, layout: LAYOUTS.text });
  expect(sequenceMemoryBytes(large)).toBeWithin(4 * 20_898_764, 20 * 20_898_764);
});

test("planSequence() refuses a range outside of the text", () => {
  const request = { from: 0, count: 5, layout: LAYOUTS.text };
  for (const [start, end] of [
    [0, 11],
    [10, 11],
    [5, 5],
    [6, 5],
    [-1, 5],
    [Number.NaN, 5],
  ] as const) {
    expect(() => planSequence(request, { start, end })).toThrow("the text has 10 bytes");
  }
});

test("close() gives the memory back, and may be called again", () => {
  const idle = idleAdders();
  const reader = openSequence(planSequence({ from: 0, count: 100_000, layout: LAYOUTS.text }));
  reader.next();
  reader.close();
  const after = idleAdders();
  reader.close();
  expect(reader.next()).toBeUndefined();
  expect(idleAdders()).toBe(after);
  expect(after).toBeGreaterThanOrEqual(idle);
});

test("sequences that are read in turns do not disturb each other", () => {
  const plans = [0, 1, 500, 12_345].map((from) => planSequence({ from, count: 300, layout: LAYOUTS.csv }));
  const readers = plans.map((plan) => openSequence(plan));
  const texts = plans.map(() => "");
  for (let open = readers.length; open > 0;) {
    open = 0;
    for (const [i, reader] of readers.entries()) {
      const view = reader.next();
      if (view === undefined) continue;
      texts[i] += Buffer.from(view).toString();
      open++;
    }
  }
  for (const [i, { from, count, layout }] of plans.entries()) {
    expect(texts[i]).toBe(sequenceText(from, count, layout));
  }
});

/** Two of three texts are read to their end, the third is left after its first view. */
function readSome(i: number): void {
  const plan = planSequence({ from: i % 900, count: 20, layout: LAYOUTS.ndjson });
  const reader = openSequence(plan);
  const pulls = i % 3 === 0 ? 1 : 10;
  for (let k = 0; k < pulls; k++) reader.next();
  reader.close();
}

test("10,000 requests leave no memory behind", () => {
  for (let i = 0; i < 1000; i++) readSome(i);
  Bun.gc(true);
  const [idle, before] = [idleAdders(), process.memoryUsage.rss()];
  for (let i = 0; i < 10_000; i++) readSome(i);
  Bun.gc(true);
  expect(idleAdders()).toBe(idle);
  // An instance has 131,072 bytes: a leak of one in ten would be 131 MB.
  expect(process.memoryUsage.rss() - before).toBeLessThan(50 * 1024 * 1024);
});
