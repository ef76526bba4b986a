/**
 * The description of `/v1/cursor` and `/v1/cursors`: one set of operations for both, as there is one of handlers.
 * @module
 */
import type { ErrorCode } from "../../errors.ts";
import { FAULTS, headers, parameters, problems } from "./parts.ts";
import { NAME_PATTERN, schema } from "./schemas.ts";
import type { Answer, Content, Operation, Parameter, PathItem, Paths } from "./types.ts";

const TAG = ["Cursors"] as const;

/** Of which cursor an operation is: the default one, or that which the path names. */
interface Whose {
  readonly suffix: "" | "Named";
  readonly of: string;
  readonly names: readonly "name"[];
  /** Errors that only one with a name has. */
  readonly codes: readonly ErrorCode[];
}

const DEFAULT: Whose = { suffix: "", of: "the default cursor", names: [], codes: [] };
const NAMED: Whose = {
  suffix: "Named",
  of: "the cursor of this name",
  names: ["name"],
  codes: ["cursor_unknown"],
};

const POSITION: Content = {
  "application/json": { schema: schema("Position"), example: { index: "7", value: "13" } },
};

function moved(description: string): Answer {
  return {
    description,
    headers: headers("Cache-Control", "PositionTag", "Idempotency-Replayed", "Preference-Applied"),
    content: POSITION,
  };
}

function problemsOf({ codes }: Whose, ...more: readonly ErrorCode[]) {
  return problems(...codes, ...more, ...FAULTS.numbers, ...FAULTS.cursor);
}

function move({ suffix, of, names, ...whose }: Whose, operation: "next" | "previous"): Operation {
  const isNext = operation === "next";
  const makes = isNext && suffix === "Named" ? " Makes the cursor when there is none." : "";
  return {
    operationId: `${operation}${suffix}`,
    tags: TAG,
    summary: `Move ${of} ${isNext ? "on" : "back"} by one`,
    description: `The move is on disk before it is answered.${makes}`,
    parameters: parameters(...names, "ifMatch", "ifNone", "idempotencyKey", "preferMinimal"),
    responses: {
      200: moved("Where it stands now."),
      ...problemsOf(
        { suffix, of, names, ...whose },
        isNext ? "sequence_end" : "sequence_start",
        "cursor_moved",
        "precondition_failed",
        "key_reused",
        ...(isNext && names.length > 0 ? (["too_many_cursors"] as const) : []),
      ),
    },
  };
}

function place(whose: Whose): PathItem {
  const { suffix, of, names } = whose;
  return {
    get: {
      operationId: `position${suffix}`,
      tags: TAG,
      summary: `Where ${of} stands`,
      parameters: parameters(...names, "ifMatch", "ifNoneMatch", "preferMinimal"),
      responses: {
        200: {
          description: "Its index and F(index).",
          headers: headers("Cache-Control", "ETag", "Preference-Applied"),
          content: POSITION,
        },
        304: { description: "It has not moved.", headers: headers("Cache-Control", "ETag") },
        ...problemsOf(whose, "cursor_moved"),
      },
    },
    put: {
      operationId: `set${suffix}`,
      tags: TAG,
      summary: `Set ${of}`,
      description:
        suffix === "Named"
          ? "Makes it when there is none: then 201."
          : "The move is on disk before it is answered.",
      parameters: parameters(...names, "ifMatch", "ifNone", "idempotencyKey", "preferMinimal"),
      requestBody: {
        required: true,
        content: { "application/json": { schema: schema("Target"), example: { index: "7" } } },
      },
      responses: {
        200: moved("Where it stands now."),
        ...(suffix === "Named" && {
          201: {
            ...moved("It was made."),
            headers: { ...moved("").headers, ...headers("Location") },
          },
        }),
        ...problemsOf(
          whose,
          "cursor_moved",
          "precondition_failed",
          "key_reused",
          "body_too_large",
          ...(suffix === "Named" ? (["too_many_cursors"] as const) : []),
        ),
      },
    },
    delete: {
      operationId: `remove${suffix}`,
      tags: TAG,
      summary: `Remove ${of}`,
      description:
        "The default one cannot be removed: 409. A cursor is gone with its keys, and no `ETag` of it fits the next of its name.",
      parameters: parameters(...names, "ifMatch", "ifNone"),
      responses: {
        ...(suffix === "Named" && { 204: { description: "It is gone.", headers: headers() } }),
        ...problemsOf(whose, "cursor_permanent", "cursor_moved", "precondition_failed"),
      },
    },
  };
}

function events(whose: Whose): Operation {
  return {
    operationId: `events${whose.suffix}`,
    tags: TAG,
    summary: `Follow ${whose.of}`,
    description:
      "Server-sent events, the first at once. `position` has where it stands and the generation as `id`; `removed` is the last event of a cursor that is removed. What comes faster than 20 a second is left out, the last position never. A comment comes every 15 seconds when nothing happens.",
    parameters: parameters(...whose.names, "lastEventId"),
    responses: {
      200: {
        description: "Events, until somebody ends it.",
        headers: headers("Cache-Control", "X-Accel-Buffering"),
        content: {
          "text/event-stream": {
            schema: {
              type: "string",
              contentMediaType: "text/event-stream",
              contentSchema: schema("WatchedPosition"),
            },
            example: 'retry: 1000\n\nevent: position\nid: 8\ndata: {"index":"7","value":"13"}\n\n',
          },
        },
      },
      ...problemsOf(whose),
    },
  };
}

function prefixOf(name: "prefix" | "after", description: string): Parameter {
  return { name, in: "query", description, schema: { type: "string", pattern: `^$|${NAME_PATTERN}` } };
}

const LIST: Operation = {
  operationId: "cursors",
  tags: TAG,
  summary: "List the cursors, in the order of their names",
  parameters: [
    prefixOf("prefix", "Only those whose name begins so."),
    prefixOf("after", "Those behind this name: the `next` of the page before."),
    ...parameters("limit"),
  ],
  responses: {
    200: {
      description: "A page of them, the default one among them.",
      headers: headers("Cache-Control"),
      content: {
        "application/json": {
          schema: schema("CursorPage"),
          example: {
            cursors: [{ name: "alice", index: "7", movedAt: "2026-11-27T09:00:00.000Z" }],
            next: "alice",
          },
        },
      },
    },
    ...problems(...FAULTS.cursor),
  },
};

/** The paths. */
export const CURSOR_PATHS: Paths = {
  "/v1/cursor": place(DEFAULT),
  "/v1/cursor/next": { post: move(DEFAULT, "next") },
  "/v1/cursor/previous": { post: move(DEFAULT, "previous") },
  "/v1/cursor/events": { get: events(DEFAULT) },
  "/v1/cursors": { get: LIST },
  "/v1/cursors/{name}": place(NAMED),
  "/v1/cursors/{name}/next": { post: move(NAMED, "next") },
  "/v1/cursors/{name}/previous": { post: move(NAMED, "previous") },
  "/v1/cursors/{name}/events": { get: events(NAMED) },
};
