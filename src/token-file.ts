/**
 * The file of tokens: a line for each, `NAME SCOPE SHA-256`; empty lines and those that begin with `#` say nothing.
 *
 * It holds digests, so whoever reads it can use none of the tokens: each is 256 random bits, which nobody finds again.
 * No error shows a word of the file: somebody may have put the token itself into any place of a line.
 * @module
 */
import { DEFAULT_NAME, isName } from "./cursor-name.ts";
import { FibError } from "./errors.ts";
import type { Grant } from "./grant.ts";
import { shellWord } from "./shell-word.ts";
import { TOKEN_START } from "./token.ts";

/** A token and what it allows, as a line has it. */
export interface TokenEntry {
  readonly grant: Grant;
  /** SHA-256 of the token. */
  readonly digest: Uint8Array;
}

/** What a token allows, without whose it is. */
export type Scope = Pick<Grant, "scope" | "prefix">;

/** Says whether a text can be the name of a token: it is logged, so it must be no token. */
export function isTokenName(text: string): boolean {
  return /^[A-Za-z0-9][\w.@-]{0,63}$/.test(text) && !text.startsWith(TOKEN_START);
}

/** What {@link isTokenName} wants. */
export const TOKEN_NAME_RULE = `1 to 64 of a-z, A-Z, 0-9, '.', '_', '@' and '-', the first a letter or a digit, and no ${TOKEN_START} before them`;

/** Reads a scope. @returns What is wrong with it, where it is none; its text is not in there. */
export function parseScope(text: string): Scope | string {
  if (text === "read" || text === "write") return { scope: text, prefix: undefined };
  if (!text.startsWith("write:")) return "a scope is read, write or write:PREFIX";
  const prefix = text.slice("write:".length);
  if (!isName(prefix)) return "the PREFIX of write:PREFIX is what names of cursors begin with, such as team-";
  // Only `write` moves that one.
  if (DEFAULT_NAME.startsWith(prefix))
    return `the name of the cursor ${DEFAULT_NAME} begins with that PREFIX; take a longer one`;
  return { scope: "write", prefix };
}

/**
 * Reads the text of a file.
 *
 * @param file - Its name, for errors.
 * @throws {@link FibError} `bad_argument`, with the number of the line that is wrong.
 */
export function parseTokens(text: string, file: string): TokenEntry[] {
  const lineOf = new Map<string, number>();
  const entries: TokenEntry[] = [];
  const lines = text.split("\n").map((line) => line.trim());
  for (const [index, line] of lines.entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const number = index + 1;
    const entry = parseLine(line);
    const fault = typeof entry === "string" ? entry : repeated(entry, number, lineOf);
    if (fault !== undefined) throw unusable(file, `line ${number}: ${fault}`);
    entries.push(entry as TokenEntry);
  }
  if (entries.length > 0) return entries;
  const example = `(umask 077; fibserver token NAME --scope write >> ${shellWord(file)})`;
  throw unusable(file, `it has none, so nobody could do anything; make one: ${example}`);
}

/** The error for a file that is no file of tokens. */
export function unusable(file: string, reason: string): FibError {
  return new FibError("bad_argument", `Cannot use the tokens of ${shellWord(file)}: ${reason}`);
}

/** @returns What is wrong, where something is. */
function parseLine(line: string): TokenEntry | string {
  const words = line.split(/\s+/);
  const [name = "", scopeText = "", hex = ""] = words;
  const pasted = "a token itself stands here, where only its SHA-256 may: take it out and make another";
  if (words.some((word) => word.startsWith(TOKEN_START))) return pasted;
  if (words.length !== 3) return `a line is NAME SCOPE SHA-256, 3 words, and this one has ${words.length}`;
  if (!isTokenName(name)) return `a NAME is ${TOKEN_NAME_RULE}`;
  const scope = parseScope(scopeText);
  if (typeof scope === "string") return scope;
  if (!/^[\da-f]{64}$/i.test(hex))
    return "a SHA-256 is 64 hexadecimal digits, not the token; fibserver token writes the line";
  return { grant: { name, ...scope }, digest: Uint8Array.fromHex(hex) };
}

/** Says where a name or a token was before. */
function repeated({ grant, digest }: TokenEntry, number: number, lineOf: Map<string, number>) {
  for (const [what, key] of [
    ["NAME", `name ${grant.name}`],
    ["token", digest.toHex()],
  ] as const) {
    const before = lineOf.get(key);
    if (before !== undefined) return `this ${what} is on line ${before} already`;
    lineOf.set(key, number);
  }
  return undefined;
}
