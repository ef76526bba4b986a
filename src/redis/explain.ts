/**
 * Why did a connection fail? Bun's client says "Connection closed" for a wrong password, a missing one, TLS where there
 * is none, and a server that is none. So one that failed is tried once more by hand, to say which.
 * @module
 */
import { FibError } from "../errors.ts";
import { addressOf } from "../redis-url.ts";
import { isTooOld, tooOld } from "./check.ts";
import { ADVICE } from "./connection.ts";
import type { RedisPlace, Target } from "./place.ts";

const PROBE_TIMEOUT_MS = 2000;
const PLAIN_TIMEOUT_MS = 500;
const SENTINEL_ADVICE = "the Sentinels' own password goes into FIBSERVER_SENTINEL_AUTH=[USER:]PASSWORD";

/**
 * Finds out why a connection failed.
 *
 * @param error - What the failed attempt threw.
 * @returns The error to show: the same, or one that says more.
 */
export async function explainFailure(place: RedisPlace, error: FibError): Promise<FibError> {
  if (error.code !== "redis_unavailable") return error;
  const primary = await place.locate().catch(() => undefined);
  const isSentinel = primary === undefined;
  const servers = isSentinel ? place.sentinels : [primary];
  const found = await Promise.all(
    servers.map(async (server) => ({ server, reason: readProbe(await probe(server), server, isSentinel) })),
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

/** What a server answers to our password and INFO; an {@link Error} when there is no connection. */
async function probe({ url, tls }: Target): Promise<string | Error> {
  if (tls !== undefined && (await speaksPlainly(url)))
    return new Error("it speaks without TLS: try redis://");
  const { hostname, port, username, password } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<string | Error>();
  const timer = setTimeout(() => resolve(received), PROBE_TIMEOUT_MS);
  let received = "";
  const credentials = [username, password].filter((part) => part !== "").map(decodeURIComponent);
  const commands = [...(credentials.length > 0 ? [["AUTH", ...credentials]] : []), ["INFO", "server"]];
  const say = (socket: Bun.Socket) => void socket.write(commands.map(encodeCommand).join(""));
  try {
    const socket = await Bun.connect({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port),
      tls: tls ?? false,
      socket: {
        open: (opened) => {
          if (tls === undefined) say(opened);
        },
        data: (_, bytes) => {
          received += bytes.toString("latin1");
          if (received.includes("redis_version") || received.startsWith("-")) resolve(received);
        },
        // Not before the server is known to be the one that may hear the password.
        handshake: (opened, isAuthorized, error) => {
          if (isAuthorized) say(opened);
          else resolve(new Error(`its certificate is refused: ${error?.message ?? "unknown"}`));
        },
        close: () => resolve(received),
        error: (_, error) => resolve(error),
        connectError: (_, error) => resolve(error),
      },
    });
    const answer = await promise;
    socket.terminate();
    return answer;
  } catch (error) {
    return error as Error;
  } finally {
    clearTimeout(timer);
  }
}

function encodeCommand(words: readonly string[]): string {
  const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join("")}`;
}

function readProbe(
  answer: string | Error,
  { tls }: Target,
  isSentinel: boolean,
): { readonly text: string; readonly passes: boolean } | undefined {
  if (answer instanceof Error) {
    const { code = "", message } = answer as Error & { code?: string };
    if (code === "ECONNREFUSED")
      return { text: "nothing listens there; start it, or try again", passes: true };
    if (/NOTFOUND|ENODATA/.test(code)) return { text: "there is no such host", passes: false };
    return { text: message, passes: true };
  }
  if (answer.startsWith("-")) {
    const line = answer.slice(1, answer.indexOf("\r")).replace(/\.$/, "");
    const [kind = ""] = line.split(" ", 1);
    const advice = isSentinel && /NOAUTH|WRONGPASS/.test(kind) ? SENTINEL_ADVICE : ADVICE[kind];
    return { text: advice ? `${line}; ${advice}` : line, passes: kind === "LOADING" };
  }
  const version = /redis_version:(\S+)/.exec(answer)?.[1];
  if (version !== undefined && isSentinel && !answer.includes("redis_mode:sentinel")) {
    return { text: "it is no Sentinel", passes: false };
  }
  if (version !== undefined) return isTooOld(version) ? { text: tooOld(version), passes: false } : undefined;
  if (answer !== "") return { text: "what answers there is no Redis", passes: false };
  const text = tls === undefined ? "it says nothing; it may want TLS: try rediss://" : "it says nothing";
  return { text, passes: tls !== undefined };
}

/** Whether a server that is said to speak TLS answers without; it gets no password. */
async function speaksPlainly(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), PLAIN_TIMEOUT_MS);
  try {
    const socket = await Bun.connect({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port),
      socket: {
        open: (opened) => void opened.write("PING\r\n"),
        data: (_, bytes) => resolve(/^[+-][A-Z]/.test(bytes.toString("latin1"))),
        close: () => resolve(false),
      },
    });
    const isPlain = await promise;
    socket.terminate();
    return isPlain;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
