/** Places in the sequence, as people and addresses name them. */
import { expect, test } from "bun:test";
import { bytesOfFirst } from "../../src/web/digits/term-rows.ts";
import { findByte, findSpelled, findTerm, spelledPlace } from "../../src/web/sequence/places.ts";

test("a place is spelled as a term and its digit, and found again", () => {
  expect([spelledPlace(705_000, 0), spelledPlace(705_000, 1200)]).toEqual(["705000", "705000+1200"]);
  expect(findSpelled("705000+1200", 1_000_000)).toEqual({ byte: bytesOfFirst(705_000) + 1200 });
  // Beyond the last digit of a term is no other term.
  expect(findSpelled("5+99", 10)).toEqual(findTerm("5", 10));
});

test("what is no place says what is", () => {
  expect(findTerm("10", 10)).toEqual({
    problem: "F(10) is beyond this text: it ends with F(9) (--max-sequence).",
  });
  expect(findTerm("-1", 10)).toEqual({ problem: "A term has an index, from 0 to 9." });
  expect(findByte("22", 10)).toEqual({ byte: 22 });
  expect(findByte("23", 10)).toEqual({ problem: "The bytes of this text are 0 to 22." });
});
