/** Refusals as values: a test looks at the code, and at what a person is told. @module */
import { expect } from "bun:test";
import { FibError } from "../src/errors.ts";

/** The error that a call throws; fails when it throws none, or one that is a bug. */
export function thrown(call: () => unknown): FibError {
  try {
    call();
  } catch (error) {
    if (error instanceof FibError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** The error that a promise is rejected with; fails when it is not, or with one that is a bug. */
export async function rejected(promise: Promise<unknown>): Promise<FibError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof FibError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** Whether a promise is rejected, for who waits until it is. */
export function isRefused(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}

/** A problem document, after checking what all of them share. */
export async function problemOf(response: Response) {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const body = (await response.json()) as Record<string, unknown>;
  expect(Object.keys(body).slice(0, 6)).toEqual(["type", "title", "status", "detail", "instance", "code"]);
  expect(body["status"]).toBe(response.status);
  expect(body["type"]).toBe(`urn:fibserver:error:${String(body["code"])}`);
  return body as { code: string; status: number; detail: string; instance: string; title: string };
}
