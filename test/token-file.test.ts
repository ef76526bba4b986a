/** The file of tokens: each way in which a line can be wrong is told by its number, and nothing of the file is shown. */
import { describe, expect, test } from "bun:test";
import { isTokenName, parseScope, parseTokens } from "../src/token-file.ts";
import { makeToken, tokenLine } from "../src/token.ts";
import { thrown } from "./refusal.ts";

const HEX = Bun.SHA256.hash("x", "hex");

/** What is said of a text. */
function refusalOf(text: string): string {
  const { code, message } = thrown(() => parseTokens(text, "my tokens"));
  expect(code).toBe("bad_argument");
  return message;
}

test("makeToken() and tokenLine() make what parseTokens() reads", () => {
  const token = makeToken();
  expect(token).toMatch(/^fib_[\w-]{43}$/);
  expect(makeToken()).not.toBe(token);
  const text = `\uFEFF# who may\r\n\r\n  ${tokenLine("ci", "read", token)}  \r\n\tapp\twrite:app-\t${HEX.toUpperCase()}\n`;
  expect(parseTokens(text, "f")).toEqual([
    { grant: { name: "ci", scope: "read", prefix: undefined }, digest: hashOf(token) },
    { grant: { name: "app", scope: "write", prefix: "app-" }, digest: hashOf("x") },
  ]);
});

describe("parseTokens()", () => {
  const secret = makeToken();
  const other = Bun.SHA256.hash("y", "hex");
  for (const [what, line, reason] of [
    ["too few words", "ci read", "a line is NAME SCOPE SHA-256, 3 words, and this one has 2"],
    ["too many", `ci read ${HEX} x`, "a line is NAME SCOPE SHA-256, 3 words, and this one has 4"],
    ["a digest that is short", `ci read ${HEX.slice(1)}`, "a SHA-256 is 64 hexadecimal digits"],
    ["one that is no hex", `ci read ${"g".repeat(64)}`, "a SHA-256 is 64 hexadecimal digits"],
    ["a token in its place", `ci read ${secret}`, "a token itself stands here"],
    ["a token for a name", `${secret} read ${HEX}`, "a token itself stands here"],
    ["a token for a scope", `ci ${secret} ${HEX}`, "a token itself stands here"],
    ["a token alone", secret, "a token itself stands here"],
    ["somebody else's token", "ci read hunter2hunter2", "a SHA-256 is 64 hexadecimal digits, not the token"],
    ["an unknown scope", `ci admin ${HEX}`, "a scope is read, write or write:PREFIX"],
    ["a scope in capitals", `ci READ ${HEX}`, "a scope is read, write or write:PREFIX"],
    ["an empty prefix", `ci write: ${HEX}`, "the PREFIX of write:PREFIX"],
    ["a prefix of no name", `ci write:Team/ ${HEX}`, "the PREFIX of write:PREFIX"],
    ["a prefix of clients", `ci write:client-a ${HEX}`, "the PREFIX of write:PREFIX"],
    ["a prefix of the default cursor", `ci write:def ${HEX}`, "the name of the cursor default begins with"],
    ["a name that is none", `c/i read ${HEX}`, "a NAME is 1 to 64"],
    ["a name with a control", `c\u001Bi read ${HEX}`, "a NAME is 1 to 64"],
    ["a name twice", `one read ${other}`, "this NAME is on line 2 already"],
    ["a token twice", `two write ${HEX}`, "this token is on line 2 already"],
  ] as const) {
    test(`names the line of ${what}, and shows nothing of it`, () => {
      const said = refusalOf(`# first\none read ${HEX}\n\n${line}\n`);
      expect(said).toStartWith(`Cannot use the tokens of 'my tokens': line 4: ${reason}`);
      for (const word of [secret, HEX, other, ...line.split(/\s/).filter((each) => each.length > 8)])
        expect(said).not.toContain(word);
    });
  }

  test("refuses a file without tokens, with the line that makes one", () => {
    for (const text of ["", "\n\n", "# none\n"]) {
      expect(refusalOf(text)).toContain("(umask 077; fibserver token NAME --scope write >> 'my tokens')");
    }
  });
});

test("parseScope() says what is wrong, and not of what", () => {
  expect(parseScope("write:team-")).toEqual({ scope: "write", prefix: "team-" });
  expect(parseScope("write:defaults")).toEqual({ scope: "write", prefix: "defaults" });
  for (const text of ["", "reads", "write:", "write:-a", "read:a", makeToken()])
    expect(parseScope(text)).toBeString();
});

test("isTokenName() takes what a log can show, and no token", () => {
  for (const name of ["ci", "Prometheus.1", "ann@example.org", "a".repeat(64)])
    expect(isTokenName(name)).toBe(true);
  for (const name of ["", "-ci", "a b", "a".repeat(65), "é", makeToken()])
    expect(isTokenName(name)).toBe(false);
});

function hashOf(text: string): Uint8Array {
  return Uint8Array.fromHex(Bun.SHA256.hash(text, "hex"));
}
