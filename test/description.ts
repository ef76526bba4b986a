/**
 * Answers, held against the description of the API: the status, the headers, the type of the body, and what JSON holds.
 *
 * Whatever is not described is a fault, whichever test gets it: the preload (described-answers.ts) sees all answers that
 * come by `fetch` from servers of binary.ts, and services.ts those of an app without a port. A body is looked at when a test
 * reads it. What an HTTP server says by itself, before any route, is allowed: 400, 413 and 431 with nothing in them.
 * @module
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { Method } from "../src/http/methods.ts";
import { DOCUMENT } from "../src/http/openapi.ts";
import type { Answer, Operation, Reference, Schema } from "../src/http/openapi/types.ts";
import { problems } from "../src/http/openapi/parts.ts";

/** What has not been described, as lines to read. The preload empties it after each test. */
export const faults: string[] = [];

/** An answer without its body. */
export interface Head {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: Headers;
}

/** What any answer may carry, for the sake of HTTP and of browsers. */
const TRANSPORT =
  /^(date|content-(length|type|encoding|security-policy)|connection|keep-alive|transfer-encoding|x-content-type-options|cross-origin-resource-policy|access-control-.*|vary|strict-transport-security)$/;

const IS_JSON = /^application\/(problem\+)?json$/;

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "fibserver:", components: DOCUMENT.components });

/** Paths by their templates, those without parameters first. */
const TEMPLATES = Object.entries(DOCUMENT.paths)
  .map(([template, item]) => ({
    template,
    item,
    pattern: new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "([^/]+)")}$`),
    parameters: Array.from(template.matchAll(/\{(\w+)\}/g), ([, name]) => name!),
  }))
  .toSorted((a, b) => a.parameters.length - b.parameters.length);

/** What is said where there is no route, or none for this method. */
const ELSEWHERE: Readonly<Record<string, Answer>> = problems("not_found", "method_not_allowed");

/** The operation that a request is, if it is one. */
export function operationOf(method: string, path: string): Operation | undefined {
  const found = TEMPLATES.find(({ pattern }) => pattern.test(path));
  const name = (method === "HEAD" ? "GET" : method).toLowerCase();
  return found?.item[name as Lowercase<Method>];
}

/** What the description says of an answer; undefined when it says nothing. */
function described({ method, path, status }: Head): Answer | undefined {
  // Of a GET that changes something there is no HEAD.
  const operation = status === 405 || status === 404 ? undefined : operationOf(method, path);
  const own = operationOf(method, path)?.responses[status];
  return own ?? (operation === undefined ? ELSEWHERE[status] : undefined);
}

/** Holds the head of an answer against the description. @returns What is wrong with it. */
export function faultsOfHead(head: Head): string[] {
  const { method, status, headers } = head;
  if (method === "OPTIONS" && headers.has("access-control-allow-methods")) return [];
  if ([400, 413, 431].includes(status) && headers.get("content-type") === null) return [];
  const answer = described(head);
  if (answer === undefined) return [`no answer ${status} is described`];
  const found: string[] = [];
  const known = new Map(
    Object.entries(answer.headers ?? {}).map(([name, header]) => [name.toLowerCase(), resolved(header)]),
  );
  for (const [name, { required, schema }] of known) {
    const value = headers.get(name);
    if (value === null && required) found.push(`there is no header ${name}`);
    const isRight = value === null || validator(schema)(value);
    if (!isRight) found.push(`the header ${name} is not as described: ${String(value)}`);
  }
  for (const [name] of headers) {
    const isAllow = name === "allow" && status === 405;
    if (!known.has(name) && !TRANSPORT.test(name) && !isAllow)
      found.push(`the header ${name} is not described`);
  }
  const type = mediaTypeOf(headers);
  const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
  if (hasBody && answer.content === undefined && type !== undefined)
    found.push(`a body of ${type} is not described`);
  if (hasBody && answer.content !== undefined && !(type !== undefined && type in answer.content))
    found.push(`a body of ${type} is not described: ${Object.keys(answer.content).join(", ")}`);
  return found;
}

/** Holds the text of a whole body against the description. @returns What is wrong with it. */
export function faultsOfBody(head: Head, text: string): string[] {
  const type = mediaTypeOf(head.headers) ?? "";
  const schema = described(head)?.content?.[type]?.schema;
  if (schema === undefined || !IS_JSON.test(type) || head.method === "HEAD") return [];
  const validate = validator(schema);
  // As text the number of the math service is exact, and as a value it may be no integer any more.
  return validate(JSON.parse(text)) ? [] : [`${ajv.errorsText(validate.errors)} in ${text.slice(0, 300)}`];
}

/** Holds the data of an event against the description. @returns What is wrong with it. */
export function faultsOfEvent(head: Head, data: string): string[] {
  const schema = described(head)?.content?.["text/event-stream"]?.schema?.contentSchema;
  if (schema === undefined) return ["no events are described"];
  const validate = validator(schema);
  return validate(JSON.parse(data)) ? [] : [`${ajv.errorsText(validate.errors)} in ${data.slice(0, 300)}`];
}

/**
 * Watches an answer: its head now, its body when it is read as text or JSON.
 *
 * @param basePath - Below which the server is.
 */
export function watchAnswer(method: string, url: string, response: Response, basePath = ""): Response {
  const head = { method, path: pathOf(url, basePath), status: response.status, headers: response.headers };
  const tell = (found: readonly string[]) => {
    for (const fault of found) faults.push(`${method} ${head.path.slice(0, 200)} ${head.status}: ${fault}`);
  };
  tell(faultsOfHead(head));
  if (!IS_JSON.test(mediaTypeOf(head.headers) ?? "") || response.status === 206) return response;
  const readText = response.text.bind(response);
  const text = async () => {
    const read = await readText();
    if (read !== "") tell(faultsOfBody(head, read));
    return read;
  };
  return Object.assign(response, { text, json: async () => JSON.parse(await text()) as unknown });
}

/** Within the server; what is not in it is as no operation is. */
function pathOf(url: string, basePath: string): string {
  const path = decoded(/^(?:https?:\/\/[^/?]*)?([^?#]*)/.exec(url)![1] || "/");
  if (path === basePath) return "/";
  if (path.startsWith(`${basePath}/`)) return path.slice(basePath.length);
  return /^\/(livez|readyz|metrics)$/.test(path) ? path : "";
}

function decoded(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

function mediaTypeOf(headers: Headers): string | undefined {
  return headers.get("content-type")?.split(";")[0]!.trim().toLowerCase();
}

/** A part of the document, wherever it is. */
export function resolved<Part extends object>(part: Part | Reference): Part {
  if (!("$ref" in part)) return part;
  const [kind, name] = part.$ref.replace("#/components/", "").split("/");
  return (DOCUMENT.components as unknown as Record<string, Record<string, Part>>)[kind!]?.[name!] as Part;
}

const validators = new WeakMap<Schema, ValidateFunction>();

/** The check of a schema, made when it is needed first. */
function validator(schema: Schema): ValidateFunction {
  let validate = validators.get(schema);
  if (validate === undefined) {
    // References lead into the document.
    validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"fibserver:#/')) as object);
    validators.set(schema, validate);
  }
  return validate;
}
