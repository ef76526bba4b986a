/**
 * The files that TLS towards Redis may need: a client's certificate with its key, and an authority of one's own.
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import fs from "node:fs";
import type { RedisConfig } from "../config.ts";
import { FibError } from "../errors.ts";

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
export function readTls({ cert, key, ca }: RedisConfig["tlsFiles"]): Tls | undefined {
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? "--redis-tls-cert" : "--redis-tls-key";
    throw new FibError(
      "bad_argument",
      `Cannot use a certificate without its key: ${missing} FILE is missing`,
    );
  }
  const authority = ca === undefined ? undefined : read(ca, "certificate", (pem) => new X509Certificate(pem));
  if (cert === undefined || key === undefined) return { ca: authority!.pem };
  const certificate = read(cert, "certificate", (pem) => new X509Certificate(pem));
  const privateKey = read(key, "private key without a passphrase", createPrivateKey);
  if (!certificate.parsed.checkPrivateKey(privateKey.parsed)) {
    throw new FibError(
      "bad_argument",
      `Cannot use ${key}: it is the key of another certificate than ${cert}`,
    );
  }
  return { cert: certificate.pem, key: privateKey.pem, ...(authority && { ca: authority.pem }) };
}

function read<T>(file: string, what: string, parse: (pem: string) => T): { pem: string; parsed: T } {
  try {
    const pem = fs.readFileSync(file, "utf8");
    return { pem, parsed: parse(pem) };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    const reason = /^E[A-Z]+$/.test(code) ? message : `it is no ${what} in PEM`;
    throw new FibError("bad_argument", `Cannot use ${file}: ${reason}`, { cause: error });
  }
}
