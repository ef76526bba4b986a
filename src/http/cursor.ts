/**
 * `/v1/cursors` and `/v1/cursor`: cursors with conditions, keys, and positions as strings. One set of handlers serves
 * both; what is under `/v1/cursor` is the default cursor, and its answers carry no name.
 * @module
 */
import { type Context, Hono } from "hono";
import { LIMITS, parseInteger } from "../config/config.ts";
import { DEFAULT_NAME, parseName } from "../cursor-name.ts";
import type { CursorRequest, CursorService, Outcome, Position } from "../cursor/moves.ts";
import type { ListedCursor } from "../cursor/named.ts";
import { digestOfKey } from "../cursor/record.ts";
import { FibError } from "../errors.ts";
import { termDigits } from "../numbers/offsets.ts";
import { isHead, patiently } from "./asker.ts";
import { addressOf } from "./base-path.ts";
import { Broadcast, type BroadcastServices } from "./broadcast.ts";
import { GUARDED, NO_STORE, refuseForeignPage, refuseForeignWork } from "./browser.ts";
import { namesCurrent, parseTags, passesIfMatch } from "./conditions.ts";
import { sendPositions } from "./cursor-events.ts";
import { submitFor } from "./cursor-span.ts";
import { type GoCursorServices, headOfLong, isLong } from "./go-cursor.ts";
import { sendJson } from "./json.ts";
import { queryOnce } from "./parameters.ts";
import { prefersMinimal } from "./prefer.ts";
import type { Watchers } from "./streams.ts";

/** What the routes of cursors under `/v1` need. */
export interface CursorServices extends GoCursorServices, BroadcastServices {
  /** Those who follow cursors. */
  readonly cursorWatchers: Watchers;
}

/** The cursor that a request is about. */
interface Target {
  readonly name: string;
  readonly cursor: CursorService;
  /** What its answers carry besides the position. */
  readonly told: { readonly name?: string };
}

const CURRENT: CursorRequest = { operation: "current" };

const LIST_COUNT_MAX = 1000;

/** `/cursors`, `/cursor`, and what is below them. */
export function cursorRoutes(services: CursorServices) {
  const { cursors, streams } = services;
  const { show, put, remove, move, follow } = handlers(services);
  const byDefault: Target = { name: DEFAULT_NAME, cursor: cursors.default, told: {} };
  const named = (c: Context): Target => {
    const name = parseName(c.req.param("name") ?? "", "a cursor");
    return { name, cursor: cursors.at(name), told: { name } };
  };

  return new Hono()
    .get("/cursor", (c) => show(c, byDefault))
    .put("/cursor", (c) => put(c, byDefault))
    .delete("/cursor", (c) => remove(c, byDefault))
    .post("/cursor/next", (c) => move(c, byDefault, "next"))
    .post("/cursor/previous", (c) => move(c, byDefault, "previous"))
    .get("/cursor/events", (c) => follow(c, byDefault))
    .get("/cursors", async (c) => {
      const limit = parseInteger(queryOnce(c, "limit") ?? "100", "limit", 1, LIST_COUNT_MAX);
      const filter = { prefix: nameQuery(c, "prefix"), after: nameQuery(c, "after"), limit };
      const found = await cursors.list(filter);
      const next = found.length === limit ? found.at(-1)?.name : undefined;
      return sendJson(c, streams, { cursors: found.map(listedJson), ...(next !== undefined && { next }) });
    })
    .get("/cursors/:name", (c) => show(c, named(c)))
    .put("/cursors/:name", (c) => put(c, named(c)))
    .delete("/cursors/:name", (c) => remove(c, named(c)))
    .post("/cursors/:name/next", (c) => move(c, named(c), "next"))
    .post("/cursors/:name/previous", (c) => move(c, named(c), "previous"))
    .get("/cursors/:name/events", (c) => follow(c, named(c)));
}

