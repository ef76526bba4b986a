/**
 * The cursor's routes: `/api0/*` as the Go server had them, and `/v1/cursor`.
 *
 * `/api0` is the hot path. It has no middleware (one costs 10 to 15% of all requests a
 * second), shares its header objects, and answers `current` without a promise.
 * @module
 */
import { type Context, Hono } from "hono";
import { LIMITS, parseInteger } from "../config.ts";
import type { CursorRequest, CursorService, Outcome, Position } from "../cursor/moves.ts";
import { digestOfKey } from "../cursor/record.ts";
import { FibError, isFault } from "../errors.ts";
import { goAnswer, goRefusal } from "../go-answer.ts";
import { termDigits } from "../numbers/offsets.ts";
import { isHead, patiently } from "./asker.ts";
import { NO_STORE, refuseForeignGet, refuseForeignPage, refuseForeignWork } from "./browser.ts";
import { namesCurrent, parseTags, passesIfMatch } from "./conditions.ts";
import { methodNotAllowed, problem, retryAfter } from "./problem.ts";
import { sendJson } from "./json.ts";
import { type Streams, WHOLE_BYTES_MAX } from "./streams.ts";

/** What these routes need. */
export interface CursorServices {
  readonly cursor: CursorService;
  readonly indexMax: number;
  /** F(index) as text; a promise where it takes long. */
  readonly valueAt: (index: number) => string | Promise<string>;
  readonly streams: Streams;
  /** Told of an error whose message clients do not see. */
  readonly onFault: (error: FibError) => void;
}

const GO_HEADERS = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
const GO_OK = { status: 200, headers: GO_HEADERS };
const CURRENT: CursorRequest = { operation: "current" };

/** The Go server's three routes. */
export function goCursorRoutes({ cursor, indexMax, valueAt, streams, onFault }: CursorServices) {
  const refuse = (error: unknown) => {
    if (!(error instanceof FibError)) throw error;
    if (isFault(error)) onFault(error);
    return goError(error);
  };
  const answer = (outcome: Outcome) => {
    if (outcome instanceof FibError) return refuse(outcome);
    const value = valueAt(outcome.index);
    return typeof value === "string" ? goOk(value) : value.then(goOk, refuse);
  };
  const answerLong = async (c: Context, outcome: Outcome) => {
    if (outcome instanceof FibError) return refuse(outcome);
    const { index } = outcome;
    const refusal = refuseLong(c, index);
    if (refusal) return problem(refusal, c.req.path);
    if (isHead(c) && isLong(index)) return headOfLong(GO_HEADERS);
    try {
      const value = await patiently(c, () => valueAt(index));
      return new Response(streams.bodyOf(c, goAnswer(value)), GO_OK);
    } catch (error) {
      return refuse(error);
    }
  };
  // A long value has to know its reader. Where all are short, one function answers everybody.
  const answerTo = isLong(indexMax)
    ? (c: Context) => (outcome: Outcome) => answerLong(c, outcome)
    : () => answer;

  const mover = (operation: "next" | "previous") => {
    const request: CursorRequest = { operation };
    return (c: Context) => {
      if (isHead(c)) return methodNotAllowed(c, "GET");
      const refusal = refuseForeignGet(c.req.raw);
      return refusal ? problem(refusal, c.req.path) : cursor.submit<Response>(request, answerTo(c));
    };
  };

  return new Hono()
    .get("/next", mover("next"))
    .get("/previous", mover("previous"))
    .get("/current", (c) => {
      const position = cursor.current();
      const reply = answerTo(c);
      return position === undefined ? cursor.submit<Response>(CURRENT, reply) : reply(position);
    });
}

