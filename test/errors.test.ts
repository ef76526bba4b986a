/** What the system refuses, and what ends an error: told apart from bugs. */
import { expect, test } from "bun:test";
import fs from "node:fs";
import { systemError } from "../src/errors.ts";

test("systemError() knows what the system has refused, with its path, and nothing else", () => {
  let refused: unknown;
  try {
    fs.readFileSync("/nonexistent/file");
  } catch (error) {
    refused = error;
  }
  expect(systemError(refused)).toMatchObject({
    code: "system_failed",
    message: "Cannot go on: ENOENT: no such file or directory, open '/nonexistent/file'",
    cause: refused,
  });
  expect(systemError(new RangeError("Out of memory"))?.code).toBe("system_failed");
  const noCode = Object.assign(new Error("no code"), { syscall: "open" });
  for (const bug of [new TypeError("x is not a function"), noCode, "text", undefined, null]) {
    expect(systemError(bug)).toBeUndefined();
  }
});
