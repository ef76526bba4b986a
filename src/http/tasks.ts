/**
 * `/v1/tasks`: computations that are fetched later.
 * @module
 */
import { type Context, Hono } from "hono";
import { parseInteger } from "../config/config.ts";
import { shortened } from "../shell-word.ts";
import { FibError } from "../errors.ts";
import { LAYOUTS } from "../numbers/layouts.ts";
import { type SizeLimits, sizeJob, sizeSequence } from "../numbers/sizes.ts";
import { TASK_STATES, type Task, taskJson, type TaskState } from "../tasks/task.ts";
import { askerOf, originOf } from "./asker.ts";
import { GUARDED, NO_STORE, refuseForeignPage } from "./browser.ts";
import { sendEvents } from "./task-events.ts";
import { sendJson } from "./json.ts";
import { numberText } from "./numbers.ts";
import { parseNatural, queryOnce } from "./parameters.ts";
import { accepted } from "./prefer.ts";
import { chooseFormat } from "./representation.ts";
import { type Resource, sendResource } from "./resource.ts";
import { sequenceName, sequenceResource, type SequenceServices } from "./sequence.ts";
import { refuseResult, storedResource, taskUnknown } from "./stored.ts";

/** Kinds of tasks, with the fields that each takes. */
const FIELDS = {
  fibonacci: ["n"],
  factorial: ["n"],
  ackermann: ["m", "n"],
  sequence: ["from", "count"],
} as const;

const LIST_COUNT_MAX = 1000;

/** How engines spell an id. */
const TASK_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** The routes for tasks. */
export function taskRoutes(services: SequenceServices) {
  const { tasks } = services;
  const mustFind = async (c: Context) => {
    const id = c.req.param("id") ?? "";
    const task = await tasks.find(id);
    if (task === undefined) throw taskUnknown(id);
    return task;
  };

  return new Hono()
    .post("/", async (c) => {
      refuseForeign(c, "start a task");
      const { request, sizeBytes } = readRequest(await c.req.text(), services);
      const { task } = await tasks.create(request, sizeBytes, askerOf(c).holder, originOf(c));
      return accepted(c, task);
    })
    .get("/", async (c) => {
      const limit = parseInteger(queryOnce(c, "limit") ?? "100", "limit", 1, LIST_COUNT_MAX);
      const after = queryOnce(c, "after");
      const found = await tasks.list({ state: readState(c), limit, after });
      const next = found.length === limit ? found.at(-1)?.id : undefined;
      const body = { tasks: found.map(taskJson), ...(next !== undefined && { next }) };
      return sendJson(c, services.streams, body);
    })
    .get("/:id", async (c) => c.json(taskJson(await mustFind(c)), 200, NO_STORE))
    .get("/:id/result", async (c) => {
      const task = await mustFind(c);
      if (task.state !== "ready") return refuseResult(c, task);
      return sendResource(c, resultResource(c, services, task), services.streams);
    })
    .get("/:id/events", (c) => sendEvents(c, c.req.param("id"), services))
    .delete("/:id", async (c) => {
      refuseForeign(c, "forget a task");
      const id = c.req.param("id");
      // The second time as the first: an answer may have been lost. What no task could have had is a mistake.
      if (!TASK_ID.test(id)) throw taskUnknown(id);
      await tasks.forget(id);
      return c.body(null, 204, GUARDED);
    })
    .post("/:id/cancel", async (c) => {
      refuseForeign(c, "cancel a task");
      const id = c.req.param("id");
      const task = await tasks.cancel(id, { unlessShared: readUnless(c) });
      if (task === undefined) throw taskUnknown(id);
      return c.json(taskJson(task), 200, NO_STORE);
    });
}

function resultResource(c: Context, services: SequenceServices, task: Task): Resource {
  const { request } = task;
  const format = chooseFormat(c, "text");
  const resource =
    request.kind === "sequence"
      ? sequenceResource(services.results, request.from, request.count, LAYOUTS[format], {
          ...sequenceName(request.from, request.count, format),
        })
      : storedResource(services.tasks, task, numberText(request, task.sizeBytes, format));
  // Never another text, but one day none: to be asked for each time.
  return { ...resource, cacheControl: "private, no-cache" };
}

function readRequest(text: string, limits: SizeLimits) {
  const example = `POST {"kind":"fibonacci","n":"1000"}`;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new FibError("bad_argument", `Cannot read the body: it is not JSON; ${example}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new FibError("bad_argument", `Cannot read the body: it is no object; ${example}`);
  const { kind, ...given } = body as Record<string, unknown>;
  if (typeof kind !== "string" || !Object.hasOwn(FIELDS, kind)) {
    throw new FibError(
      "bad_argument",
      `Cannot find the kind: it is one of ${Object.keys(FIELDS).join(", ")}`,
    );
  }
  const names: readonly string[] = FIELDS[kind as keyof typeof FIELDS];
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new FibError(
      "bad_argument",
      `Cannot use '${shortened(unknown)}': ${kind} takes ${names.join(", ")}`,
    );
  }
  const values = names.map((name) => {
    const value = given[name];
    if (typeof value === "string") return parseNatural(value, name);
    throw new FibError(
      "bad_argument",
      `Cannot find ${name}, a string of digits: ${kind} takes ${names.join(", ")}`,
    );
  });
  if (kind === "sequence") {
    const { from, count, sizeBytes } = sizeSequence(values[0]!, values[1]!, limits);
    return { request: { kind, from, count }, sizeBytes } as const;
  }
  const { job, digits } = sizeJob(kind as Exclude<keyof typeof FIELDS, "sequence">, values, limits);
  return { request: job, sizeBytes: digits };
}

function readState(c: Context): TaskState | undefined {
  const state = queryOnce(c, "state");
  if (state === undefined || TASK_STATES.some((known) => known === state))
    return state as TaskState | undefined;
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(state)}' for state: it is one of ${TASK_STATES.join(", ")}`,
  );
}

/** Says whether a task that somebody else wants as well is to be spared. */
function readUnless(c: Context): boolean {
  const unless = queryOnce(c, "unless");
  if (unless === undefined || unless === "shared") return unless === "shared";
  throw new FibError("bad_argument", `Cannot use '${shortened(unless)}' for unless: it takes shared`);
}

function refuseForeign(c: Context, what: string): void {
  const refusal = refuseForeignPage(c, what);
  if (refusal) throw refusal;
}
