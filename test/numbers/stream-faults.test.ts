/** One flipped bit, anywhere in what a sequence or a cursor's neighbours are made of, is noticed before it is shown. */
import { afterEach, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import * as fc from "fast-check";
import { distrusted, onNotice } from "../../src/notices.ts";
import { Adder, type ChunkFault } from "../../src/numbers/adder.ts";
import { textOf } from "../../src/numbers/decimal.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { LAYOUTS, type SequenceLayout, framed } from "../../src/numbers/layouts.ts";
import { Neighbours } from "../../src/numbers/neighbours.ts";
import { type ByteRange, openSequence, planSequence, readSequence } from "../../src/numbers/sequence.ts";
import { termPair } from "../../src/numbers/term-pair.ts";
import { bigPair, sequenceText } from "../oracle.ts";

setDefaultTimeout(300_000);

/** Places at random in each run: each flip costs an instance. */
const FLIPS = 60;

const layouts: [string, SequenceLayout][] = [
  ...Object.entries(LAYOUTS),
  ["framed", framed(LAYOUTS.joined, '{"N":0,"result":"', '"}')],
];

// As in kernel/add.ts.
const [PREFIX, INFIX, SUFFIX, INDEX_END, TO_COPY, PATTERNS, PATTERNS_END] = [
  1024, 1040, 1056, 1088, 64, 1152, 1664,
];

interface Request {
  readonly from: number;
  readonly count: number;
  readonly layout: SequenceLayout;
}

/** Reads a sequence that is damaged on its way, and how many of its checks failed. */
function read(request: Request, fault: ChunkFault, range?: ByteRange): { text: string; failed: number } {
  const before = distrusted.recurrence;
  const reader = openSequence(planSequence(request, range), undefined, fault);
  let text = "";
  for (let view = reader.next(); view !== undefined; view = reader.next()) text += textOf(view);
  return { text, failed: distrusted.recurrence - before };
}

/** Flips a bit once: before the chunk of that number is written, of the byte that `place` says. */
function flipBefore(chunk: number, bit: number, place: (memory: Uint8Array) => number): ChunkFault {
  let filled = 0;
  return (memory, written) => {
    if (written !== undefined) filled++;
    else if (filled === chunk) {
      memory[place(memory)]! ^= 1 << bit;
      filled = Infinity;
    }
  };
}

/** Flips a bit once, in the chunk of that number when it stands there, of the byte at that part of its length. */
function flipIn(chunk: number, bit: number, part: number): ChunkFault {
  let filled = 0;
  return (_, written) => {
    if (written !== undefined && filled++ === chunk) written[Math.floor(part * written.length)]! ^= 1 << bit;
  };
}

/** How many chunks a text comes in, and where each began in memory. */
function chunkStarts(request: Request): number[] {
  const starts: number[] = [];
  read(request, (_, written) => {
    if (written !== undefined && written.length > 0) starts.push(written.byteOffset);
  });
  return starts;
}

afterEach(() => onNotice(() => {}));

describe("a bit of what has been written", () => {
  for (const [name, layout] of layouts) {
    test(`any byte of a short text in ${name}`, () => {
      for (const [from, count] of [
        [0, 8],
        [98, 4],
      ] as const) {
        const text = sequenceText(from, count, layout);
        const frameBytes = layout.head.length + layout.tail.length;
        const bytes = text.length - frameBytes + layout.separator.length;
        const flip = fc.property(fc.nat(bytes - 1), fc.nat(7), (at, bit) => {
          const result = read({ from, count, layout }, flipIn(0, bit, (at + 0.5) / bytes));
          expect(result).toEqual({ text, failed: 1 });
        });
        fc.assert(flip, { numRuns: FLIPS });
      }
    });

    test(`any byte of any chunk in ${name}, also where the ring turns, and of any range`, () => {
      const request = { from: 30_000, count: 45, layout };
      const whole = sequenceText(request.from, request.count, layout);
      const starts = chunkStarts(request);
      expect(starts.filter((start, i) => i > 0 && start <= starts[i - 1]!).length).toBeGreaterThan(1);
      fc.assert(
        fc.property(
          fc.nat(starts.length - 1),
          fc.nat(7),
          fc.oneof(fc.constantFrom(0, 0.999_999), fc.double({ min: 0, max: 0.999_999, noNaN: true })),
          (chunk, bit, part) => {
            const { text, failed } = read(request, flipIn(chunk, bit, part));
            expect([text === whole, failed]).toEqual([true, 1]);
          },
        ),
        { numRuns: FLIPS },
      );
      fc.assert(
        fc.property(fc.nat(), fc.nat(), fc.nat(7), (a, b, bit) => {
          const start = a % whole.length;
          const end = start + 1 + (b % (whole.length - start));
          const { text, failed } = read(request, flipIn(0, bit, 0.5), { start, end });
          expect([text === whole.slice(start, end), failed]).toEqual([true, 1]);
        }),
        { numRuns: FLIPS / 3 },
      );
    });
  }
});

describe("a bit of what is still to be used", () => {
  for (const [name, layout] of layouts) {
    test(`the pieces of ${name}, their copies, and the index`, () => {
      const request = { from: 30_000, count: 45, layout };
      const whole = sequenceText(request.from, request.count, layout);
      const last = chunkStarts(request).length - 1;
      const indexBytes = layout.infix === undefined ? 0 : 5;
      const pieces = [
        [PREFIX, layout.prefix.length],
        [INFIX, layout.infix?.length ?? 0],
        [SUFFIX, layout.suffix.length + layout.separator.length],
        [INDEX_END - indexBytes, indexBytes],
      ] as const;
      for (const [piece, length] of pieces) {
        for (let i = 0; i < length; i++) {
          for (const address of [piece + i, piece + i + TO_COPY]) {
            for (const chunk of [address % 2 === 0 ? 0 : last]) {
              const { text, failed } = read(
                request,
                flipBefore(chunk, (address + chunk) % 8, () => address),
              );
              expect([text === whole, failed, address, chunk]).toEqual([true, 1, address, chunk]);
            }
          }
        }
      }
    });
  }

  test("the last two values, before the first chunk, before any other, and before the ring turns", () => {
    const request = { from: 30_000, count: 45, layout: LAYOUTS.text };
    const whole = sequenceText(request.from, request.count, request.layout);
    const starts = chunkStarts(request);
    for (const chunk of starts.keys()) {
      fc.assert(
        fc.property(fc.boolean(), fc.nat(6269), fc.nat(7), (isOlder, digit, bit) => {
          let values: number[] = [];
          let filled = 0;
          const { text, failed } = read(request, (memory, written) => {
            if (written === undefined && filled === chunk)
              memory[values[isOlder ? 0 : 1]! + digit]! ^= 1 << bit;
            if (written === undefined && filled === 0 && chunk === 0) {
              const [first, second] = bigPair(request.from).map((value) =>
                Buffer.from(memory.buffer).lastIndexOf(String(value)),
              );
              memory[(isOlder ? first! : second!) + digit]! ^= 1 << bit;
            }
            if (written !== undefined && ++filled === chunk) {
              // Where the last two lines begin.
              const end = written.byteOffset + written.length;
              const lineBytes = written.length - 1 - written.subarray(0, -1).lastIndexOf(0x0a);
              values = [end - 2 * lineBytes + 1, end - lineBytes + 1];
            }
          });
          expect([text === whole, failed]).toEqual([true, 1]);
        }),
        { numRuns: 12 },
      );
    }
  });

  test("the table of carries", () => {
    const request = { from: 30_000, count: 45, layout: LAYOUTS.text };
    const whole = sequenceText(request.from, request.count, request.layout);
    fc.assert(
      fc.property(fc.integer({ min: PATTERNS, max: PATTERNS_END - 1 }), fc.nat(7), (address, bit) => {
        const { text, failed } = read(
          request,
          flipBefore(1, bit, () => address),
        );
        expect([text === whole, failed]).toEqual([true, 1]);
      }),
      { numRuns: FLIPS },
    );
  });

  test("any other byte in front of the ring changes nothing that is sent", () => {
    const request = { from: 30_000, count: 30, layout: LAYOUTS.ndjson };
    const whole = sequenceText(request.from, request.count, request.layout);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1791 }), fc.nat(7), fc.nat(2), (address, bit, chunk) => {
        const { text } = read(
          request,
          flipBefore(chunk, bit, () => address),
        );
        expect(text === whole).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

test("what has the value and the length of a term, but not its digits, is noticed", () => {
  // F(100) is 354224848179261915075; four and ten have the value of 50.
  const request = { from: 100, count: 3, layout: LAYOUTS.text };
  let isDone = false;
  const { text, failed } = read(request, (_, written) => {
    if (written === undefined || isDone) return;
    isDone = true;
    const at = textOf(written).indexOf("50");
    written.set(Buffer.from("4:"), at);
  });
  expect([text, failed]).toEqual([sequenceText(100, 3, LAYOUTS.text), 1]);
});

test("a damaged instance is not used again, and whoever runs the process is told which terms it were", () => {
  const told: unknown[] = [];
  onNotice((message, check) => told.push([message, check]));
  const request = { from: 30_000, count: 45, layout: LAYOUTS.text };
  let damaged: ArrayBufferLike | undefined;
  const flip = flipIn(1, 0, 0.5);
  read(request, (memory, written) => {
    const before = written?.slice();
    flip(memory, written);
    if (written !== undefined && before !== undefined && Buffer.compare(before, written) !== 0)
      damaged = memory.buffer;
  });
  expect(told).toEqual([
    [expect.stringMatching(/^The terms from F\(300\d\d\) were wrong .* memory or the CPU/), "recurrence"],
  ]);
  const used = new Set<ArrayBufferLike>();
  for (let i = 0; i < 3; i++) read(request, (memory) => used.add(memory.buffer));
  expect(damaged !== undefined && !used.has(damaged)).toBe(true);
});

test("what is wrong again and again ends with an error that says what to suspect, and with none of it sent", () => {
  const request = { from: 30_000, count: 45, layout: LAYOUTS.text };
  const whole = sequenceText(request.from, request.count, request.layout);
  let filled = 0;
  const reader = openSequence(planSequence(request), undefined, (_, written) => {
    if (written !== undefined && filled++ > 0) written[100]! ^= 1;
  });
  const first = textOf(reader.next()!);
  expect(whole.startsWith(first)).toBe(true);
  expect(() => reader.next()).toThrow(
    expect.objectContaining({
      code: "machine_unreliable",
      message: expect.stringContaining("the memory or the CPU"),
    }),
  );
  reader.close();
});

test("a length of records that is not the formula's ends in the same error", () => {
  const plan = planSequence({ from: 0, count: 10, layout: LAYOUTS.text });
  for (const wrong of [
    { ...plan, touchedCount: 9 },
    { ...plan, touched: { start: 0, end: plan.touched.end - 1 } },
  ]) {
    const before = distrusted.recurrence;
    const reader = openSequence(wrong);
    expect(() => [reader.next(), reader.next()]).toThrow(
      expect.objectContaining({ code: "machine_unreliable" }),
    );
    expect(distrusted.recurrence - before).toBe(2);
  }
});

/** Calls the adder, after or before a bit of what it is given, or of what it gives, was flipped once. */
function damage(method: "add" | "subtract", which: "a" | "b" | "result", bit: number) {
  const original = Adder.prototype[method];
  const spy = spyOn(Adder.prototype, method);
  spy.mockImplementation(function (this: Adder, a: Uint8Array, b: Uint8Array) {
    spy.mockRestore();
    if (which !== "result") (which === "a" ? a : b)[17]! ^= 1 << bit;
    const result = original.call(this, a, b);
    if (which === "result") result[17]! ^= 1 << bit;
    return result;
  });
}

const value = (index: number) => textOf(fibonacci(index));

describe("neighbours", () => {
  const noPool = { run: () => Promise.reject(new Error("a thread was asked")) };

  for (const [method, step] of [
    ["add", 1],
    ["subtract", -1],
  ] as const) {
    test(`at() notices a flipped bit when it goes by ${step}, and computes anew`, () => {
      for (const which of ["a", "b", "result"] as const) {
        for (let bit = 0; bit < 8; bit++) {
          const before = distrusted.recurrence;
          const neighbours = new Neighbours(noPool);
          void neighbours.at(5000);
          expect(neighbours.at(5000 + step)).toBe(value(5000 + step));
          damage(method, which, bit);
          for (const steps of [2, 3, 4])
            expect(neighbours.at(5000 + steps * step)).toBe(value(5000 + steps * step));
          expect([which, bit, distrusted.recurrence - before]).toEqual([which, bit, 1]);
        }
      }
    });

    test(`at() computes anew when ${method}() leads out of the memory`, () => {
      const before = distrusted.recurrence;
      const neighbours = new Neighbours(noPool);
      void neighbours.at(5000);
      const spy = spyOn(Adder.prototype, method).mockImplementation(() => {
        spy.mockRestore();
        throw new WebAssembly.RuntimeError("Out of bounds memory access");
      });
      expect(neighbours.at(5000 + step)).toBe(value(5000 + step));
      expect(neighbours.at(5000 + 2 * step)).toBe(value(5000 + 2 * step));
      expect(distrusted.recurrence - before).toBe(1);
    });
  }
});

test("two chunks of one text that are wrong, each once", () => {
  const request = { from: 30_000, count: 45, layout: LAYOUTS.text };
  const whole = textOf(readSequence(planSequence(request)));
  let filled = 0;
  const before = distrusted.recurrence;
  const reader = openSequence(planSequence(request), undefined, (_, written) => {
    // The chunk after the first, and two after that was written again.
    if (written !== undefined && [1, 3].includes(filled++)) written[100]! ^= 1;
  });
  let text = "";
  for (let view = reader.next(); view !== undefined; view = reader.next()) text += textOf(view);
  expect([text === whole, distrusted.recurrence - before]).toEqual([true, 2]);
});

test("residues come from the index, not from the text: a wrong pair is noticed", () => {
  const before = distrusted.recurrence;
  const [first, second] = termPair(30_000).map((digits) => digits.slice());
  second![1000]! ^= 1;
  const plan = planSequence({ from: 30_000, count: 5, layout: LAYOUTS.text });
  expect(textOf(readSequence(plan, [first!, second!]))).toBe(textOf(readSequence(plan)));
  expect(distrusted.recurrence - before).toBe(1);
});
