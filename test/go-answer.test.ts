/** The Go server's bodies, byte for byte. */
import { expect, test } from "bun:test";
import { CODES, type ErrorCode } from "../src/errors.ts";
import { goAnswer, goRefusal } from "../src/go-answer.ts";

test("goAnswer() has exactly the shape that clients of the Go server parse", () => {
  expect(goAnswer("13")).toBe(`{"value":"13","status":"200"}`);
  expect(goAnswer("7540113804746346429")).toBe(`{"value":"7540113804746346429","status":"200"}`);
});

test("goRefusal() is -1 at the start, -2 at the end, and -3 for all that is wrong with the file", () => {
  expect(goRefusal("sequence_start")).toEqual({ body: `{"value":"-1","status":"409"}`, status: 409 });
  expect(goRefusal("sequence_end")).toEqual({ body: `{"value":"-2","status":"507"}`, status: 507 });
  const others = (Object.keys(CODES) as ErrorCode[]).filter((code) => !code.startsWith("sequence_"));
  for (const code of others) {
    expect(goRefusal(code)).toEqual({ body: `{"value":"-3","status":"503"}`, status: 503 });
  }
});
