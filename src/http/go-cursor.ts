/**
 * `/api0`, as the Go server had it: the hot path of HTTP, one table of handlers.
 *
 * A port gives the table to Bun's own router, ahead of Hono, which takes 1 µs of the 7 of a request; an app
 * without a port routes to the same handlers. There is no middleware, the headers are one object, the bodies that
 * were shown last are kept whole (that is 2 µs at index 500, 3 at 5,000), and `current` has no promise. The checks of a
 * request are looks at headers of 10 to 20 ns each; one that is not there allocates nothing.
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
import { type Asked, type Finish, type HotHandler, isHead, patiently, requestIdOf } from "./asker.ts";
import { refuseForeignGet, refuseForeignWork } from "./browser.ts";
import { submitFor } from "./cursor-span.ts";
import { answerError, type ErrorEvents } from "./frame.ts";
import { problem, retryAfter } from "./problem.ts";
import { answerWith } from "./sent.ts";
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
export type HotRoutes = Readonly<Record<string, HotHandler>>;

const GO_HEADERS = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
const GO_OK = { headers: new Headers(GO_HEADERS) };
/** Of all indices with the same remainder the last body is kept: of those that a cursor moves to and fro over, all. */
const BODIES_COUNT = 128;
/** Longer ones are not kept. */
const BODY_CHARS_MAX = 2048;

/** Makes the answer to one request out of an outcome, and finishes it. */
export type GoAnswer = (outcome: Outcome) => Response | Promise<Response>;

/**
 * What answers in the Go server's words, whatever happens: around these routes there is nobody to catch an error.
 *
 * @returns For who asks a function that makes the answer.
 */
export function goAnswers(services: GoCursorServices): (asked: Asked, finish: Finish) => GoAnswer {
  const { streams, onFault } = services;
  const bodies: ({ index: number; body: string } | undefined)[] = [];

  const refuse = (error: unknown, asked: Asked): Response => {
    if (!(error instanceof FibError)) return answerError(services, error, asked);
    if (isFault(error)) onFault(error, requestIdOf(asked));
    return goError(error);
  };
  const bodyAt = (index: number): string | Promise<string> => {
    const value = services.valueAt(index);
    if (typeof value !== "string") return value.then((text) => goAnswer(text));
    const body = goAnswer(value);
    if (body.length <= BODY_CHARS_MAX) bodies[index % BODIES_COUNT] = { index, body };
    return body;
  };
  const answerLong = async (asked: Asked, index: number): Promise<Response> => {
    const refusal = refuseForeignWork(asked);
    if (refusal) return problem(refusal, asked);
    if (isHead(asked)) return headOfLong(GO_HEADERS);
    try {
      const body = await patiently(asked, () => bodyAt(index));
      return answerWith(streams.bodyOf(asked, body), GO_OK);
    } catch (error) {
      return refuse(error, asked);
    }
  };
  return (asked, finish) => (outcome) => {
    try {
      if (outcome instanceof FibError) return finish(refuse(outcome, asked));
      const { index } = outcome;
      const kept = bodies[index % BODIES_COUNT];
      if (kept?.index === index) return finishWith(kept.body, finish);
      if (isLong(index)) return answerLong(asked, index).then((response) => finish(response));
      const body = bodyAt(index);
      if (typeof body === "string") return finishWith(body, finish);
      return body.then(
        (text) => finishWith(text, finish),
        (error) => finish(refuse(error, asked)),
      );
    } catch (error) {
      return finish(refuse(error, asked));
    }
  };
}

/** The Go server's three routes, which move the default cursor. */
export function goCursorHandlers(services: GoCursorServices): HotRoutes {
  const cursor = services.cursors.default;
  const answerTo = goAnswers(services);
  const mover =
    (request: CursorRequest): HotHandler =>
    (raw, env, finish) => {
      const asked = { env, req: { raw } };
      const refusal = refuseForeignGet(asked);
      if (refusal) return finish(problem(refusal, asked));
      return submitFor(asked, cursor, request, answerTo(asked, finish));
    };
  const shower =
    (request: CursorRequest): HotHandler =>
    (raw, env, finish) => {
      const position = cursor.current();
      const reply = answerTo({ env, req: { raw } }, finish);
      return position === undefined ? cursor.submit(request, reply) : reply(position);
    };
  return hotRoutes((request) => (isMove(request) ? mover(request) : shower(request)));
}

/** A table with a handler for each of the three paths. */
export function hotRoutes(handlerOf: (request: CursorRequest) => HotHandler): HotRoutes {
  return Object.fromEntries(Object.entries(REQUESTS).map(([path, request]) => [path, handlerOf(request)]));
}

/** The same by Hono, which also brings HEAD and paths that are spelled in other ways. */
export function goCursorRoutes(hot: HotRoutes): Hono {
  const app = new Hono();
  for (const [path, answer] of Object.entries(hot)) {
    app.get(path, (c) => answer(c.req.raw, c.env as object, (response) => response));
  }
  return app;
}

function finishWith(body: string, finish: Finish): Response {
  return finish(new Response(body, GO_OK), body.length);
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
