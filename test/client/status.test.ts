/** `fib.status()` and `fib.isReady()`: what a real server says, and what none should. */
import { expect, test } from "bun:test";
import { FibClient, FibClientError, type ServerStatus } from "../../src/client/client.ts";
import { readServerStatus } from "../../src/client/server-status.ts";
import { until } from "../binary.ts";
import { deadUrl, openScripted, openServer } from "./server.ts";

const QUANTILES = { p50: 0.001, p90: null, p99: 2 };
const LIMITS = { index: 92, digits: 25_000_000, terms: 1_000_000 };
const STATUS = {
  version: "1",
  uptimeSeconds: 1,
  ready: false,
  problems: [{ part: "cursor", code: "cursor_io", detail: "no room" }],
  storage: "files",
  access: { from: "machine", tokens: false, tls: false },
  limits: LIMITS,
  cursor: { index: "7" },
  lastMinute: {
    seconds: 60,
    requestsPerSecond: 1,
    movesPerSecond: 1,
    errorsPerSecond: 0,
    requestSeconds: QUANTILES,
    syncSeconds: QUANTILES,
  },
  tasks: { queued: 0 },
  computations: { running: 1 },
  memory: { residentBytes: 1, heapBytes: 1 },
} satisfies ServerStatus;

/** Each place in a value, as the names that lead to it. */
function placesIn(value: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...at, name]))];
}

/** A copy with something else in one place. */
function withInstead(value: unknown, [name, ...rest]: readonly string[], instead: unknown): unknown {
  if (name === undefined) return instead;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[name] = withInstead(copy[name], rest, instead);
  return copy;
}

test("a server's status is taken, and so is a newer one's that says more", async () => {
  await using server = await openServer();
  const fib = new FibClient(server.url);
  let status: ServerStatus | undefined;
  // On a busy machine it may not find out all of it within 1.5 s, and is asked again.
  await until("it knows all", async () => {
    status = await fib.status();
    return status.ready && status.cursor !== null && status.problems.length === 0;
  });
  expect(status).toMatchObject({
    ready: true,
    cursor: { index: "0" },
    problems: [],
    limits: LIMITS,
  });
  expect(readServerStatus({ ...STATUS, more: 1 })).toMatchObject(STATUS);
  for (const place of ["cursor", "tasks", "computations"])
    expect(readServerStatus(withInstead(STATUS, [place], null))).toMatchObject({ [place]: null });
});

test("a server of a version before tells no limits", () => {
  const { limits: _, ...before } = STATUS;
  expect(readServerStatus(before)).toEqual(before);
});

test("whatever is wrong in a status, wherever it is, makes it a bad answer", () => {
  const places = placesIn(STATUS);
  expect(places.length).toBeGreaterThan(35);
  for (const place of places) {
    const mayMiss = place.join() === "limits";
    for (const instead of mayMiss ? [-1] : [undefined, -1]) {
      const read = () => readServerStatus(withInstead(STATUS, place, instead));
      expect(read, place.join(".")).toThrow(FibClientError);
    }
  }
});

test("isReady() asks once, and takes no other service for a fibserver", async () => {
  await using server = await openServer();
  // As above.
  await until("it is ready", () => new FibClient(server.url).isReady());
  await using unready = openScripted(() => new Response("{}", { status: 503 }));
  expect(await new FibClient(unready.url).isReady()).toBe(false);
  expect(unready.requests).toHaveLength(1);
  await using page = openScripted(() => new Response("ok\n, says another service"));
  expect(await new FibClient(page.url).isReady()).toBe(false);
  const refused = await new FibClient(await deadUrl()).isReady().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "unreachable" });
});
