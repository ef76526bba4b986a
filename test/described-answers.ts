/**
 * Loaded before all tests (bunfig.toml): each answer of a server of binary.ts is held against the description, and a
 * test that got one that is not described fails.
 * @module
 */
import { afterEach } from "bun:test";
import { PORTS } from "./binary.ts";
import { faults, watchAnswer } from "./description.ts";

const plainFetch = globalThis.fetch;

const watchedFetch: typeof fetch = Object.assign(
  async (input: string | URL | Request, init?: RequestInit) => {
    const response = await plainFetch(input, init);
    // As it was sent, where dots in a path are resolved.
    const { url } = response;
    const method = init?.method ?? (input instanceof Request ? input.method : "GET");
    const basePath = PORTS.get(new URL(url).port);
    return basePath === undefined ? response : watchAnswer(method.toUpperCase(), url, response, basePath);
  },
  plainFetch,
);
globalThis.fetch = watchedFetch;

afterEach(() => {
  const found = faults.splice(0);
  if (found.length > 0)
    throw new Error(`Not as src/http/openapi.ts describes it:\n${[...new Set(found)].join("\n")}`);
});
