/** The shortest command lines: read without the full parser, and never otherwise than by it. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseArgs } from "node:util";
import { isLetter, parseLetters } from "../../src/cli/moves.ts";

test("parseLetters() takes letters with flags of the cursor, in any order", () => {
  expect(parseLetters(["n"])).toEqual({ letters: ["n"], flags: {}, json: false });
  expect(parseLetters(["-f", "file", "n", "--json", "p", "--max-index", "9", "--lock-timeout=1"])).toEqual({
    letters: ["n", "p"],
    flags: { file: "file", "max-index": "9", "lock-timeout": "1" },
    json: true,
  });
});

test("parseLetters() leaves everything else to the full parser", () => {
  const lines = ["", "--json", "-f n", "x", "n x", "n -f", "n -f -x", "n -f=x", "n --fil x", "n --json=1"];
  const more = [
    "n --json --json",
    "n -f a --file b",
    "n -- -f",
    "n --max-index",
    "n -i",
    "n --redis=r",
    "n -h",
  ];
  for (const line of [...lines, ...more]) {
    expect(parseLetters(line.split(" ").filter((word) => word !== "")), line).toBeUndefined();
  }
});

test("parseLetters() reads what it takes as node:util's parser does", () => {
  const names = [
    "--file",
    "--max-index",
    "--lock-timeout",
    "--json",
    "-f",
    "-fx",
    "--file=",
    "--file=-x",
    "--",
  ];
  const word = fc.constantFrom(
    "n",
    "p",
    "c",
    "x",
    "1",
    "-",
    "-5",
    "--json=",
    "--__proto__",
    "toString",
    ...names,
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 7 }), (argv) => {
      const line = parseLetters(argv);
      if (line === undefined) return;
      const { values, positionals } = parseArgs({
        args: argv,
        allowPositionals: true,
        options: {
          file: { type: "string", short: "f" },
          "max-index": { type: "string" },
          "lock-timeout": { type: "string" },
          json: { type: "boolean" },
        },
      });
      const { json = false, ...flags } = values;
      expect(line).toEqual({ letters: positionals.filter(isLetter), flags, json });
      expect(positionals.every(isLetter)).toBe(true);
    }),
    { numRuns: 3000 },
  );
});