/** `/v1/cursor`: conditional, keyed, and with big integers as strings. */
export function cursorRoutes({ cursor, indexMax, valueAt, streams }: CursorServices) {
  const show = async (c: Context, { index, ...position }: Position) => {
    const refusal = refuseLong(c, index);
    if (refusal) throw refusal;
    const value = await patiently(c, () => valueAt(index));
    return sendJson(c, streams, { index: String(index), value }, positionHeaders(position));
  };

  const submit = (c: Context, request: CursorRequest) =>
    cursor.submit(request, (outcome) => {
      if (outcome instanceof FibError) throw outcome;
      return show(c, outcome);
    });

  const answerCurrent = (c: Context, outcome: Outcome): Response | Promise<Response> => {
    if (outcome instanceof FibError) throw outcome;
    const etag = `"${outcome.generation}"`;
    if (!passesIfMatch(c.req.header("if-match"), etag)) {
      throw new FibError(
        "cursor_moved",
        `Cannot show this: the cursor is at ${etag}, which If-Match does not name`,
      );
    }
    if (namesCurrent(c.req.header("if-none-match"), etag)) return c.body(null, 304, positionHeaders(outcome));
    if (isHead(c) && isLong(outcome.index)) return headOfLong(positionHeaders(outcome));
    return show(c, outcome);
  };

  const move = (c: Context, request: CursorRequest) => {
    refuseForeign(c);
    return submit(c, conditional(c, request));
  };

  return new Hono()
    .get("/", (c) => {
      const position = cursor.current();
      const reply = (outcome: Outcome) => answerCurrent(c, outcome);
      return position === undefined ? cursor.submit<Response>(CURRENT, reply) : reply(position);
    })
    .put("/", async (c) => {
      refuseForeign(c);
      const target = targetIndex(await c.req.text(), indexMax);
      return submit(c, conditional(c, { operation: "set", target }));
    })
    .post("/next", (c) => move(c, { operation: "next" }))
    .post("/previous", (c) => move(c, { operation: "previous" }));
}

/** Whether an answer with F(index) is too long to be one buffer. */
function isLong(index: number): boolean {
  return termDigits(index) > WHOLE_BYTES_MAX / 2;
}

function refuseLong(c: Context, index: number): FibError | undefined {
  return isLong(index) ? refuseForeignWork(c.req.raw) : undefined;
}

// GET sends it in chunks, of no known length; the value would be computed for nothing.
function headOfLong(headers: Readonly<Record<string, string>>): Response {
  return new Response(new ReadableStream(), { headers: { "content-type": "application/json", ...headers } });
}

function goOk(value: string): Response {
  return new Response(goAnswer(value), GO_OK);
}

function conditional(c: Context, request: CursorRequest): CursorRequest {
  if (parseTags(c.req.header("if-none-match"))?.isAny) {
    throw new FibError(
      "precondition_failed",
      "Cannot move: If-None-Match: * wants no cursor, and there is one",
    );
  }
  const tags = parseTags(c.req.header("if-match"));
  return {
    ...request,
    keyDigest: keyDigest(c.req.header("idempotency-key")),
    ifGeneration: tags === undefined || tags.isAny ? undefined : tags.strong.flatMap(generationOf),
  };
}

function generationOf(tag: string): number[] {
  const match = /^"(\d{1,16})"$/.exec(tag);
  return match === null ? [] : [Number(match[1])];
}

function refuseForeign(c: Context): void {
  const refusal = refuseForeignPage(c.req.raw);
  if (refusal) throw refusal;
}

function goError(error: FibError): Response {
  const { body, status } = goRefusal(error.code);
  return new Response(body, { status, headers: { ...GO_HEADERS, ...retryAfter(status) } });
}

// The ETag of a replayed answer would be that of a position which the answer does not show.
function positionHeaders({ generation, replayed }: Omit<Position, "index">): Record<string, string> {
  return {
    ...NO_STORE,
    ...(replayed ? { "idempotency-replayed": "true" } : { etag: `"${generation}"` }),
  };
}

function keyDigest(key: string | undefined): Uint8Array | undefined {
  if (key === undefined) return undefined;
  if (key === "" || key.length > LIMITS.keyCharsMax) {
    throw new FibError(
      "bad_argument",
      `Cannot use this Idempotency-Key: it takes 1 to ${LIMITS.keyCharsMax} characters`,
    );
  }
  return digestOfKey(key);
}

function targetIndex(body: string, indexMax: number): number {
  const example = `PUT {"index":"0"}`;
  let index: unknown;
  try {
    index = (JSON.parse(body) as { index?: unknown } | null)?.index;
  } catch {
    throw new FibError("bad_argument", `Cannot read the body: it is not JSON; ${example}`);
  }
  if (typeof index !== "string")
    throw new FibError("bad_argument", `Cannot find the index, a string: ${example}`);
  const target = parseInteger(index, "index", 0, indexMax);
  if (String(target) === index) return target;
  throw new FibError("bad_argument", `Cannot use an index with leading zeros: ${example}`);
}
