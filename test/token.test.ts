/** Tokens as texts: where one was put by mistake, nothing of it is shown. */
import { expect, test } from "bun:test";
import { shortened } from "../src/shell-word.ts";
import { makeToken, tokenLine, withoutTokens } from "../src/token.ts";

/** Whether a text has a part of a token in it that is worth something. */
const tells = (text: string, token: string) =>
  Array.from({ length: token.length - 8 }, (_, at) => token.slice(at, at + 8)).some((part) =>
    text.includes(part),
  );

const encoded = (text: string) =>
  text.replaceAll(/./g, (character) => `%${character.charCodeAt(0).toString(16)}`);

test("withoutTokens() leaves nothing of a token, however an address spells it", () => {
  for (let round = 0; round < 20; round++) {
    const token = makeToken();
    const spellings = [
      token,
      `%66${token.slice(1)}`,
      `fib%5F${token.slice(4)}`,
      `fib%5f${token.slice(4)}`,
      `${token.slice(0, 20)}${encoded(token.slice(20, 25))}${token.slice(25)}`,
      encoded(token),
      encodeURIComponent(encoded(token)),
      `%2566${token.slice(1)}`,
    ];
    for (const spelled of spellings)
      expect(withoutTokens(`GET /v1/${spelled}/x, ${spelled}`)).toBe("GET /v1/fib_…/x, fib_…");
  }
  const innocent = `/v1/fibonacci/5 fib_ fib_short ${tokenLine("ci", "read", makeToken())}`;
  expect(withoutTokens(innocent)).toBe(innocent);
});

test("shortened() hides a token before it cuts it", () => {
  const token = makeToken();
  for (const text of [token, `x${token}`, `${"x".repeat(30)}${token}`, `${token}${"x".repeat(30)}`])
    expect(tells(shortened(text), token)).toBe(false);
});
