/**
 * Tokens as texts: `fib_` and 256 random bits. Made here, hidden here, and turned here into the line of a file, which has
 * only the digest (token-file.ts reads it).
 * @module
 */

/** By which a token is known for one: to people, and to programs that look for secrets in what is published. */
export const TOKEN_START = "fib_";
const SECRET_BYTES = 32;

/** A token that nobody has had before. */
export function makeToken(): string {
  const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return TOKEN_START + secret.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** A character as it is, or percent-encoded once or several times, as it is in an address. */
function spelled(character: string): string {
  return `(?:${character}|%(?:25)*${character.charCodeAt(0).toString(16)})`;
}

/** Made when it is first needed: each shell command loads this file, and nearly none has a text to hide. */
let pattern: RegExp | undefined;

// Each character is spelled in one way only (no token has a %, which is 25): else what is almost a token could be read in
// 2^14 ways, and 15 KB of it kept a server busy for 0.4 s.
function makePattern(): RegExp {
  const start = Array.from(TOKEN_START, spelled).join("");
  return new RegExp(`${start}(?:[\\w-]|%(?:25)*(?!25)[\\da-f]{2}){43}`, "gi");
}

/**
 * A text without the tokens in it, for what is written down or shown: some are sent where none belongs. Before a text
 * is shortened: of a part of a token nobody knows that it is one.
 */
export function withoutTokens(text: string): string {
  return text.replaceAll((pattern ??= makePattern()), `${TOKEN_START}…`);
}

/** The line of a token, without its end. */
export function tokenLine(name: string, scope: string, token: string): string {
  return `${name} ${scope} ${Bun.SHA256.hash(token, "hex")}`;
}
