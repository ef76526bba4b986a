/** What holds answers against the description finds what is not as described, and lets pass what is. */
import { expect, test } from "bun:test";
import { faults, faultsOfBody, faultsOfHead, watchAnswer } from "./description.ts";

const NO_STORE = { "cache-control": "no-store" };
const JSON_HEADERS = { ...NO_STORE, "content-type": "application/json", etag: '"1"' };
const PROBLEM = { ...NO_STORE, "content-type": "application/problem+json" };

function found(line: string, headers: Record<string, string>): string {
  const [method = "", path = "", status] = line.split(" ");
  return faultsOfHead({ method, path, status: Number(status), headers: new Headers(headers) }).join("; ");
}

test("faultsOfHead() finds statuses, headers and types that are not described", () => {
  expect(found("GET /v1/cursor 200", JSON_HEADERS)).toBe("");
  expect(found("GET /v1/cursor 299", JSON_HEADERS)).toBe("no answer 299 is described");
  expect(found("GET /v1/cursor 200", { ...JSON_HEADERS, etag: "1" })).toContain("etag is not as described");
  expect(found("GET /v1/cursor 200", { ...JSON_HEADERS, "x-new": "1" })).toBe(
    "the header x-new is not described",
  );
  expect(found("GET /v1/cursor 200", { "content-type": "application/json", etag: '"1"' })).toBe(
    "there is no header cache-control",
  );
  expect(found("GET /v1/cursor 200", { ...JSON_HEADERS, "content-type": "text/html" })).toContain(
    "text/html",
  );
  expect(found("HEAD /v1/cursor 200", { ...NO_STORE, etag: '"1"' })).toBe("");
});

test("faultsOfHead() knows what is said where there is no route, or none for the method", () => {
  expect(found("GET /nothing 404", PROBLEM)).toBe("");
  expect(found("PATCH /v1/cursor 405", { ...PROBLEM, allow: "GET" })).toBe("");
  expect(found("GET /nothing 200", JSON_HEADERS)).toBe("no answer 200 is described");
  expect(found("PATCH /v1/cursor 200", JSON_HEADERS)).toBe("no answer 200 is described");
  // By the HTTP server itself.
  expect(found("POST /v1/tasks 413", {})).toBe("");
});

/** What is wrong with a body of `GET /v1/cursor`. */
function of(status: number, type: string, body: object): string {
  const head = { method: "GET", path: "/v1/cursor", status, headers: new Headers({ "content-type": type }) };
  return faultsOfBody(head, JSON.stringify(body)).join("; ");
}

test("faultsOfBody() finds fields, values and codes that are not described", () => {
  expect(of(200, "application/json", { index: "7", value: "13" })).toBe("");
  expect(of(200, "application/json", { index: 7, value: "13" })).toContain("data/index must be string");
  expect(of(200, "application/json", { index: "7", value: "13", more: 1 })).toContain(
    "additional properties",
  );
  const problem = {
    type: "urn:fibserver:error:cursor_io",
    title: "t",
    status: 503,
    detail: "d",
    instance: "/v1/cursor",
  };
  expect(of(503, "application/problem+json", { ...problem, code: "cursor_io" })).toBe("");
  expect(of(503, "application/problem+json", { ...problem, code: "sequence_end" })).toContain("data/code");
});

test("watchAnswer() tells of a head at once, and of a body when it is read, in either way", async () => {
  const other = new Response(`{"index":7}`, { status: 299, headers: JSON_HEADERS });
  watchAnswer("GET", "http://127.0.0.1:1/v1/cursor?x=1", other);
  expect(faults.splice(0)).toEqual(["GET /v1/cursor 299: no answer 299 is described"]);
  for (const read of ["text", "json"] as const) {
    const watched = watchAnswer("GET", "/v1/cursor", new Response(`{"index":7}`, { headers: JSON_HEADERS }));
    expect(faults).toEqual([]);
    expect(await watched[read]()).toEqual(read === "text" ? `{"index":7}` : { index: 7 });
    expect(faults.splice(0).join()).toContain("GET /v1/cursor 200: data");
  }
});
