/**
 * The certificate of a server: `--tls-cert` with `--tls-key`.
 *
 * One that has expired ends the start, since no client would take it. One that is not valid yet does not: as often as
 * not it is the clock of a machine that has just started which is wrong.
 *
 * Bun keeps the certificate with which it began to listen: `server.reload` takes another and goes on with the old one
 * (tried). So SIGHUP checks the new files and says how they come into use; what is wrong with them is known before
 * the server is ended for them. The same is looked at each day: a server runs for longer than a certificate lives.
 * @module
 */
import { cannotUse, type Pair, readPair } from "../certificates.ts";
import type { NetworkConfig } from "../config/network.ts";
import { onHangup } from "../signals.ts";
import type { Logger } from "../log.ts";

/** Enough to get another one by hand; those who get theirs by a program renew it 30 days before its end. */
const EXPIRY_WARN_DAYS = 14;
const DAY_MS = 86_400_000;

/**
 * Reads the certificate and its key, warns of what will be wrong with them, and looks at them again each day and with
 * SIGHUP.
 *
 * @throws {@link FibError} `bad_argument`, with the file and what is wrong with it.
 */
export async function openTls(files: NonNullable<NetworkConfig["tls"]>, log: Logger): Promise<Pair> {
  const pair = await readValid(files);
  warn(files, pair, log);
  const look = onHangup(() => lookAgain(files, pair, log));
  setInterval(look, DAY_MS).unref();
  return pair;
}

async function readValid({ cert, key }: NonNullable<NetworkConfig["tls"]>): Promise<Pair> {
  const pair = await readPair(cert, key);
  const { validToDate } = pair.certificate;
  if (validToDate.getTime() > Date.now()) return pair;
  throw cannotUse(cert, `it has expired, on ${dayOf(validToDate)}`);
}

function warn({ cert }: NonNullable<NetworkConfig["tls"]>, { certificate }: Pair, log: Logger): void {
  const { validFromDate, validToDate } = certificate;
  const daysLeft = Math.floor((validToDate.getTime() - Date.now()) / DAY_MS);
  if (daysLeft < EXPIRY_WARN_DAYS) {
    log.warn("The certificate in {file} expires on {day}; days left: {daysLeft}", {
      file: cert.path,
      day: dayOf(validToDate),
      daysLeft,
    });
  }
  if (validFromDate.getTime() > Date.now()) {
    const told = { file: cert.path, time: validFromDate.toISOString() };
    log.warn(
      "The certificate in {file} is not valid before {time}: until then clients refuse it, unless this clock is wrong",
      told,
    );
  }
}

async function lookAgain(files: NonNullable<NetworkConfig["tls"]>, used: Pair, log: Logger): Promise<void> {
  const file = files.cert.path;
  try {
    const pair = await readValid(files);
    const told = {
      file,
      day: dayOf(pair.certificate.validToDate),
      usedUntil: dayOf(used.certificate.validToDate),
    };
    if (pair.cert === used.cert && pair.key === used.key) {
      log.info("The certificate in {file} is the one in use, valid until {day}", told);
    } else {
      log.warn(
        "The certificate in {file}, valid until {day}, is not in use yet, and the one in use ends on {usedUntil}: restart, or hand over to a second server with --reuse-port",
        told,
      );
    }
    warn(files, pair, log);
  } catch (error) {
    log.error("{error}; the certificate of the start stays in use", { error: (error as Error).message });
  }
}

/** Such as `2026-12-27`, in UTC. */
function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
