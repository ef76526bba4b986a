/**
 * The files that TLS towards Redis may need: a client's certificate with its key, and an authority of one's own.
 * @module
 */
import { type PemFile, readCertificate, readPair } from "../certificates.ts";
import type { TlsFiles } from "../config/redis.ts";
import { FibError } from "../errors.ts";

/** What the files hold, as PEM. */
export interface Tls {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/**
 * Reads them.
 *
 * @returns undefined when there are none.
 * @throws {@link FibError} `bad_argument`, with the file and what is wrong with it.
 */
export async function readTls({ cert, key, ca }: TlsFiles): Promise<Tls | undefined> {
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert && !key) throw needsOther(cert, "its key", /cert$/i, "key");
  if (key && !cert) throw needsOther(key, "its certificate", /key$/i, "cert");
  const authority = ca && { ca: (await readCertificate(ca)).pem };
  if (cert === undefined || key === undefined) return { ...authority };
  const pair = await readPair(cert, key);
  return { cert: pair.cert, key: pair.key, ...authority };
}

// Named as the other was: by a flag or by a variable.
function needsOther({ source }: PemFile, what: string, ending: RegExp, other: string): FibError {
  const missing = source.replace(ending, source.startsWith("--") ? other : other.toUpperCase());
  return new FibError("bad_argument", `Cannot use ${source} without ${what}: ${missing} is missing`);
}
