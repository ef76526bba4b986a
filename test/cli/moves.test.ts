/** The shortest command lines: read without the full parser, and never otherwise than by it. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseArgs } from "node:util";
import { CURSOR_FLAGS } from "../../src/cli/flags.ts";
import { isLetter, parseLetters } from "../../src/cli/letters.ts";

test("parseLetters() takes letters with flags of the cursor, in any order", () => {
  expect(parseLetters(["n"])).toEqual({ letters: ["n"], flags: {}, json: false });
  expect(parseLetters(["-f", "file", "n", "--json", "p", "--max-index", "9", "--lock-timeout=1"])).toEqual({
    letters: ["n", "p"],
    flags: { file: "file", "max-index": "9", "lock-timeout": "1" },
    json: true,
  });
});

test("parseLetters() knows each flag of the cursor by each of its names", () => {
  for (const [name, flag] of Object.entries(CURSOR_FLAGS)) {
    const spellings = [
      [`--${name}`, "7"],
      [`--${name}=7`],
      ...("alias" in flag ? [[`-${flag.alias}`, "7"]] : []),
    ];
    for (const spelling of spellings) {
      expect(parseLetters(["n", ...spelling])).toEqual({
        letters: ["n"],
        flags: { [name]: "7" },
        json: false,
      });
    }
  }
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
    "n --cursor alice",
    "n --cursor=default",
    "n --server http://h",
    "n -h",
  ];
  for (const line of [...lines, ...more]) {
    expect(parseLetters(line.split(" ").filter((word) => word !== "")), line).toBeUndefined();
  }
});

test("parseLetters() reads what it takes as node:util's parser does", () => {
  const values = fc.constantFrom("x", "1", "n", "", "-", "-5", "é", "=");
  const names = fc.constantFrom("--file", "--max-index", "--lock-timeout", "-f");
  const flag = fc.oneof(
    fc.tuple(names, values),
    fc.tuple(names, values).map(([name, value]) => [`${name}=${value}`]),
    fc.constantFrom(["--json"], ["-fx"], ["--json="], ["--"], ["--__proto__"], ["toString"]),
  );
  const letter = fc.constantFrom(["n"], ["p"], ["c"]);
  const line = fc.array(fc.oneof({ weight: 3, arbitrary: letter }, flag), { maxLength: 5 });
  let takenCount = 0;
  fc.assert(
    fc.property(line, (parts) => {
      const argv = parts.flat();
      const taken = parseLetters(argv);
      if (taken === undefined) return;
      takenCount++;
      const { values: given, positionals } = parseArgs({
        args: argv,
        allowPositionals: true,
        options: {
          file: { type: "string", short: "f" },
          "max-index": { type: "string" },
          "lock-timeout": { type: "string" },
          json: { type: "boolean" },
        },
      });
      const { json = false, ...flags } = given;
      expect(taken).toEqual({ letters: positionals.filter(isLetter), flags, json });
      expect(positionals.every(isLetter)).toBe(true);
    }),
    { numRuns: 3000 },
  );
  expect(takenCount).toBeGreaterThan(500);
});