function handlers(services: CursorServices) {
  const { indexMax, valueAt, streams } = services;
  const events = { broadcast: new Broadcast(services), watchers: services.cursorWatchers };

  const sendPosition = async (
    c: Context,
    { told }: Target,
    { index, ...position }: Position,
    madeAt?: string,
  ) => {
    const isMinimal = prefersMinimal(c);
    const refusal = isLong(index) && !isMinimal ? refuseForeignWork(c) : undefined;
    if (refusal) throw refusal;
    const rest = isMinimal
      ? { digits: termDigits(index) }
      : { value: await patiently(c, () => valueAt(index)) };
    const headers = {
      ...positionHeaders(position),
      ...(madeAt !== undefined && { location: madeAt }),
      ...(isMinimal && { "preference-applied": "return=minimal" }),
    };
    const status = madeAt === undefined ? 200 : 201;
    return sendJson(c, streams, { ...told, index: String(index), ...rest }, headers, status);
  };

  const answerCurrent = (c: Context, target: Target, outcome: Outcome): Response | Promise<Response> => {
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
    return sendPosition(c, target, outcome);
  };

  return {
    show: (c: Context, target: Target) => {
      const position = target.cursor.current();
      const reply = (outcome: Outcome) => answerCurrent(c, target, outcome);
      return position === undefined ? submitFor<Response>(c, target.cursor, CURRENT, reply) : reply(position);
    },
    put: async (c: Context, target: Target) => {
      refuseForeign(c);
      const index = targetIndex(await c.req.text(), indexMax);
      const request = { ...conditions(c), keyDigest: keyDigest(c), operation: "set", target: index } as const;
      return submit(c, target, request, (position) => {
        const madeAt = position.isNew === true ? addressOf(c, `/v1/cursors/${target.name}`) : undefined;
        return sendPosition(c, target, position, madeAt);
      });
    },
    remove: (c: Context, target: Target) => {
      refuseForeign(c, "remove the cursor");
      return submit(c, target, { ...conditions(c), operation: "remove" }, () => c.body(null, 204, GUARDED));
    },
    move: (c: Context, target: Target, operation: "next" | "previous") => {
      refuseForeign(c);
      const request = { ...conditions(c), keyDigest: keyDigest(c), operation };
      return submit(c, target, request, (position) => sendPosition(c, target, position));
    },
    follow: (c: Context, target: Target) => sendPositions(c, target, events),
  };
}

/** Asks for something, and answers with the position. Throws what the cursor refuses. */
function submit(
  c: Context,
  { cursor }: Target,
  request: CursorRequest,
  answer: (position: Position) => Response | Promise<Response>,
): Response | Promise<Response> {
  return submitFor<Response>(c, cursor, request, (outcome) => {
    if (outcome instanceof FibError) throw outcome;
    return answer(outcome);
  });
}

function listedJson({ name, index, movedAtMs }: ListedCursor) {
  const movedAt = movedAtMs === undefined ? {} : { movedAt: new Date(movedAtMs).toISOString() };
  return { name, index: String(index), ...movedAt };
}

/** A name, or what one begins with; empty when it is not given. */
function nameQuery(c: Context, parameter: "prefix" | "after"): string {
  const text = queryOnce(c, parameter) ?? "";
  return text === "" ? "" : parseName(text, parameter);
}

/** What has to be so for a request to do anything. */
function conditions(c: Context): Pick<CursorRequest, "ifNone" | "ifGeneration"> {
  const tags = parseTags(c.req.header("if-match"));
  return {
    ifNone: parseTags(c.req.header("if-none-match"))?.isAny,
    ifGeneration: tags?.isAny ? "any" : tags?.strong.flatMap(generationOf),
  };
}

function generationOf(tag: string): number[] {
  const match = /^"(0|[1-9]\d{0,15})"$/.exec(tag);
  return match === null ? [] : [Number(match[1])];
}

function refuseForeign(c: Context, what?: string): void {
  const refusal = refuseForeignPage(c, what);
  if (refusal) throw refusal;
}

// The ETag of a replayed answer would be that of a position which the answer does not show.
function positionHeaders({ generation, replayed }: Omit<Position, "index">): Record<string, string> {
  return {
    ...NO_STORE,
    ...(replayed ? { "idempotency-replayed": "true" } : { etag: `"${generation}"` }),
  };
}

function keyDigest(c: Context): Uint8Array | undefined {
  const key = c.req.header("idempotency-key");
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
