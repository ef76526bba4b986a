/** An error in the arguments ends with one line to try, and none that changes anything. */
import { expect, test } from "bun:test";
import { lineToTry, withLine } from "../../src/cli/hints.ts";
import { FibError } from "../../src/errors.ts";

test("lineToTry() lets a line pass that changes nothing, and no other", () => {
  for (const line of [
    "fibserver c --server http://127.0.0.1:8080",
    "fibserver fib 100",
    "fibserver task list --state ready",
    "fibserver cursor list -f x",
    "fibserver seq 5..8",
    "fibserver fib 1000 --mod 97",
    "fibserver lucas 100",
    "fibserver zeck 100",
    "fibserver pisano 1000",
  ]) {
    expect(lineToTry("fibserver task", line)).toBe(line);
  }
  for (const line of [
    "fibserver n",
    "fibserver c",
    "fibserver -f x c n",
    "fibserver c n",
    "fibserver c -f x np",
    "fibserver cn",
    "fibserver",
    "fibserver -i",
    "fibserver serve",
    "fibserver cursor set 5",
    "fibserver cursor show",
    "fibserver cursor remove --cursor alice",
    "fibserver task run fibonacci 5",
    "fibserver task cancel 5",
    "fibserver task result 5 -o f",
    "fibserver fib 5 --out=f",
    undefined,
  ]) {
    expect(lineToTry("fibserver task", line)).toBe("fibserver help task");
  }
});

test("withLine() puts a line behind an error in the arguments, once, and behind no other", () => {
  const error = withLine(new FibError("bad_argument", "Cannot use 'x'"), "fibserver help");
  expect(error).toMatchObject({ code: "bad_argument", message: "Cannot use 'x'. Try: fibserver help" });
  expect(withLine(error, "fibserver c")).toBe(error);
  const other = new FibError("cursor_io", "Cannot read");
  expect(withLine(other, "fibserver c")).toBe(other);
});
