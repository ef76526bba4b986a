/** What the description says of JSON, and what server and client say: as types, or this does not compile; and as values. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { SERVER_CODES } from "../../src/client/codes.ts";
import { readPosition, readWatched, VALUES } from "../../src/client/position.ts";
import type { Output } from "../../src/client/routes.ts";
import type { ServerStatus } from "../../src/client/server-status.ts";
import { bodyOf, type Computation, readStatus, type TaskStatus } from "../../src/client/status.ts";
import { DOCUMENT } from "../../src/http/openapi.ts";
import { SCHEMAS } from "../../src/http/openapi/schemas.ts";
import type { TaskJson } from "../../src/tasks/task.ts";
import { faultsOfBody } from "../description.ts";

/** The values that a schema describes. */
type Described<S> = S extends { readonly enum: readonly (infer Word)[] }
  ? Word
  : S extends { readonly type: "string" }
    ? string
    : S extends { readonly type: "integer" | "number" }
      ? number
      : S extends { readonly type: "boolean" | "null" }
        ? { readonly boolean: boolean; readonly null: null }[S["type"]]
        : S extends { readonly oneOf: readonly (infer One)[] }
          ? Described<One>
          : S extends { readonly $ref: `#/components/schemas/${infer Name extends keyof typeof SCHEMAS}` }
            ? Described<(typeof SCHEMAS)[Name]>
            : S extends { readonly type: "array"; readonly items: infer Item }
              ? readonly Described<Item>[]
              : S extends { readonly properties: infer Fields; readonly required: readonly (infer Needed)[] }
                ? {
                    readonly [Name in keyof Fields as Name extends Needed ? Name : never]: Described<
                      Fields[Name]
                    >;
                  } & {
                    readonly [Name in keyof Fields as Name extends Needed ? never : Name]?: Described<
                      Fields[Name]
                    >;
                  }
                : S extends { readonly type: "object"; readonly additionalProperties: infer Value }
                  ? Readonly<Record<string, Described<Value>>>
                  : never;

type Of<Name extends keyof typeof SCHEMAS> = Described<(typeof SCHEMAS)[Name]>;

/** Compiles where either may stand for the other. */
function same<A extends B, B extends C, C = A>(): [A, B, C] | undefined {
  return undefined;
}

// Each line fails to compile when one of the two says something that the other does not.
same<Of<"Task">, TaskJson>();
same<Of<"Task">, TaskStatus>();
same<Of<"TaskPage">["tasks"][number], Output<"/v1/tasks", "$get">["tasks"][number]>();
same<Of<"CursorPage">["cursors"][number], Output<"/v1/cursors", "$get">["cursors"][number]>();
same<Of<"TaskRequest">["kind"], Computation["kind"]>();
same<Of<"ServerStatus">, ServerStatus>();
same<Of<"Problem">["code"], keyof typeof SERVER_CODES>();

const TASK_HEAD = {
  method: "GET",
  path: "/v1/tasks/x",
  status: 200,
  headers: new Headers({ "content-type": "application/json" }),
};

function example(path: `/${string}`, method: "get" | "post", status: number): unknown {
  return DOCUMENT.paths[path]![method]!.responses[status]!.content!["application/json"]!.example;
}

test("what the client sends and reads is what is described", () => {
  const task = example("/v1/tasks", "post", 202);
  expect(readStatus(task)).toEqual(task as TaskStatus);
  const tagged = new Headers({ etag: '"8"' });
  expect(readPosition(example("/v1/cursor", "get", 200), tagged, VALUES.bigint)).toEqual({
    index: 7,
    value: 13n,
    etag: '"8"',
    replayed: false,
  });
  const event =
    DOCUMENT.paths["/v1/cursor/events"]!.get!.responses[200]!.content!["text/event-stream"]!.example;
  const [, id, data] = /id: (\d+)\ndata: (.*)\n/.exec(event as string)!;
  expect(readWatched(JSON.parse(data!), id, VALUES.bigint)).toMatchObject({ index: 7, value: 13n });

  for (const computation of [
    { kind: "fibonacci", n: 5 },
    { kind: "factorial", n: 5n },
    { kind: "ackermann", m: 1, n: 2 },
    { kind: "sequence", count: 3 },
  ] as const) {
    const sent = bodyOf(computation);
    expect(new Ajv2020().validate(SCHEMAS.TaskRequest, sent)).toBe(true);
    // What a task was made of comes back with it.
    const shown = { ...(task as object), n: undefined, ...sent };
    expect(faultsOfBody(TASK_HEAD, JSON.stringify(shown))).toEqual([]);
  }
});
