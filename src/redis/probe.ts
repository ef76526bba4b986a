/**
 * Asks a server by hand, to see what Bun's client does not tell: it says "Connection closed" for a wrong password, a
 * missing one, TLS where there is none, and a server that is none.
 * @module
 */
import type { Target } from "./place.ts";

const PROBE_TIMEOUT_MS = 1000;
const PLAIN_TIMEOUT_MS = 500;

/** What a server answers: what it has said until then if it falls silent, an error when there is no connection. */
export type Answer = string | (Error & { readonly code?: string });

/** Logs in, and asks for the version. */
export function probe(target: Target): Promise<Answer> {
  const { username, password } = new URL(target.url);
  const credentials = [username, password].filter((part) => part !== "").map(decodeURIComponent);
  const commands = [...(credentials.length > 0 ? [["AUTH", ...credentials]] : []), ["INFO", "server"]];
  return exchange(target, commands.map(encodeCommand).join(""), /redis_version|^-.*\r/m, PROBE_TIMEOUT_MS);
}

/** Whether a server that is said to speak TLS answers without; it gets no password. */
export async function speaksPlainly({ url }: Target): Promise<boolean> {
  const answer = await exchange({ url, tls: undefined }, "PING\r\n", /./, PLAIN_TIMEOUT_MS);
  return typeof answer === "string" && /^[+-][A-Z]/.test(answer);
}

async function exchange(
  { url, tls }: Pick<Target, "url" | "tls">,
  question: string,
  whole: RegExp,
  timeoutMs: number,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let received = "";
  let socket: Bun.Socket | undefined;
  const onTimeout = () => resolve(socket ? received : failure("ETIMEDOUT", "no connection could be made"));
  const timer = setTimeout(onTimeout, timeoutMs);
  const connecting = Bun.connect({
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port),
    tls: tls ?? false,
    socket: {
      open: (opened) => {
        socket = opened;
        if (tls === undefined) opened.write(question);
      },
      data: (_, bytes) => {
        received += bytes.toString("latin1");
        if (whole.test(received)) resolve(received);
      },
      // Not before the server is known to be the one that may hear the password.
      handshake: (opened, isAuthorized, error) => {
        if (isAuthorized) opened.write(question);
        else resolve(error ?? failure("EPROTO", "its certificate is refused"));
      },
      close: () => resolve(received === "" ? failure("ECONNRESET", "it ends the connection") : received),
      error: (_, error) => resolve(error),
      connectError: (_, error) => resolve(error),
    },
  });
  // Not awaited: a host that does not answer at all holds it for minutes.
  connecting.then((opened) => promise.then(() => opened.terminate()), resolve);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function failure(code: string, message: string): Answer {
  return Object.assign(new Error(message), { code });
}

function encodeCommand(words: readonly string[]): string {
  const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join("")}`;
}
