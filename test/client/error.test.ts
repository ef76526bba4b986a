/** What an answer says about itself becomes an error that says the same. */
import { expect, test } from "bun:test";
import { FibClientError } from "../../src/client/error.ts";
import { errorFrom, parseRetryAfter } from "../../src/client/refusal.ts";

test("parseRetryAfter() takes seconds and dates, and nothing else", () => {
  const nowMs = Date.parse("Sat, 21 Nov 2026 09:00:00 GMT");
  for (const [header, expected] of [
    [null, undefined],
    ["", undefined],
    ["0", 0],
    ["120", 120_000],
    [" 3 ", 3000],
    ["9999999999", 9_999_999_999_000],
    ["9".repeat(400), Number.POSITIVE_INFINITY],
    ["soon", undefined],
    ["Sat, 21 Nov 2026 09:00:05 GMT", 5000],
    ["Sat, 21 Nov 2026 08:59:55 GMT", 0],
  ] as const) {
    expect([header, parseRetryAfter(header, nowMs)]).toEqual([header, expected]);
  }
});

test("errorFrom() keeps code, words, status and all members of a problem document", () => {
  const body = JSON.stringify({ code: "not_fibonacci", detail: "between", below: "6", above: "7" });
  const error = errorFrom(404, new Headers(), body);
  expect(error).toBeInstanceOf(FibClientError);
  expect(error).toMatchObject({
    name: "FibClientError",
    code: "not_fibonacci",
    message: "between",
    detail: "between",
    status: 404,
    problem: { below: "6", above: "7" },
  });
});

test("errorFrom() makes do with what is no problem document", () => {
  for (const [status, body, code] of [
    [502, "<html>", "unreachable"],
    [503, "", "unreachable"],
    [404, "<html>", "bad_answer"],
    [400, "null", "bad_answer"],
    [400, '"text"', "bad_answer"],
    [418, '{"code":7}', "bad_answer"],
    [413, "", "bad_argument"],
    [414, "", "bad_argument"],
    [431, "<html>", "bad_argument"],
    [409, '{"code":"x"}', "unknown_code"],
    [409, '{"code":"toString"}', "unknown_code"],
    [409, '{"code":"sequence_start"}', "sequence_start"],
  ] as const) {
    expect(errorFrom(status, new Headers(), body)).toMatchObject({ code, status });
  }
});
