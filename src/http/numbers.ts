/**
 * `/v1/fibonacci`, `/v1/factorial`, `/v1/ackermann` and `/v1/index`.
 * @module
 */
import { type Context, Hono } from "hono";
import { FibError } from "../errors.ts";
import { fibonacciIndex } from "../numbers/find-index.ts";
import { argumentsOf, type Job } from "../numbers/job.ts";
import { jsonFrame } from "../numbers/layouts.ts";
import type { Results } from "../numbers/results.ts";
import { type SizedJob, sizeJob } from "../numbers/sizes.ts";
import { parseNatural } from "./parameters.ts";
import { answerAsPreferred, type WaitServices } from "./prefer.ts";
import { problem } from "./problem.ts";
import { chooseFormat, type Format, MEDIA_TYPES } from "./representation.ts";
import { type Resource, sendResource } from "./resource.ts";
import { type NumberText, refuseResult, storedResource } from "./stored.ts";
import { sliced, type Streams } from "./streams.ts";

/** Goes into every ETag: to be raised when the same request is to get other bytes. */
export const FORMAT_VERSION = 1;

/** What these routes need. */
export interface NumberServices extends WaitServices {
  readonly results: Results;
  readonly streams: Streams;
  /** Digits of the longest result that is computed. */
  readonly digitsMax: number;
}

/** How `/v1` writes a number, whoever computes it. */
export function numberText(job: Job, digits: number, format: Format): NumberText {
  const given = argumentsOf(job);
  return {
    ...frame(format, given, digits),
    name: `${FORMAT_VERSION}.${job.kind}.${Object.values(given).join(".")}.${format}`,
    contentType: MEDIA_TYPES[format],
  };
}

/** A number with text around it, as something that can be sent. */
export function numberResource(
  results: Results,
  { job, digits }: SizedJob,
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

/** The routes for single numbers. */
export function numberRoutes(services: NumberServices) {
  const { results, tasks, streams } = services;
  const send = (c: Context, kind: Job["kind"], names: readonly string[]) => {
    const values = names.map((name) => parseNatural(c.req.param(name) ?? "", name));
    const format = chooseFormat(c, "json");
    const asked = sizeJob(kind, values, services);
    const text = numberText(asked.job, asked.digits, format);
    return answerAsPreferred(c, services, {
      request: asked.job,
      sizeBytes: asked.digits,
      now: () => sendResource(c, numberResource(results, asked, text), streams),
      ofTask: (task) =>
        task.state === "ready"
          ? sendResource(c, storedResource(tasks, task, text), streams)
          : refuseResult(c, task),
    });
  };

  return new Hono()
    .get("/fibonacci/:n", (c) => send(c, "fibonacci", ["n"]))
    .get("/factorial/:n", (c) => send(c, "factorial", ["n"]))
    .get("/ackermann/:m/:n", (c) => send(c, "ackermann", ["m", "n"]))
    .get("/index/:value", (c) => {
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
  const bytes = Buffer.from(texts[format]);
  return {
    name: `${FORMAT_VERSION}.index.${index}.${format}`,
    contentType: MEDIA_TYPES[format],
    sizeBytes: bytes.length,
    open: (range) => sliced([bytes], range, () => {}),
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
