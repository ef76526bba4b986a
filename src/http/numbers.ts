/**
 * The routes for single numbers, and for what is found out about them.
 * @module
 */
import { type Context, Hono } from "hono";
import { FibError } from "../errors.ts";
import { fibonacciIndex } from "../numbers/find-index.ts";
import {
  argumentsOf,
  isNumberJob,
  type Job,
  JOB_ARGUMENTS,
  type NumberJob,
  type ShortInquiry,
} from "../numbers/job.ts";
import { jsonFrame } from "../numbers/layouts.ts";
import type { Results } from "../numbers/results.ts";
import { type SizedJob, type SizeLimits, sizeJob, sizeShort } from "../numbers/sizes.ts";
import { inquiryResource, readEnds, readZeckendorf, refuseQueries, storedInquiry } from "./inquiries.ts";
import { parseArguments, queryOnce } from "./parameters.ts";
import { answerAsPreferred, type WaitServices } from "./prefer.ts";
import { problem } from "./problem.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import type { Task } from "../tasks/task.ts";
import { chooseFormat, contentName, type Format, MEDIA_TYPES } from "./representation.ts";
import { contentOf, type Resource, sendResource } from "./resource.ts";
import { type NumberText, refuseResult, storedResource } from "./stored.ts";
import { sliced, type Streams } from "./streams.ts";

/** What these routes need. */
export interface NumberServices extends WaitServices, Pick<SizeLimits, "digitsMax" | "pisanoMax"> {
  readonly results: Results;
  readonly streams: Streams;
}

/** How `/v1` writes a number, whoever computes it. */
function numberText(job: NumberJob, digits: number, format: Format): NumberText {
  const given = argumentsOf(job);
  return {
    ...frame(format, given, digits),
    name: contentName([job.kind, ...Object.values(given)], format),
    contentType: MEDIA_TYPES[format],
  };
}

/** A number with text around it, as something that can be sent. */
export function numberResource(
  results: Results,
  { job, sizeBytes: digits }: SizedJob<NumberJob>,
  { head, tail, name, contentType }: NumberText,
): Resource {
  return {
    name,
    contentType,
    sizeBytes: head.length + digits + tail.length,
    open: async (range, { signal, holder, span }) => {
      const result = await results.take(job, digits, signal, holder, span);
      if (result.digits.length !== digits) {
        result.release();
        throw new Error(`${name} has ${result.digits.length} digits, and ${digits} were predicted`);
      }
      return sliced([Buffer.from(head), result.digits, Buffer.from(tail)], range, result.release);
    },
  };
}

/** What a ready task has computed. */
export function storedJob(
  tasks: Pick<TaskQueue, "openResult">,
  task: Pick<Task, "id" | "sizeBytes">,
  job: Job,
  format: Format,
): Resource {
  return isNumberJob(job)
    ? storedResource(tasks, task, numberText(job, task.sizeBytes, format))
    : storedInquiry(tasks, task, job, format);
}

function jobResource(results: Results, { job, sizeBytes }: SizedJob, format: Format): Resource {
  return isNumberJob(job)
    ? numberResource(results, { job, sizeBytes }, numberText(job, sizeBytes, format))
    : inquiryResource(results, job, format, sizeBytes);
}

/** The routes for single numbers. */
export function numberRoutes(services: NumberServices) {
  const { results, tasks, streams } = services;
  const send = (c: Context, kind: Job["kind"]) => {
    // What is no part of the path is in the query.
    const texts = JOB_ARGUMENTS[kind].map((name) => c.req.param(name) ?? queryOnce(c, name) ?? "");
    const values = parseArguments(kind, texts);
    const format = chooseFormat(c, "json");
    const asked = sizeJob(kind, values, services);
    return answerAsPreferred(c, services, {
      request: asked.job,
      sizeBytes: asked.sizeBytes,
      now: () => sendResource(c, jobResource(results, asked, format), streams),
      ofTask: (task) =>
        task.state === "ready"
          ? sendResource(c, storedJob(tasks, task, asked.job, format), streams)
          : refuseResult(c, task),
    });
  };
  const sendAlone = (c: Context, kind: Job["kind"]) => {
    refuseQueries(c);
    return send(c, kind);
  };
  const sendShort = (c: Context, asked: ShortInquiry) =>
    sendResource(c, inquiryResource(results, asked, chooseFormat(c, "json"), sizeShort(asked)), streams);

  return new Hono()
    .get("/fibonacci/:n", (c) => {
      refuseQueries(c, "mod", "first", "last");
      const ends = readEnds(c);
      if (ends !== undefined) return sendShort(c, ends);
      return send(c, queryOnce(c, "mod") === undefined ? "fibonacci" : "remainder");
    })
    .get("/fibonacci/:n/digits", (c) => sendAlone(c, "statistics"))
    .get("/lucas/:n", (c) => sendAlone(c, "lucas"))
    .get("/factorial/:n", (c) => sendAlone(c, "factorial"))
    .get("/ackermann/:m/:n", (c) => sendAlone(c, "ackermann"))
    .get("/zeckendorf/:value", (c) => {
      refuseQueries(c);
      return sendShort(c, readZeckendorf(c));
    })
    .get("/pisano/:m", (c) => sendAlone(c, "pisano"))
    .get("/index/:value", (c) => {
      refuseQueries(c);
      const value = c.req.param("value");
      const format = chooseFormat(c, "json");
      const found = fibonacciIndex(Buffer.from(value));
      if (found.isTerm) return sendResource(c, indexResource(value, found.index, format), streams);
      const { below, above } = found;
      const error = new FibError(
        "not_fibonacci",
        `Cannot find this value: it lies between F(${below}) and F(${above})`,
      );
      return problem(error, c, {}, { below: String(below), above: String(above) });
    });
}

function indexResource(value: string, index: number, format: Format): Resource {
  const json = JSON.stringify({ value, index: String(index) });
  const texts = { text: String(index), json, ndjson: `${json}\n`, csv: `value,index\n${value},${index}\n` };
  return {
    name: contentName(["index", index], format),
    contentType: MEDIA_TYPES[format],
    ...contentOf(texts[format]),
  };
}

/** What stands around the digits. */
function frame(
  format: Format,
  given: Record<string, string>,
  digits: number,
): { head: string; tail: string } {
  switch (format) {
    case "text":
      return { head: "", tail: "" };
    case "csv":
      return {
        head: `${Object.keys(given).join(",")},value\n${Object.values(given).join(",")},`,
        tail: "\n",
      };
    default: {
      const { head, tail } = jsonFrame(given, digits);
      return { head, tail: format === "ndjson" ? `${tail}\n` : tail };
    }
  }
}
