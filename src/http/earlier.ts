/**
 * The routes of the services that fibserver replaces, as they spelled them.
 *
 * Their clients exist, so bodies are right to the byte and errors keep their words. What
 * those services left open (caching, ranges, HEAD) is as under `/v1`.
 * @module
 */
import { type Context, Hono } from "hono";
import { FibError } from "../errors.ts";
import type { NumberJob } from "../numbers/job.ts";
import { framed, LAYOUTS } from "../numbers/layouts.ts";
import { sizeJob } from "../numbers/sizes.ts";
import { toFolder } from "./base-path.ts";
import { GUARDED } from "./browser.ts";
import { numberResource } from "./numbers.ts";
import { asksForPage } from "./page-request.ts";
import { sendPage } from "./page.ts";
import { queryAll } from "./parameters.ts";
import { FORMAT_VERSION } from "./representation.ts";
import { sendResource } from "./resource.ts";
import { sequenceResource, type SequenceServices } from "./sequence.ts";

/** What these routes need. */
export interface EarlierServices extends SequenceServices {
  /** Terms of the longest sequence that the earlier routes write. */
  readonly earlierTermsMax: number;
}

/** The earlier routes that answer at once. */
export function earlierRoutes(services: EarlierServices) {
  return new Hono()
    .get("/ping", pong)
    .get("/", (c) => {
      const moved = toFolder(c);
      if (moved) return moved;
      if (asksForPage(c)) return sendPage(c);
      if (queryAll(c, "sn").length > 0) return firstTerms(c, services);
      return c.json({ message: "pong" }, 200, { ...GUARDED, vary: "Accept" });
    })
    .get("/fib", hello)
    .get("/fib/", hello)
    .get("/fib/:n{-?[0-9]+}", (c) => restTerms(c, services))
    .get("/fibonacci", (c) => math(c, services, "fibonacci", ["n"]))
    .get("/factorial", (c) => math(c, services, "factorial", ["n"]))
    .get("/ackermann", (c) => math(c, services, "ackermann", ["m", "n"]));
}

function pong(c: Context): Response {
  return c.json({ message: "pong" }, 200, GUARDED);
}

function hello(c: Context): Response {
  return c.text("Hello, World!\n", 200, GUARDED);
}

/** The REST front: `{"N":5,"result":"0 1 1 2 3"}`. */
function restTerms(
  c: Context,
  { results, streams, earlierTermsMax }: EarlierServices,
): Response | Promise<Response> {
  const count = Number(c.req.param("n"));
  if (!(count >= 0 && count <= earlierTermsMax)) {
    return c.text(`N must be from 0 to ${earlierTermsMax}.\n`, 400, GUARDED);
  }
  const layout = framed(LAYOUTS.joined, `{"N":${count},"result":"`, `"}`);
  const about = { name: `${FORMAT_VERSION}.fib.${count}`, contentType: "application/json" };
  return sendResource(c, sequenceResource(results, { from: 0, count }, layout, about), streams);
}

/** The streaming service: `0 1 1 2 3 `. */
function firstTerms(
  c: Context,
  { results, streams, earlierTermsMax }: EarlierServices,
): Response | Promise<Response> {
  const asked = queryAll(c, "sn");
  const count = asked.length === 1 && /^\d{1,15}$/.test(asked[0]!) ? Number(asked[0]) : Number.NaN;
  if (!(count <= earlierTermsMax))
    return c.text(`sn must be a whole number from 0 to ${earlierTermsMax}.\n`, 400, GUARDED);
  const about = { name: `${FORMAT_VERSION}.sn.${count}`, contentType: "text/plain; charset=utf-8" };
  return sendResource(c, sequenceResource(results, { from: 0, count }, LAYOUTS.spaced, about), streams);
}

/** The math service: `{"algo":"factorial","result":6,"status":"success"}`, the result a number of any length. */
async function math(
  c: Context,
  { results, streams, ...limits }: EarlierServices,
  algo: NumberJob["kind"],
  names: readonly string[],
): Promise<Response> {
  const refuse = (result: string) => c.json({ algo, result, status: "failed" }, 400, GUARDED);
  const values: string[] = [];
  for (const name of names) {
    // One that is given twice is bad input here, and not a problem document.
    const [text, ...more] = queryAll(c, name);
    if (text === undefined || more.length > 0 || !/^[+-]?\d{1,128}(\.\d+)?$/.test(text))
      return refuse("Bad input");
    if (text.includes(".")) return refuse("Not an Integer");
    if (text.startsWith("-") && BigInt(text) !== 0n) return refuse("Negative Integer");
    values.push(String(BigInt(text.replace("+", ""))));
  }
  try {
    const asked = sizeJob(algo, values, limits);
    const resource = numberResource(results, asked, {
      head: `{"algo":"${algo}","result":`,
      tail: `,"status":"success"}`,
      name: `${FORMAT_VERSION}.math.${algo}.${values.join(".")}`,
      contentType: "application/json",
    });
    return await sendResource(c, resource, streams);
  } catch (error) {
    if (error instanceof FibError && error.code === "result_too_large")
      return refuse(`Too large: ${error.message}`);
    throw error;
  }
}
