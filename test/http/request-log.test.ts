/** What the log says of requests. Method: the watches alone, with times that the test says. */
import { expect, test } from "bun:test";
import type { Seen } from "../../src/http/entry.ts";
import { requestLog, slowLog } from "../../src/http/request-log.ts";
import type { Logger } from "../../src/log.ts";

interface Line {
  readonly level: string;
  readonly message: string;
  readonly facts: Record<string, unknown>;
}

/** Lets one request pass, which took so long. @returns What was logged. */
function logged(
  tookMs: number,
  response = new Response(),
  route = "/v1/cursor",
  address = "192.0.2.1",
  path = "/v1/cursor",
): Line[] {
  const lines: Line[] = [];
  const teller = (level: string) => (message: string, facts: Record<string, unknown>) =>
    void lines.push({ level, message, facts });
  const log = { warn: teller("warn"), debug: teller("debug") } as unknown as Logger;
  const seen: Seen = {
    request: new Request(`http://x${path}?token=s3cret`, { method: "PUT" }),
    method: "PUT",
    route,
    requestId: "id-1",
    startMs: 0,
    status: response.status,
    grant: { name: "alice", scope: "write", prefix: undefined },
    holderOf: () => address,
  };
  for (const watch of [slowLog(log), requestLog(log)]) watch.end(seen, response, tookMs);
  return lines;
}

const answer = (headers: Record<string, string>) => new Response(null, { headers });

const warned = (...request: Parameters<typeof logged>) =>
  logged(...request).filter(({ level }) => level === "warn");

test("requestLog() tells who asked for what, without the query, and how long it took", () => {
  const lines = logged(2, new Response(null, { status: 204 }));
  expect(lines).toEqual([
    {
      level: "debug",
      message: "{method} {path} {status} in {durationMs} ms for {token} at {client}",
      facts: {
        method: "PUT",
        path: "/v1/cursor",
        route: "/v1/cursor",
        status: 204,
        durationMs: 2,
        requestId: "id-1",
        client: "192.0.2.1",
        token: "alice",
      },
    },
  ]);
});

test("slowLog() warns of an answer that was slow to begin, and of no other one", () => {
  expect(warned(1001)).toMatchObject([{ facts: { requestId: "id-1", path: "/v1/cursor" } }]);
  expect(warned(1000)).toEqual([]);
});

test("a path that is very long is cut", () => {
  const path = `/v1/zeckendorf/${"9".repeat(10_000)}`;
  const [line] = logged(2, new Response(), "/v1/zeckendorf/:value", "", path);
  expect(line!.facts["path"]).toBe(`${path.slice(0, 500)}…`);
});

test("slowLog() names no client that has left", () => {
  const [line] = warned(1001, new Response(), "/v1/cursor", "");
  expect(line!.facts["client"]).toBeUndefined();
  expect(line!.message).toEndWith("ms for {token}");
});

test("slowLog() does not warn of what its client has asked to wait for", () => {
  const computed = answer({ "server-timing": "compute;dur=1500" });
  expect(warned(1001, answer({ "preference-applied": "respond-async, wait=5" }))).toEqual([]);
  expect(warned(1001, computed, "/v1/fibonacci/:n")).toEqual([]);
  expect(warned(1001, computed, "/v1/tasks/:id/result")).toHaveLength(1);
  expect(warned(1001, answer({ "preference-applied": "respond-async" }))).toHaveLength(1);
});
