/** From argv to a command, strictly: what the parser would guess at is refused, with the line that is right. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { checkArguments, findCommand, nearest } from "../../src/cli/arguments.ts";
import { fibserver } from "../../src/cli/root.ts";
import { FibError } from "../../src/errors.ts";
import { rejected } from "../refusal.ts";

/** As the program does it, up to running the command. */
async function check(...argv: string[]) {
  const found = await findCommand(fibserver, argv);
  await checkArguments(found);
  return found;
}

async function refused(...argv: string[]): Promise<string> {
  const error = await rejected(check(...argv));
  expect(error.code).toBe("bad_argument");
  return error.message;
}

test("findCommand() follows the names of commands and leaves the rest of argv to them", async () => {
  expect(await check("n", "n", "p")).toMatchObject({ name: "fibserver", argv: ["n", "n", "p"] });
  expect(await check()).toMatchObject({ name: "fibserver", argv: [] });
  expect(await check("cursor", "set", "5", "-f", "x")).toMatchObject({
    name: "fibserver cursor set",
    argv: ["5", "-f", "x"],
  });
  expect(await check("-f", "cursor", "n")).toMatchObject({ name: "fibserver" });
});

test("findCommand() says what a command takes that got no word or another one", async () => {
  expect(await refused("cursor")).toBe(
    "Cannot run fibserver cursor: it takes list, show, set, remove, watch, inspect, export. Try: fibserver help cursor",
  );
  expect(await refused("cursor", "exprot")).toEndWith(
    "(did you mean export?). Try: fibserver help cursor export",
  );
  expect(await refused("cursor", "constructor")).toContain(
    "it takes list, show, set, remove, watch, inspect, export",
  );
});

test("checkArguments() takes every flag in each of its forms", async () => {
  await check("-p", "8080");
  await check("-p8080", "-dt");
  await check("--port=8080", "--host", "0.0.0.0", "--allow-host", "a,b", "--debug", "--one-cpu");
  await check("-f", "x", "n", "--json", "--max-index", "200", "p", "--lock-timeout", "0.5");
  await check("n", "-f", "x");
  await check("-i", "--json");
  await check("cursor", "inspect", "--json", "--file", "x");
  await check("cursor", "export", "--go", "a", "b");
  await check("n", "--", "p");
});

test("checkArguments() refuses an unknown flag, and names the one that was probably meant", async () => {
  expect(await refused("n", "--jsno")).toBe(
    "Cannot run fibserver: it knows no --jsno (did you mean --json?). Try: fibserver help",
  );
  expect(await refused("--prot", "1")).toEndWith(
    "it knows no --prot (did you mean --port?). Try: fibserver help",
  );
  expect(await refused("n", "--something-else")).toEndWith(
    "it knows no --something-else. Try: fibserver help",
  );
  expect(await refused("-x")).toContain("it knows no -x");
  expect(await refused("-5")).toContain("'-5' begins with a dash, as flags do");
  expect(await refused("cursor", "inspect", "-5")).toContain("it knows no -5");
  expect(await refused("--no-json", "n")).toContain("it knows no --no-json");
  expect(await refused("cursor", "set", "5", "-p", "1")).toContain("it knows no -p");
});

test("checkArguments() refuses a flag that is given twice, in whatever form", async () => {
  for (const argv of [
    ["-f", "a", "-f", "b"],
    ["--file", "a", "-f", "b"],
    ["--file=a", "--file=b"],
    ["-dd"],
    ["-d", "--debug"],
  ]) {
    expect(await refused(...argv)).toMatch(/--(file|debug) is given twice/);
  }
});

test("checkArguments() refuses a value that is missing or not wanted", async () => {
  for (const argv of [["-p"], ["n", "--file"], ["--json=yes", "n"], ["-f", "-p", "1"], ["--port", "-1"]]) {
    expect(await refused(...argv)).toStartWith("Cannot run fibserver: ");
  }
});

test("checkArguments() refuses a word too many where the number of words is fixed", async () => {
  expect(await refused("cursor", "set", "5", "6")).toBe(
    "Cannot run fibserver cursor set: '6' is one word too many; it takes INDEX: a cursor is named by --cursor NAME. Try: fibserver help cursor set",
  );
  expect(await refused("cursor", "export", "a", "b", "c")).toContain("it takes FILE NEW-FILE. ");
  expect(await refused("cursor", "inspect", "x")).toContain("'x' is one word too many");
});

test("checkArguments() refuses with a FibError or accepts, whatever argv holds", async () => {
  const word = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("p", "c", "n", "cursor", "set", "inspect", "export", "5", "--") },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        "-f",
        "--file",
        "--file=",
        "-p",
        "-d",
        "-i",
        "--json",
        "--go",
        "--help",
        "-h",
      ),
    },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
    { weight: 1, arbitrary: fc.string().map((text) => `--${text}`) },
    { weight: 1, arbitrary: fc.string().map((text) => `-${text}`) },
    { weight: 1, arbitrary: fc.constantFrom("__proto__", "constructor", "--__proto__", "--toString=1", "") },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 8 }), async (argv) => {
      try {
        await check(...argv);
      } catch (error) {
        expect(error).toBeInstanceOf(FibError);
        expect((error as FibError).code).toBe("bad_argument");
        expect((error as FibError).message).toContain(". Try: fibserver");
      }
    }),
    { numRuns: 2000 },
  );
});

test("nearest() finds a word within two edits, the closest first, and nothing farther", () => {
  expect(nearest("prot", ["host", "port"])).toBe("port");
  expect(nearest("fil", ["file", "file-name"])).toBe("file");
  expect(nearest("cursor", ["cursor"])).toBe("cursor");
  expect(nearest("xyz", ["port", "host"])).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
});

test("nearest() finds every word that two edits have spoilt", () => {
  const words = ["max-index", "lock-timeout", "allow-host", "interactive"];
  const edits = fc.array(fc.tuple(fc.nat(), fc.constantFrom("drop", "double", "change")), { maxLength: 2 });
  fc.assert(
    fc.property(fc.constantFrom(...words), edits, (word, list) => {
      let spoilt = word;
      for (const [seed, edit] of list) {
        const at = seed % spoilt.length;
        const replaced = { drop: "", double: spoilt[at]!.repeat(2), change: "_" }[edit];
        spoilt = spoilt.slice(0, at) + replaced + spoilt.slice(at + 1);
      }
      expect(nearest(spoilt, words)).toBe(word);
    }),
  );
});
