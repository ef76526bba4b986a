/**
 * Requests that are made up from the description, right ones and wrong ones, get no other answers than it says.
 *
 * Method: fast-check on a real server with small limits; whatever it answers is held against the description, and
 * a 5xx is one too many, unless it is a 503 or the end of the sequence.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import path from "node:path";
import * as fc from "fast-check";
import { DOCUMENT } from "../../src/http/openapi.ts";
import type { Operation, Parameter, Schema } from "../../src/http/openapi/types.ts";
import { type Server, startServer, temporaryFolder } from "../binary.ts";
import { faults, faultsOfEvent, resolved } from "../description.ts";

setDefaultTimeout(300_000);

const LIMITS = [
  "--max-digits",
  "3000",
  "--max-sequence",
  "2000",
  "--max-terms",
  "1000",
  "--max-cursors",
  "20",
];
const TIME_LIMIT_MS = 25_000;
/** On a machine that makes few requests in that time they go on until they have had all of {@link STATUSES}. */
const PATIENCE_MS = 200_000;
/** Without each of these the requests were all refused, or all alike. */
const STATUSES = [200, 202, 204, 206, 304, 400, 404, 405, 406, 409, 412, 416, 422];

interface Made {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const OPERATIONS = Object.entries(DOCUMENT.paths).flatMap(([at, item]) =>
  Object.entries(item).map(([method, operation]: [string, Operation]) => ({
    method: method.toUpperCase(),
    at,
    operation,
  })),
);

/** Values that say more than any text would, for parameters whose schema is no more than one. */
const SAMPLES: Readonly<Record<string, readonly string[]>> = {
  "If-Match": ["*", '"1"', '"2", "3"', 'W/"1"'],
  "If-None-Match": ["*", '"1"', '"1.fibonacci.100.json"', 'W/"1.sequence.0.100.text"'],
  "If-Range": ['"1.fibonacci.100.json"'],
  Range: ["bytes=0-0", "bytes=0-", "bytes=-3", "bytes=2-1", "bytes=9999999-", "lines=1-2"],
  Prefer: ["respond-async", "wait=1", "respond-async, wait=1", "handling=lenient", "return=minimal"],
  "Idempotency-Key": ["a", "b"],
  "Last-Event-ID": ["1", "0-ready-10000", "1-ready-10000"],
  name: ["alice", "bob.1", "default", "client-x", "Alice"],
  prefix: ["al", "client-"],
};

const digits = fc.oneof(
  { weight: 6, arbitrary: fc.nat(3000).map(String) },
  fc.stringMatching(/^[1-9]\d{0,130}$/),
);
const junk = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom("", "0", "-1", "1.5", "007", "1e3", "%", "..", "a/b", "ä", "null"),
);

/** Values for a schema: mostly what it describes. */
function valueOf(schema: Schema, name: string, ids: readonly string[]): fc.Arbitrary<string> {
  const right = (): fc.Arbitrary<string> => {
    if (name in SAMPLES) return fc.constantFrom(...SAMPLES[name]!);
    if (name === "id" || name === "after") return fc.constantFrom(...ids);
    if (schema.enum) return fc.constantFrom(...schema.enum);
    if (schema.const !== undefined) return fc.constant(String(schema.const));
    if (schema.type === "integer")
      return fc.integer({ min: schema.minimum!, max: schema.maximum! }).map(String);
    return schema.pattern === undefined ? fc.string() : digits;
  };
  return fc.oneof({ weight: 9, arbitrary: right() }, junk);
}

/** Bodies for an operation: by the schema, or no JSON at all. */
function bodyOf({ requestBody }: Operation, ids: readonly string[]): fc.Arbitrary<string | undefined> {
  const named = requestBody?.content["application/json"]?.schema?.$ref?.split("/").at(-1);
  if (named === undefined) return fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, junk);
  const shape = DOCUMENT.components.schemas[named]!;
  const made = fc.oneof(
    ...(shape.oneOf ?? [shape]).map(({ properties = {} }) => {
      const fields = Object.entries(properties);
      return fc.record(
        Object.fromEntries(fields.map(([name, schema]) => [name, valueOf(schema, name, ids)])),
        { requiredKeys: ["kind", "index"].filter((name) => Object.hasOwn(properties, name)) },
      );
    }),
  );
  const { example } = requestBody!.content["application/json"]!;
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant(JSON.stringify(example)) },
    { weight: 4, arbitrary: made.map((value) => JSON.stringify(value)) },
    fc.jsonValue().map((value) => JSON.stringify(value)),
    junk,
  );
}

