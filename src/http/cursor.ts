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
import { KEY_BYTES } from "../cursor/record.ts";
import { FibError } from "../errors.ts";
import { goAnswer, goRefusal } from "../go-answer.ts";
import { refuseForeignPage } from "./browser.ts";
import { methodNotAllowed, problem, retryAfter } from "./problem.ts";

/** What these routes need. */
export interface CursorServices {
  readonly cursor: CursorService;
  readonly indexMax: number;
  /** F(index) as text; a promise where it takes long. */
  readonly valueAt: (index: number) => string | Promise<string>;
}

const GO_HEADERS = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
const GO_OK = { status: 200, headers: GO_HEADERS };
const CURRENT: CursorRequest = { operation: "current" };

/** The Go server's three routes. */
export function goCursorRoutes({ cursor, valueAt }: CursorServices) {
  const answer = (outcome: Outcome) => {
    if (outcome instanceof FibError) return goError(outcome);
    const value = valueAt(outcome.index);
    return typeof value === "string" ? goOk(value) : value.then(goOk, goFailure);
  };

  const mover = (operation: "next" | "previous") => {
    const request: CursorRequest = { operation };
    return (c: Context) => {
      // Hono answers HEAD by running the GET handler, and a HEAD must not move anything.
      if (c.req.raw.method !== "GET") return methodNotAllowed(c, "GET");
      const refusal = refuseForeignPage(c.req.raw);
      return refusal ? problem(refusal, c.req.path) : cursor.submit(request, answer);
    };
  };

  return new Hono()
    .get("/next", mover("next"))
    .get("/previous", mover("previous"))
    .get("/current", () => {
      const position = cursor.current();
      return position === undefined ? cursor.submit(CURRENT, answer) : answer(position);
    });
}

/** `/v1/cursor`: conditional, keyed, and with big integers as strings. */
export function cursorRoutes({ cursor, indexMax, valueAt }: CursorServices) {
  const show = async (c: Context, position: Position) =>
    c.json(
      { index: String(position.index), value: await valueAt(position.index) },
      200,
      positionHeaders(position),
    );

  const submit = (c: Context, request: CursorRequest) =>
    cursor.submit(request, (outcome) => {
      if (outcome instanceof FibError) throw outcome;
      return show(c, outcome);
    });

  const move = (c: Context, request: CursorRequest) => {
    refuseForeign(c);
    return submit(c, conditional(c, request));
  };

  return new Hono()
    .get("/", (c) =>
      cursor.submit<Response>(CURRENT, (outcome) => {
        if (outcome instanceof FibError) throw outcome;
        const known = c.req.header("if-none-match");
        if (known?.trim() === "*" || generations(known, true)?.includes(outcome.generation)) {
          return c.body(null, 304, positionHeaders(outcome));
        }
        return show(c, outcome);
      }),
    )
    .put("/", async (c) => {
      refuseForeign(c);
      const target = targetIndex(await c.req.text(), indexMax);
      return submit(c, conditional(c, { operation: "set", target }));
    })
    .post("/next", (c) => move(c, { operation: "next" }))
    .post("/previous", (c) => move(c, { operation: "previous" }));
}

function goOk(value: string): Response {
  return new Response(goAnswer(value), GO_OK);
}

function goFailure(error: unknown): Response {
  if (error instanceof FibError) return goError(error);
  throw error;
}

function conditional(c: Context, request: CursorRequest): CursorRequest {
  return {
    ...request,
    keyDigest: keyDigest(c.req.header("idempotency-key")),
    ifGeneration: generations(c.req.header("if-match")),
  };
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
function positionHeaders({ generation, replayed }: Position): Record<string, string> {
  return {
    "cache-control": "no-store",
    ...(replayed ? { "idempotency-replayed": "true" } : { etag: `"${generation}"` }),
  };
}

/**
 * The generations that a list of entity tags names.
 *
 * @param weak - Also take weak tags, as `If-None-Match` does (RFC 9110, 13.1.2).
 * @returns undefined without a header and for `*`, which every position matches.
 */
function generations(header: string | undefined, weak = false): number[] | undefined {
  if (header === undefined || header.trim() === "*") return undefined;
  const tags = header.split(",").map((tag) => /^(W\/)?"(\d{1,16})"$/.exec(tag.trim()));
  return tags.flatMap((match) =>
    match === null || (match[1] !== undefined && !weak) ? [] : [Number(match[2])],
  );
}

function keyDigest(key: string | undefined): Uint8Array | undefined {
  if (key === undefined) return undefined;
  if (key === "" || key.length > LIMITS.keyCharsMax) {
    throw new FibError(
      "bad_argument",
      `Cannot use this Idempotency-Key: it takes 1 to ${LIMITS.keyCharsMax} characters`,
    );
  }
  return new Uint8Array(new Bun.CryptoHasher("sha256").update(key).digest()).subarray(0, KEY_BYTES);
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
  return parseInteger(index, "index", 0, indexMax);
}
