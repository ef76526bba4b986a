/**
 * `/v1/tasks`: computations that are fetched later.
 * @module
 */
import { type Context, Hono } from "hono";
import { parseInteger } from "../config/config.ts";
import { shortened } from "../shell-word.ts";
import { FibError } from "../errors.ts";
import { type SizeLimits, sizeJob, sizeSequence } from "../numbers/sizes.ts";
import { isFullPage, LIST_ORDERS } from "../tasks/queue.ts";
import {
  isKind,
  kindOf,
  requestOfKey,
  TASK_ARGUMENTS,
  TASK_STATES,
  type Task,
  taskJson,
} from "../tasks/task.ts";
import { askerOf, originOf } from "./asker.ts";
import { GUARDED, NO_STORE, refuseForeignPage } from "./browser.ts";
import { sendEvents } from "./task-events.ts";
import { sendJson } from "./json.ts";
import { storedJob } from "./numbers.ts";
import { parseArguments, parseNatural, parseStart, queryOnce } from "./parameters.ts";
import { accepted } from "./prefer.ts";
import { chooseFormat } from "./representation.ts";
import { type Resource, sendResource } from "./resource.ts";
import { chooseSequenceFormat, type SequenceServices, termsResource } from "./sequence.ts";
import { refuseResult, taskUnknown } from "./stored.ts";

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
      const state = readWord(c, "state", TASK_STATES);
      const order = readWord(c, "order", LIST_ORDERS);
      for (let after = queryOnce(c, "after"); ;) {
        const found = await tasks.list({ state, order, limit, after });
        const next = found.length === limit || isFullPage(found) ? found.at(-1)?.id : undefined;
        // What only a newer version knows, which has the same Redis, its clients are told of by that one.
        const known = found.filter(({ request }) => isKind(kindOf(request)));
        // A page that is empty, with others behind it, would look like one of a list that goes round.
        if (known.length > 0 || next === undefined)
          return sendJson(c, services.streams, {
            tasks: known.map(taskJson),
            ...(next !== undefined && { next }),
          });
        after = next;
      }
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
  const kind: string = kindOf(task.request);
  if (!isKind(kind)) {
    const reason = `this version knows no '${kind}'; ask a newer one`;
    throw new FibError("task_unknown", `Cannot send the result of ${task.id}: ${reason}`);
  }
  const request = requestOfKey(task.request);
  const resource =
    request.kind === "sequence"
      ? termsResource(services.results, request, chooseSequenceFormat(c))
      : storedJob(services.tasks, task, request, chooseFormat(c, "text"));
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
  if (typeof kind !== "string" || !isKind(kind)) {
    throw new FibError(
      "bad_argument",
      `Cannot find the kind: it is one of ${Object.keys(TASK_ARGUMENTS).join(", ")}`,
    );
  }
  const needed: readonly string[] = TASK_ARGUMENTS[kind];
  const known = kind === "sequence" ? [...needed, "start"] : needed;
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new FibError(
      "bad_argument",
      `Cannot use '${shortened(unknown)}': ${kind} takes ${known.join(", ")}`,
    );
  }
  const textOf = (name: string) => {
    const value = given[name];
    if (typeof value === "string") return value;
    const what = name === "start" ? "a string such as 2,1" : "a string of digits";
    throw new FibError("bad_argument", `Cannot find ${name}, ${what}: ${kind} takes ${known.join(", ")}`);
  };
  const texts = needed.map(textOf);
  if (kind === "sequence") {
    const [from, count] = texts.map((value, i) => parseNatural(value, needed[i]!));
    const start = Object.hasOwn(given, "start") ? parseStart(textOf("start")) : undefined;
    const { sizeBytes, ...terms } = sizeSequence(from!, count!, limits, start);
    return { request: { kind, ...terms }, sizeBytes } as const;
  }
  const { job, sizeBytes } = sizeJob(kind, parseArguments(kind, texts), limits);
  return { request: job, sizeBytes };
}

/** One of a few words, if it is asked for. */
function readWord<Word extends string>(c: Context, name: string, words: readonly Word[]): Word | undefined {
  const text = queryOnce(c, name);
  const word = words.find((each) => each === text);
  if (text === undefined || word !== undefined) return word;
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(text)}' for ${name}: it is one of ${words.join(", ")}`,
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
