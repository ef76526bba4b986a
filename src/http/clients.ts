/**
 * `/api0` with a cursor for each client (`--per-client`), told by a cookie with 128 random bits.
 *
 * The cookie is the only key to such a cursor, so it is given away as seldom as may be: by `next` alone, which makes
 * the cursor, and again by a move when the store says that it has grown old. A cookie that nobody knows, as after
 * `--client-ttl`, is never used: who could choose it could share the cursor of another.
 * @module
 */
import { clientName } from "../cursor-name.ts";
import { type CursorRequest, type Outcome, sequenceStart } from "../cursor/moves.ts";
import { FibError } from "../errors.ts";
import { type Asked, type HotHandler, isSecure } from "./asker.ts";
import { refuseForeignGet } from "./browser.ts";
import { type GoCursorServices, goAnswers, type GoAnswer, hotRoutes, type HotRoutes } from "./go-cursor.ts";
import { submitFor } from "./cursor-span.ts";
import { problem } from "./problem.ts";

/** How long the cursor of a client lives. */
export interface ClientOptions {
  readonly ttlMs: number;
}

const COOKIE = "fibserver-client";
const SECRET_BYTES = 16;
/** {@link SECRET_BYTES} in base64url. */
const SECRET = /^[\w-]{22}$/;

/** Where a client stands that has no cursor yet. */
const AT_START: Outcome = { index: 0, generation: 0 };

/**
 * The Go server's three routes, which move the cursor of whoever asks.
 *
 * @param cookiePath - Below which they are.
 */
export function clientHandlers(
  services: GoCursorServices,
  { ttlMs }: ClientOptions,
  cookiePath: string,
): HotRoutes {
  const { cursors } = services;
  const answerTo = goAnswers(services);

  const withCookie = async (response: Response | Promise<Response>, secret: string, asked: Asked) => {
    const attributes = `Path=${cookiePath}; Max-Age=${Math.floor(ttlMs / 1000)}; HttpOnly; SameSite=Strict`;
    const answer = await response;
    answer.headers.set(
      "set-cookie",
      `${COOKIE}=${secret}; ${attributes}${isSecure(asked) ? "; Secure" : ""}`,
    );
    return answer;
  };
  const begin = (request: CursorRequest, answer: GoAnswer, asked: Asked) => {
    const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    return submitFor(asked, cursors.at(clientName(secret)), request, (outcome) => {
      const response = answer(outcome);
      return outcome instanceof FibError ? response : withCookie(response, secret, asked);
    });
  };
  /** What is asked of a cursor that is not there. */
  const withoutCursor = (request: CursorRequest, answer: GoAnswer, asked: Asked) => {
    if (request.operation === "next") return begin(request, answer, asked);
    return answer(request.operation === "previous" ? sequenceStart() : AT_START);
  };

  return hotRoutes((request) => {
    const isMove = request.operation !== "current";
    // "any" is only one that exists: a move makes none for a cookie that is not known.
    const known: CursorRequest = isMove ? { ...request, ifGeneration: "any" } : request;
    const unknownCode = isMove ? "cursor_moved" : "cursor_unknown";
    const handler: HotHandler = (raw, environment, finish) => {
      const asked: Asked = { env: environment, req: { raw } };
      const refusal = isMove ? refuseForeignGet(asked) : undefined;
      if (refusal) return finish(problem(refusal, asked));
      const answer = answerTo(asked, finish);
      const secret = secretOf(raw.headers.get("cookie"));
      if (secret === undefined) return withoutCursor(request, answer, asked);
      return submitFor(asked, cursors.at(clientName(secret)), known, (outcome) => {
        const isUnknown = outcome instanceof FibError && outcome.code === unknownCode;
        if (isUnknown) return withoutCursor(request, answer, asked);
        const renews = !(outcome instanceof FibError) && outcome.renewsCookie;
        return renews ? withCookie(answer(outcome), secret, asked) : answer(outcome);
      });
    };
    return handler;
  });
}

/**
 * What the cookie of a client holds: the first of its name that can be ours, as pages of the same host may set others.
 * Each character is looked at once or twice.
 *
 * @returns undefined for none, and for what we cannot have given.
 */
export function secretOf(header: string | null): string | undefined {
  if (header === null) return undefined;
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    if (equals === -1 || pair.slice(0, equals).trim() !== COOKIE) continue;
    const value = pair.slice(equals + 1).trim();
    const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
    const secret = isQuoted ? value.slice(1, -1) : value;
    if (SECRET.test(secret)) return secret;
  }
  return undefined;
}
