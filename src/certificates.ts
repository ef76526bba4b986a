/**
 * Certificates and their keys, as files in PEM: of a server, and of a client of Redis.
 *
 * They are read and held against each other before Bun gets them, because it says of each that is wrong that the port
 * or the connection failed. What is said names the file and what is wrong with it, and never shows what is in it.
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { FibError } from "./errors.ts";
import { readSecretFile, readSmallFile } from "./secret-file.ts";
import { shellWord } from "./shell-word.ts";

/** A file, and what has named it, such as `--tls-cert`. */
export interface PemFile {
  readonly path: string;
  readonly source: string;
}

/** A certificate with its key. */
export interface Pair {
  /** The server's own, or the client's: the first in its file. */
  readonly certificate: X509Certificate;
  /** All that is in the files, a chain too, as PEM. */
  readonly cert: string;
  readonly key: string;
}

/** Reads a certificate. @throws {@link FibError} `bad_argument`. */
export async function readCertificate(
  file: PemFile,
): Promise<{ readonly pem: string; readonly parsed: X509Certificate }> {
  const pem = await readSmallFile(file.path, (reason, cause) => cannotUse(file, reason, cause));
  return { pem, parsed: parse(file, "certificate", () => new X509Certificate(pem)) };
}

/**
 * Reads a certificate, or a chain that begins with it, and its key.
 *
 * @throws {@link FibError} `bad_argument`: a file that is missing, cannot be read, is none, holds no PEM, an encrypted key, or
 * the key of another certificate.
 */
export async function readPair(certFile: PemFile, keyFile: PemFile): Promise<Pair> {
  const { pem: cert, parsed: certificate } = await readCertificate(certFile);
  const refuse = (reason: string, cause?: unknown) => cannotUse(keyFile, reason, cause);
  const key = await readSecretFile(keyFile.path, "the private key", refuse);
  const privateKey = parse(keyFile, "private key", () => createPrivateKey(key));
  if (!isTaken(privateKey)) throw cannotUse(keyFile, KINDS);
  if (certificate.checkPrivateKey(privateKey)) return { certificate, cert, key };
  const isChain = (cert.match(/^-----BEGIN CERTIFICATE-----/gm)?.length ?? 0) > 1;
  const first = isChain ? ", whose first one must be that of the key" : "";
  throw cannotUse(keyFile, `it is the key of another certificate than ${certFile.path}${first}`);
}

/** The error for a file that cannot be used. */
export function cannotUse({ path, source }: PemFile, reason: string, cause?: unknown): FibError {
  return new FibError("bad_argument", `Cannot use ${path} for ${source}: ${reason}`, { cause });
}

const KINDS =
  "its kind of key is none that TLS takes: RSA with 1024 bits or more, ECDSA with P-256, P-384 or P-521, or Ed25519";

// With others the port cannot be opened, or no handshake ends well: an RSA key of 512 bits is too short for TLS 1.3.
function isTaken({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  if (type === "rsa") return (details?.modulusLength ?? 0) >= 1024;
  return type === "ed25519" || /^(prime256v1|secp384r1|secp521r1)$/.test(details?.namedCurve ?? "");
}

function parse<T>(file: PemFile, what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ERR_MISSING_PASSPHRASE") {
      const line = `openssl pkey -in ${shellWord(file.path)} -out FILE`;
      throw cannotUse(file, `it is encrypted, and nobody is there to type the passphrase: ${line}`, error);
    }
    const isUnknown = code === "ERR_OSSL_EVP_UNSUPPORTED_ALGORITHM";
    throw cannotUse(file, isUnknown ? KINDS : `it is no ${what} in PEM`, error);
  }
}
