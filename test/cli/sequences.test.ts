/** `fibserver seq` in each format, and from other starts. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { output, run } from "../binary.ts";
import { openServer } from "../client/server.ts";

setDefaultTimeout(300_000);

test("seq --format writes what a server writes, and --json is one of the formats", async () => {
  await using server = await openServer();
  for (const [format, text] of [
    ["text", "55\n89\n144\n"],
    ["json", '["55","89","144"]\n'],
    ["ndjson", '{"n":"10","value":"55"}\n{"n":"11","value":"89"}\n{"n":"12","value":"144"}\n'],
    ["csv", "n,value\n10,55\n11,89\n12,144\n"],
    ["bfile", "10 55\n11 89\n12 144\n"],
  ] as const) {
    expect(await output(["seq", "10..12", "--format", format])).toBe(text);
    const answer = await fetch(`${server.url}/v1/sequence?from=10&to=12&format=${format}`);
    expect(format === "json" ? `${await answer.text()}\n` : await answer.text()).toBe(text);
  }
  expect(await output(["seq", "2", "--json", "--format", "json"])).toBe('["0","1"]\n');
  expect(await output(["seq", "2", "--format", "bfile"])).toBe("0 0\n1 1\n");
});

test("seq --start begins with two other terms; 0,1 are those of Fibonacci", async () => {
  await using server = await openServer();
  for (const [start, terms, text] of [
    ["2,1", "7", "2\n1\n3\n4\n7\n11\n18\n"],
    ["002,01", "0..2", "2\n1\n3\n"],
    ["0,0", "3", "0\n0\n0\n"],
    ["5,0", "4", "5\n0\n5\n5\n"],
    ["0,1", "4", "0\n1\n1\n2\n"],
    [`1,${"9".repeat(128)}`, "3", `1\n${"9".repeat(128)}\n1${"0".repeat(128)}\n`],
  ] as const) {
    expect(await output(["seq", terms, "--start", start])).toBe(text);
  }
  for (const format of ["text", "json", "bfile"]) {
    const local = await output(["seq", "1000..1003", "--start", "2,1", "--format", format]);
    const answer = await fetch(`${server.url}/v1/sequence?from=1000&to=1003&start=2,1&format=${format}`);
    expect(local).toBe((await answer.text()) + (format === "json" ? "\n" : ""));
  }
  const deep = (await output(["seq", "30000..30001", "--start", "2,1"])).split("\n");
  expect(`${deep[0]}\n`).toBe(await output(["lucas", "30000"]));
  expect(`${deep[1]}\n`).toBe(await output(["lucas", "30001"]));
});

test("seq refuses what is no start, no format, and two formats, with a line to try", async () => {
  for (const [args, reason] of [
    [["--start", "1"], "'1' is no start"],
    [["--start", "1,2,3"], "'1,2,3' is no start"],
    [["--start=-1,2"], "'-1,2' is no start"],
    [["--start", "-1,2"], "--start takes a value, A,B"],
    [["--start", "a,b"], "'a,b' is no start"],
    [["--start", "1, 2"], "'1, 2' is no start"],
    [["--start", " 1,2"], "' 1,2' is no start"],
    [["--start", ","], "',' is no start"],
    [["--start", ""], "'' is no start"],
    [["--start", `1,${"9".repeat(129)}`], "of at most 128 digits"],
    [["--format", "xml"], "'xml' is none of text, json, ndjson, csv, bfile"],
    [["--json", "--format", "csv"], "--json and --format csv are two formats"],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(["seq", "5", ...args]);
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: 2 });
    expect(stderr).toContain(reason);
    expect(stderr).toMatch(/\. Try: fibserver (help seq|seq [^"\n]+)("|\n)|Try: fibserver seq [^\n]+/);
  }
});
