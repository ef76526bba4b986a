/**
 * Who may use a server: its tokens, which are read again with each SIGHUP, and pages of other origins; and what to tell
 * those who run it when more may than they may think.
 * @module
 */
import type { Config } from "../config/config.ts";
import { isLoopback } from "../config/network.ts";
import { onHangup } from "../signals.ts";
import type { EntryParts } from "../http/entry.ts";
import { AllowedOrigins } from "../http/origins.ts";
import { Tokens } from "../http/tokens.ts";
import { type Logger, noticesTo } from "../log.ts";
import { readSecretFile } from "../secret-file.ts";
import { parseTokens, type TokenEntry, unusable } from "../token-file.ts";

/**
 * Opens what stands on the way of each request.
 *
 * @throws {@link FibError} `bad_argument`, when the file of tokens cannot be used.
 */
export async function openAccess(
  { tokensFile, allowOrigins, perClient }: Config,
  log: Logger,
): Promise<Pick<EntryParts, "tokens" | "origins">> {
  const origins = allowOrigins.length > 0 ? new AllowedOrigins(allowOrigins, perClient) : undefined;
  if (tokensFile === undefined) return { origins };
  const tokens = new Tokens(await readTokens(tokensFile));
  onHangup(async () => {
    try {
      const entries = await readTokens(tokensFile);
      tokens.replace(entries);
      log.info("Read {file} again; tokens: {count}", { file: tokensFile, count: entries.length });
    } catch (error) {
      log.error("{error}; those of before are still good", { error: (error as Error).message });
    }
  });
  return { tokens, origins };
}

/** Tells what somebody on the network could do, or see. */
export function warnOfNetwork({ host, tokensFile, tls }: Config, log: Logger): void {
  if (isLoopback(host)) return;
  const warn = noticesTo(log);
  if (tokensFile === undefined) {
    warn(
      `Open to the network: whoever reaches ${host} moves the cursor and starts tasks, without a token; give --tokens FILE (fibserver help token), or listen on 127.0.0.1, with a proxy before it that asks for a password`,
    );
  } else if (tls === undefined) {
    warn(
      "Tokens can be read by others on their way: give --tls-cert and --tls-key, or listen on 127.0.0.1, with a proxy before it that speaks https",
    );
  }
}

/** @throws {@link FibError} `bad_argument`. */
async function readTokens(file: string): Promise<TokenEntry[]> {
  return parseTokens(await readSecretFile(file, "the tokens", (reason) => unusable(file, reason)), file);
}
