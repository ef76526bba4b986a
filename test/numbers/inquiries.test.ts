/** What is found out: every kind in every format, to the byte. */
import { expect, test } from "bun:test";
import { compute, COMPUTATION_KINDS } from "../../src/numbers/compute.ts";
import { textOf } from "../../src/numbers/decimal.ts";
import { answerText, INQUIRY_KINDS, isInquiry } from "../../src/numbers/inquiries.ts";
import { argumentsOf, type Inquiry, isNumberJob, JOB_ARGUMENTS, jobOf } from "../../src/numbers/job.ts";

/** As it is asked for and kept by threads and stores. */
const found = (asked: Inquiry): string => textOf(compute(asked));

const inFormats = (asked: Inquiry): string[] =>
  (["text", "json", "ndjson", "csv"] as const).map((format) => answerText(asked, found(asked), format));

test("answerText() writes each kind in each format", () => {
  const ends = { kind: "ends", n: 100n, first: 3, last: 4 } as const;
  expect(inFormats({ kind: "pisano", m: 10n })).toEqual([
    "60",
    '{"m":"10","period":"60"}',
    '{"m":"10","period":"60"}\n',
    "m,period\n10,60\n",
  ]);
  expect(inFormats(ends)).toEqual([
    "354\n5075",
    '{"n":"100","digits":"21","first":"354","last":"5075"}',
    '{"n":"100","digits":"21","first":"354","last":"5075"}\n',
    "n,digits,first,last\n100,21,354,5075\n",
  ]);
  expect(inFormats({ ...ends, first: 0 }).slice(0, 2)).toEqual([
    "5075",
    '{"n":"100","digits":"21","last":"5075"}',
  ]);
  expect(inFormats({ ...ends, last: 0 }).slice(0, 2)).toEqual([
    "354",
    '{"n":"100","digits":"21","first":"354"}',
  ]);
  expect(inFormats({ ...ends, first: 0, last: 0 }).slice(0, 2)).toEqual(["21", '{"n":"100","digits":"21"}']);
  expect(inFormats({ kind: "zeckendorf", value: "100" })).toEqual([
    "11\n6\n4",
    '{"value":"100","indices":["11","6","4"]}',
    '{"value":"100","indices":["11","6","4"]}\n',
    "index\n11\n6\n4\n",
  ]);
  expect(inFormats({ kind: "zeckendorf", value: "0" })).toEqual([
    "",
    '{"value":"0","indices":[]}',
    '{"value":"0","indices":[]}\n',
    "index\n",
  ]);
  // F(30) = 832040.
  expect(inFormats({ kind: "statistics", n: 30 })).toEqual([
    "digits 6\nsum 17\n0 2\n1 0\n2 1\n3 1\n4 1\n5 0\n6 0\n7 0\n8 1\n9 0",
    '{"n":"30","digits":6,"sum":17,"counts":[2,0,1,1,1,0,0,0,1,0]}',
    '{"n":"30","digits":6,"sum":17,"counts":[2,0,1,1,1,0,0,0,1,0]}\n',
    "digit,count\n0,2\n1,0\n2,1\n3,1\n4,1\n5,0\n6,0\n7,0\n8,1\n9,0\n",
  ]);
});

test("answerText() writes a remainder", () => {
  const asked = { kind: "remainder", n: "100", mod: "1000" } as const;
  expect(inFormats(asked)).toEqual([
    "75",
    '{"n":"100","mod":"1000","digits":2,"value":"75"}',
    '{"n":"100","mod":"1000","digits":2,"value":"75"}\n',
    "n,mod,value\n100,1000,75\n",
  ]);
});

test("argumentsOf() names what a job was given, in the order of JOB_ARGUMENTS, whatever the order of its properties", () => {
  for (const [kind, names] of Object.entries(JOB_ARGUMENTS)) {
    const job = jobOf(kind as keyof typeof JOB_ARGUMENTS, ["7", "11"]);
    const backwards = Object.fromEntries(Object.entries(job).toReversed()) as unknown as typeof job;
    for (const one of [job, backwards])
      expect(Object.entries(argumentsOf(one))).toEqual(names.map((name, i) => [name, ["7", "11"][i]!]));
  }
  expect(argumentsOf({ kind: "pair", n: 3 })).toEqual({ n: "3" });
  expect(argumentsOf({ kind: "pair", n: 3, start: [2n, 1n] })).toEqual({ n: "3", start: "2,1" });
  expect(argumentsOf({ kind: "ends", n: 3n, first: 1, last: 0 })).toEqual({ n: "3", first: "1", last: "0" });
});

test("every kind is a number, an inquiry, or where a sequence begins", () => {
  const numbers = COMPUTATION_KINDS.filter((kind) => isNumberJob({ kind } as never));
  expect(numbers).toEqual(["fibonacci", "lucas", "factorial", "ackermann"]);
  expect(COMPUTATION_KINDS.filter((kind) => isInquiry({ kind }))).toEqual(INQUIRY_KINDS);
  expect([...numbers, "pair", ...INQUIRY_KINDS].toSorted()).toEqual(COMPUTATION_KINDS.toSorted());
});
