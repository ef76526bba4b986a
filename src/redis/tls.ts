/**
 * The files that TLS towards Redis may need: a client's certificate with its key, and an authority of one's own.
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import fs from "node:fs";
import { FibError } from "../errors.ts";
import type { TlsFile, TlsFiles } from "../redis-config.ts";

/** What the files hold, as PEM. */
export interface Tls {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/**
 * Reads them, because Bun's client says "Connection closed" for each that is wrong.
 *
 * @returns undefined when there are none.
 * @throws {@link FibError} `bad_argument`, with the file and what is wrong with it.
 */
export function readTls({ cert, key, ca }: TlsFiles): Tls | undefined {
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert && !key) throw needsOther(cert, "its key", /cert$/i, "key");
  if (key && !cert) throw needsOther(key, "its certificate", /key$/i, "cert");
  const authority = ca === undefined ? undefined : read(ca, "certificate", (pem) => new X509Certificate(pem));
  if (cert === undefined || key === undefined) return { ca: authority!.pem };
  const certificate = read(cert, "certificate", (pem) => new X509Certificate(pem));
  const privateKey = read(key, "private key without a passphrase", createPrivateKey);
  if (!certificate.parsed.checkPrivateKey(privateKey.parsed)) {
    throw cannotUse(key, `it is the key of another certificate than ${cert.path}`);
  }
  return { cert: certificate.pem, key: privateKey.pem, ...(authority && { ca: authority.pem }) };
}

function read<T>(file: TlsFile, what: string, parse: (pem: string) => T): { pem: string; parsed: T } {
  try {
    const pem = fs.readFileSync(file.path, "utf8");
    return { pem, parsed: parse(pem) };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw cannotUse(file, /^E[A-Z]+$/.test(code) ? message : `it is no ${what} in PEM`, error);
  }
}

function cannotUse({ path, source }: TlsFile, reason: string, cause?: unknown): FibError {
  return new FibError("bad_argument", `Cannot use ${path} for ${source}: ${reason}`, { cause });
}

// Named as the other was: by a flag or by a variable.
function needsOther({ source }: TlsFile, what: string, ending: RegExp, other: string): FibError {
  const missing = source.replace(ending, source.startsWith("--") ? other : other.toUpperCase());
  return new FibError("bad_argument", `Cannot use ${source} without ${what}: ${missing} is missing`);
}
