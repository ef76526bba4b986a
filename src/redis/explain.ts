/**
 * Why did a connection fail? One that failed is tried once more by hand, to say which of many reasons it was, and what
 * to do.
 * @module
 */
import { addressOf } from "../config/redis-url.ts";
import { FibError } from "../errors.ts";
import { advised } from "./advice.ts";
import { isTooOld, tooOld } from "./check.ts";
import { RedisConnection } from "./connection.ts";
import type { RedisPlace, Target } from "./place.ts";
import { type Answer, probe, speaksPlainly } from "./probe.ts";

const SENTINEL_ADVICE =
  "the Sentinels' own password goes into FIBSERVER_SENTINEL_AUTH=[USER:]PASSWORD; or it is no Sentinel";

/** What is wrong with a server, and whether it passes by itself. */
interface Reason {
  readonly text: string;
  readonly passes: boolean;
}

/** A server that was asked. */
interface Asked extends Pick<Target, "tls"> {
  readonly place: RedisPlace;
  readonly isSentinel: boolean;
}

/**
 * Connects for the first time; a failure says why.
 *
 * @throws {@link FibError} as {@link RedisConnection.open}.
 */
export async function openExplained(place: RedisPlace): Promise<RedisConnection> {
  try {
    return await RedisConnection.open(place);
  } catch (error) {
    throw error instanceof FibError ? await explainFailure(place, error) : error;
  }
}

async function explainFailure(place: RedisPlace, error: FibError): Promise<FibError> {
  if (error.code !== "redis_unavailable") return error;
  const primary = await place.locate().catch(() => undefined);
  const isSentinel = primary === undefined;
  const servers = isSentinel ? place.sentinels : [primary];
  const found = await Promise.all(
    servers.map(async (server) => ({
      server,
      reason: await reasonOf(server, { place, isSentinel, tls: server.tls }),
    })),
  );
  const reasons = found.flatMap(({ server, reason }) =>
    reason === undefined ? [] : [{ server, ...reason }],
  );
  // Of several Sentinels one may be away; that another refuses us is what has to be changed.
  const reason = reasons.find(({ passes }) => !passes) ?? reasons[0];
  if (reason === undefined) return error;
  const code = reason.passes ? "redis_unavailable" : "redis_unusable";
  const who =
    place.name === undefined
      ? ""
      : `${isSentinel ? "Sentinel" : "the primary"} at ${addressOf(reason.server.url)}: `;
  return new FibError(code, `Cannot use Redis at ${place.address}: ${who}${reason.text}`, { cause: error });
}

async function reasonOf(server: Target, asked: Asked): Promise<Reason | undefined> {
  if (server.tls !== undefined && (await speaksPlainly(server)))
    return lasting(`it speaks without TLS: ${otherScheme(asked)}`);
  const answer = await probe(server);
  return answer instanceof Error ? reasonOfError(answer, asked) : reasonOfText(answer, asked);
}

function reasonOfError({ code = "", message }: Exclude<Answer, string>, asked: Asked): Reason {
  if (code === "ECONNREFUSED") return { text: "nothing listens there; start it, or try again", passes: true };
  if (/NOTFOUND|ENODATA/.test(code)) return lasting("there is no such host");
  if (/ALERT_CERTIFICATE_REQUIRED/.test(message))
    return lasting("it wants a certificate: give --redis-tls-cert FILE and --redis-tls-key FILE");
  if (/ALERT_UNKNOWN_CA/.test(message))
    return lasting("it does not know the authority of the certificate in --redis-tls-cert");
  if (/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code))
    return lasting(`its certificate is refused: ${message}; name its authority with --redis-tls-ca FILE`);
  if (/CERT/.test(code)) return lasting(`its certificate is refused: ${message}`);
  if (code === "ECONNRESET" && asked.tls === undefined)
    return lasting(`it ends the connection; it may want TLS: ${otherScheme(asked)}`);
  return { text: message, passes: true };
}

function reasonOfText(answer: string, asked: Asked): Reason | undefined {
  const refusal = /^-(.*?)\.?\r/m.exec(answer)?.[1];
  if (refusal !== undefined) {
    if (asked.isSentinel && /^(NOAUTH|WRONGPASS)/.test(refusal))
      return lasting(`${refusal}; ${SENTINEL_ADVICE}`);
    return { text: advised(refusal, asked.place), passes: refusal.startsWith("LOADING") };
  }
  const version = /redis_version:(\S+)/.exec(answer)?.[1];
  if (version !== undefined && asked.isSentinel && !answer.includes("redis_mode:sentinel")) {
    return lasting("it is no Sentinel");
  }
  if (version !== undefined) return isTooOld(version) ? lasting(tooOld(version)) : undefined;
  if (answer !== "") return lasting("what answers there is no Redis");
  const otherwise = asked.tls === undefined ? `, or wants TLS: ${otherScheme(asked)}` : "";
  return { text: `it says nothing: it hangs${otherwise}`, passes: true };
}

function lasting(text: string): Reason {
  return { text, passes: false };
}

/** The scheme that does with TLS what the URL's does without, and the other way round. */
function otherScheme({ tls, place, isSentinel }: Asked): string {
  if (place.name !== undefined && !isSentinel) return "its Sentinels and it have to be the same in that";
  return `try redis${tls === undefined ? "s" : ""}${isSentinel ? "+sentinel" : ""}://`;
}
