/**
 * `/v1/cursor`: the cursor with conditions, keys, and positions as strings.
 * @module
 */
import { type Context, Hono } from "hono";
import { LIMITS, parseInteger } from "../config.ts";
import type { CursorRequest, Outcome, Position } from "../cursor/moves.ts";
import { digestOfKey } from "../cursor/record.ts";
import { FibError } from "../errors.ts";
import { isHead, patiently } from "./asker.ts";
import { NO_STORE, refuseForeignPage, refuseForeignWork } from "./browser.ts";
import { namesCurrent, parseTags, passesIfMatch } from "./conditions.ts";
import { type CursorServices, headOfLong, isLong } from "./go-cursor.ts";
import { sendJson } from "./json.ts";

const CURRENT: CursorRequest = { operation: "current" };

/** `/v1/cursor` and what is below it. */
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

function refuseLong(c: Context, index: number): FibError | undefined {
  return isLong(index) ? refuseForeignWork(c.req.raw) : undefined;
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
