/**
 * `fibserver token NAME`: makes a token for somebody, and the line by which a server knows it.
 *
 * The line goes to standard output, which is appended to the file, the token to standard error, which a person reads:
 * the other way round a `>>` would put the secret into the file. `--json` prints both, for programs. Nothing is kept.
 * @module
 */
import { defineCommand } from "citty";
import { jsonLine } from "../shell-word.ts";
import { isTokenName, parseScope, TOKEN_NAME_RULE } from "../token-file.ts";
import { makeToken, tokenLine } from "../token.ts";
import { usageError } from "./hints.ts";
import { print, requireOutput, STDERR, write } from "./output.ts";

export const token = defineCommand({
  meta: {
    name: "token",
    description: "Make a token for a server",
    examples: [
      "fibserver token ci --scope read",
      "fibserver token app --scope write:app- --json  # token and line, for a script",
    ],
    notes:
      "The line for the file of serve --tokens goes to standard output, the token, shown this once, to stderr: (umask 077; fibserver token ci >> tokens). After kill -HUP the server takes it; commands send the one in FIBSERVER_TOKEN. Scopes: read reads everything; write also moves cursors and makes tasks; write:PREFIX reads and moves only the cursors whose names begin so, and asks for numbers.",
  },
  args: {
    name: { type: "positional", required: true, description: "Whose it is; logs show it" },
    scope: {
      type: "string",
      valueHint: "SCOPE",
      values: ["read", "write", "write:"],
      description: "read, write or write:PREFIX (default read)",
    },
    json: { type: "boolean", description: "Print token and line as JSON on standard output" },
  },
  run({ args: { name, scope = "read", json } }) {
    // Neither is shown: it may be a token that was put there.
    if (!isTokenName(name)) throw usageError("fibserver token", `a NAME is ${TOKEN_NAME_RULE}`);
    const parsed = parseScope(scope);
    if (typeof parsed === "string") throw usageError("fibserver token", parsed);
    const made = makeToken();
    const line = tokenLine(name, scope, made);
    if (json) return print(`${jsonLine({ name, scope, token: made, line })}\n`);
    requireOutput();
    // It comes first, and must arrive: a line in the file whose token nobody has seen is of no use.
    const told = `fibserver: The token of ${name}, shown this once: ${made}\n`;
    write(STDERR, new TextEncoder().encode(told), "the token to stderr");
    print(`${line}\n`);
  },
});