/** Requests for one operation, and for methods beside it. */
function requestFor(
  { method, at, operation }: (typeof OPERATIONS)[number],
  ids: readonly string[],
): fc.Arbitrary<Made> {
  const known = (operation.parameters ?? []).map((parameter) => resolved<Parameter>(parameter));
  const values = known.map((parameter) => {
    const value = valueOf(parameter.schema, parameter.name, ids);
    if (parameter.in === "path") return value;
    // With all conditions at once little would pass.
    return fc.option(value, { nil: undefined, freq: parameter.in === "query" ? 6 : 2 });
  });
  const accept = fc.constantFrom(
    "*/*",
    "text/plain",
    "application/json",
    "text/csv",
    "application/x-ndjson",
    "image/png",
  );
  const other = fc.constantFrom("HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");
  return fc
    .tuple(
      fc.tuple(...values),
      bodyOf(operation, ids),
      fc.option(accept),
      fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, other),
    )
    .map(([given, body, type, instead]) => {
      let filled = at;
      const query = new URLSearchParams();
      const headers: Record<string, string> = type === null ? {} : { accept: type };
      for (const [index, { name, in: where }] of known.entries()) {
        const value = given[index];
        if (value === undefined) continue;
        if (where === "path") filled = filled.replace(`{${name}}`, encodeURIComponent(value));
        else if (where === "query") query.append(name, value);
        // What no header can carry, fetch does not send.
        else headers[name] = value.replaceAll(/[^ -~]/g, "");
      }
      const asked = instead ?? method;
      const target = query.size === 0 ? filled : `${filled}?${query.toString()}`;
      const isBare = asked === "GET" || asked === "HEAD";
      return { method: asked, target, headers, body: isBare ? undefined : body };
    });
}

/** Asks, and reads what is no stream. @returns The status. */
async function ask({ url }: Server, { method, target, headers, body }: Made): Promise<number> {
  const leaving = new AbortController();
  const init = { method, headers, signal: leaving.signal, ...(body !== undefined && { body }) };
  const response = await fetch(url + target, init);
  if (response.headers.get("content-type") === "text/event-stream") leaving.abort();
  else await response.text();
  return response.status;
}

test("no request that is made up from the description gets an answer that it does not have", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), ...LIMITS]);
  const created = ["5", "2000"].map(async (n) => {
    const init = { method: "POST", body: JSON.stringify({ kind: "fibonacci", n }) };
    return ((await (await fetch(`${server.url}/v1/tasks`, init)).json()) as { id: string }).id;
  });
  const ids = [...(await Promise.all(created)), "01a1fd64-51f4-7678-af12-2ee8e6058112"];
  const statuses = new Set<number>();
  const request = fc.oneof(...OPERATIONS.map((operation) => requestFor(operation, ids)));
  const property = fc.asyncProperty(request, async (made) => {
    const status = await ask(server, made);
    statuses.add(status);
    expect(faults.splice(0)).toEqual([]);
    if (status >= 500) expect([503, 507]).toContain(status);
  });
  const endMs = performance.now() + PATIENCE_MS;
  do await fc.assert(property, { numRuns: 4000, interruptAfterTimeLimit: TIME_LIMIT_MS });
  while (!STATUSES.every((status) => statuses.has(status)) && performance.now() < endMs);
  expect([...statuses]).toEqual(expect.arrayContaining(STATUSES));
});

test("the data of events is what is described", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--max-index", "100000"]);
  const created = await fetch(`${server.url}/v1/tasks`, {
    method: "POST",
    body: `{"kind":"fibonacci","n":"5"}`,
  });
  const { id } = (await created.json()) as { id: string };
  const shortest = await firstEvent(server, "/v1/cursor/events");
  expect(shortest).toMatchObject({ faults: [], data: { index: "0", value: "0" } });
  // Beyond 1,000 digits their number stands in the place of the value.
  await fetch(`${server.url}/v1/cursor`, { method: "PUT", body: `{"index":"100000"}` });
  const longest = await firstEvent(server, "/v1/cursor/events");
  expect(longest).toMatchObject({ faults: [], data: { index: "100000", digits: 20_899 } });
  expect(await firstEvent(server, `/v1/tasks/${id}/events`)).toMatchObject({ faults: [], data: { id } });
  const head = { method: "GET", path: "/v1/cursor/events", status: 200, headers: new Headers() };
  expect(faultsOfEvent(head, `{"index":5}`)).toHaveLength(1);
});

/** The first event at a path, and what is wrong with it. */
async function firstEvent({ url }: Server, at: string) {
  const leaving = new AbortController();
  const { status, headers, body } = await fetch(url + at, { signal: leaving.signal });
  let text = "";
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (/^data: .*\n/m.test(text)) break;
  }
  leaving.abort();
  const data = /^data: (.*)$/m.exec(text)![1]!;
  return {
    faults: faultsOfEvent({ method: "GET", path: at, status, headers }, data),
    data: JSON.parse(data) as unknown,
  };
}
