/**
 * `/api0`, as the Go server had it: the hot path of HTTP, one table of handlers.
 *
 * A port gives the table to Bun's own router, ahead of Hono, which takes 1 µs of the 7 of a request; an app
 * without a port routes to the same handlers. There is no middleware, the headers are one object, the bodies that
 * were shown last are kept whole (that is 2 µs at index 500, 3 at 5,000), and `current` has no promise. The checks of a
 * request take 0.15 µs, all of it for ten looks at headers of 10 to 20 ns; one that is not there allocates nothing.
 *
 * Tried without a gain: `clone()` of a response that is kept, a kept `Response` as init, a body of bytes. A
 * `Response` that Bun's router sends by itself takes 0.7 µs less, but runs no check.
 * @module
 */
import { Hono } from "hono";
import type { CursorRequest, Outcome } from "../cursor/moves.ts";
import type { Cursors } from "../cursor/named.ts";
import { FibError, isFault } from "../errors.ts";
import { goAnswer, goRefusal } from "../go-answer.ts";
import { termDigits } from "../numbers/offsets.ts";
import { type Asked, type Handler, isHead, patiently } from "./asker.ts";
import { refuseForeignGet, refuseForeignWork } from "./browser.ts";
import { answerError, type ErrorEvents } from "./frame.ts";
import { methodNotAllowed, problem, retryAfter } from "./problem.ts";
import { type Streams, WHOLE_BYTES_MAX } from "./streams.ts";

/** What `/api0` needs. */
export interface GoCursorServices extends ErrorEvents {
  readonly cursors: Cursors;
  readonly indexMax: number;
  /** F(index) as text; a promise where it takes long. */
  readonly valueAt: (index: number) => string | Promise<string>;
  readonly streams: Streams;
}

/** What each path asks of the cursor. */
const REQUESTS: Readonly<Record<string, CursorRequest>> = {
  "/api0/next": { operation: "next" },
  "/api0/previous": { operation: "previous" },
  "/api0/current": { operation: "current" },
};

/** What answers a GET, by path. */
export type HotRoutes = Readonly<Record<string, Handler>>;

/** Paths whose GET moves the cursor, so that there is no HEAD of them. */
export const CHANGING_PATHS = Object.keys(REQUESTS).filter((path) => isMove(REQUESTS[path]!));

const GO_HEADERS = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
const GO_OK = { headers: new Headers(GO_HEADERS) };
/** Of all indices with the same remainder the last body is kept: of those that a cursor moves to and fro over, all. */
const BODIES_COUNT = 128;
/** Longer ones are not kept. */
const BODY_CHARS_MAX = 2048;

/** Makes the answer to one request out of an outcome. */
export type GoAnswer = (outcome: Outcome, asked?: Asked) => Response | Promise<Response>;

/**
 * What answers in the Go server's words, whatever happens: around these routes there is nobody to catch an error.
 *
 * @returns For a path a function that makes the answers of requests.
 */
export function goAnswers(
  services: GoCursorServices,
): (path: string) => (raw: Request, env?: object) => GoAnswer {
  const { indexMax, streams, onFault } = services;
  const bodies: ({ index: number; body: string } | undefined)[] = [];

  const refuse = (error: unknown, path: string): Response => {
    if (!(error instanceof FibError)) return answerError(services, error, path);
    if (isFault(error)) onFault(error);
    return goError(error);
  };
  const bodyAt = (index: number): string | Promise<string> => {
    const value = services.valueAt(index);
    if (typeof value !== "string") return value.then((text) => goAnswer(text));
    const body = goAnswer(value);
    if (body.length <= BODY_CHARS_MAX) bodies[index % BODIES_COUNT] = { index, body };
    return body;
  };
  const answerLong = async (asked: Asked, index: number, path: string): Promise<Response> => {
    const refusal = refuseForeignWork(asked.req.raw);
    if (refusal) return problem(refusal, path);
    if (isHead(asked)) return headOfLong(GO_HEADERS);
    try {
      const body = await patiently(asked, () => bodyAt(index));
      return new Response(streams.bodyOf(asked, body), GO_OK);
    } catch (error) {
      return refuse(error, path);
    }
  };
  /** Answers all who ask at a path, unless a value may be so long that it has to know its reader. */
  return (path) => {
    const answer: GoAnswer = (outcome, asked) => {
      try {
        if (outcome instanceof FibError) return refuse(outcome, path);
        const { index } = outcome;
        const kept = bodies[index % BODIES_COUNT];
        if (kept?.index === index) return new Response(kept.body, GO_OK);
        if (asked !== undefined && isLong(index)) return answerLong(asked, index, path);
        const body = bodyAt(index);
        if (typeof body === "string") return new Response(body, GO_OK);
        return body.then(
          (text) => new Response(text, GO_OK),
          (error) => refuse(error, path),
        );
      } catch (error) {
        return refuse(error, path);
      }
    };
    if (!isLong(indexMax)) return () => answer;
    return (raw, env) => (outcome) => answer(outcome, { env, req: { raw } });
  };
}

/** The Go server's three routes, which move the default cursor. */
export function goCursorHandlers(services: GoCursorServices): HotRoutes {
  const cursor = services.cursors.default;
  const answerer = goAnswers(services);
  const mover = (path: string, request: CursorRequest): Handler => {
    const answerTo = answerer(path);
    return (raw, environment) => {
      const refusal = refuseForeignGet(raw);
      return refusal ? problem(refusal, path) : cursor.submit(request, answerTo(raw, environment));
    };
  };
  const shower = (path: string, request: CursorRequest): Handler => {
    const answerTo = answerer(path);
    return (raw, environment) => {
      const position = cursor.current();
      const reply = answerTo(raw, environment);
      return position === undefined ? cursor.submit(request, reply) : reply(position);
    };
  };
  return hotRoutes((path, request) => (isMove(request) ? mover(path, request) : shower(path, request)));
}

/** A table with a handler for each of the three paths. */
export function hotRoutes(handlerOf: (path: string, request: CursorRequest) => Handler): HotRoutes {
  return Object.fromEntries(
    Object.entries(REQUESTS).map(([path, request]) => [path, handlerOf(path, request)]),
  );
}

/** The same by Hono, which also brings HEAD and paths that are spelled in other ways. */
export function goCursorRoutes(hot: HotRoutes): Hono {
  const app = new Hono();
  for (const [path, answer] of Object.entries(hot)) {
    app.get(path, (c) =>
      isHead(c) && CHANGING_PATHS.includes(path)
        ? methodNotAllowed(c, "GET")
        : answer(c.req.raw, c.env as object),
    );
  }
  return app;
}

function isMove({ operation }: CursorRequest): boolean {
  return operation !== "current";
}

/** Whether an answer with F(index) is too long to be one buffer. */
export function isLong(index: number): boolean {
  return termDigits(index) > WHOLE_BYTES_MAX / 2;
}

/** The answer to a HEAD of a long value: GET sends it in chunks, of no known length, and it would be computed for nothing. */
export function headOfLong(headers: Readonly<Record<string, string>>): Response {
  return new Response(new ReadableStream(), { headers: { "content-type": "application/json", ...headers } });
}

function goError(error: FibError): Response {
  const { body, status } = goRefusal(error.code);
  return new Response(body, { status, headers: { ...GO_HEADERS, ...retryAfter(status) } });
}
