/**
 * `/fibo` and `/fibotask`: the earlier task system, as it spelled itself.
 *
 * Its task is the first terms of the sequence; here that is a task like any other, also seen under `/v1/tasks`. The
 * first byte of what is fetched says what follows: 0x00 the terms, 0x01 the id of a task that is not ready.
 * @module
 */
import { type Context, Hono } from "hono";
import { framed, LAYOUTS } from "../numbers/layouts.ts";
import { sizeSequence } from "../numbers/sizes.ts";
import { isFinished, kindOf, requestOfKey } from "../tasks/task.ts";
import { askerOf, originOf } from "./asker.ts";
import { GUARDED, NO_STORE, refuseForeignGet } from "./browser.ts";
import { queryAll } from "./parameters.ts";
import { FORMAT_VERSION } from "./representation.ts";
import { sendResource } from "./resource.ts";
import { sequenceResource, type SequenceServices } from "./sequence.ts";
import { taskUnknown } from "./stored.ts";

/** What these routes need. */
export interface EarlierTaskServices extends SequenceServices {
  /** Terms of the longest sequence that the earlier routes write. */
  readonly earlierTermsMax: number;
}

const STATE = { ready: 0, inProgress: 1 } as const;
const NOT_READY = "\u0001";
const TERMS = framed(LAYOUTS.spaced, "\0");

/** The two routes. */
export function earlierTaskRoutes(services: EarlierTaskServices) {
  return new Hono().get("/fibo", (c) => start(c, services)).get("/fibotask", (c) => fetchTerms(c, services));
}

async function start(c: Context, services: EarlierTaskServices): Promise<Response> {
  const { tasks, earlierTermsMax, digitsMax } = services;
  const asked = queryAll(c, "sn");
  const text = asked.length === 1 ? asked[0]! : "";
  if (/^-\d+$/.test(text)) return c.text("Negative value is not accepted.", 400, GUARDED);
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= earlierTermsMax)) {
    return c.text(`sn must be a whole number from 0 to ${earlierTermsMax}.`, 400, GUARDED);
  }
  const refusal = refuseForeignGet(c, "start a task");
  if (refusal) throw refusal;
  const { sizeBytes } = sizeSequence(0n, BigInt(count), { digitsMax, termsMax: earlierTermsMax });
  const request = { kind: "sequence", from: 0, count } as const;
  const { task } = await tasks.create(request, sizeBytes, askerOf(c).holder, originOf(c));
  const state = task.state === "ready" ? STATE.ready : STATE.inProgress;
  const body = { id: task.id, sn: count, state, createTime: task.createdAtMs };
  return c.json(body, 200, NO_STORE);
}

async function fetchTerms(c: Context, { tasks, results, streams }: EarlierTaskServices): Promise<Response> {
  const id = queryAll(c, "id")[0] ?? "";
  const task = await tasks.find(id);
  const request = task && kindOf(task.request) === "sequence" ? requestOfKey(task.request) : undefined;
  const hasTerms = task !== undefined && (task.state === "ready" || !isFinished(task.state));
  const isOurs = request?.kind === "sequence" && request.from === 0 && request.start === undefined;
  if (!hasTerms || !isOurs) throw taskUnknown(id);
  const contentType = "application/octet-stream";
  if (task.state !== "ready") {
    return new Response(`${NOT_READY}${id}`, {
      headers: { "content-type": contentType, ...NO_STORE },
    });
  }
  const about = { name: `${FORMAT_VERSION}.fibotask.${request.count}`, contentType };
  const resource = sequenceResource(results, request, TERMS, about);
  return sendResource(c, { ...resource, cacheControl: "private, no-cache" }, streams);
}
