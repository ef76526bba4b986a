/** The way in, alone: what a handler is told of its request, and how long those who watch hear that it took. */
import { expect, test } from "bun:test";
import { FibError } from "../../src/errors.ts";
import type { Grant } from "../../src/grant.ts";
import { type Finish, grantOf } from "../../src/http/asker.ts";
import { entry, finishing, type TokenCheck } from "../../src/http/entry.ts";
import { answerError } from "../../src/http/frame.ts";
import { goAnswers } from "../../src/http/go-cursor.ts";
import { openServices } from "../services.ts";

const PORT = { keepOpen: () => () => {}, holderOf: () => "", isSecure: () => false };
const HERE = "http://x/";

test("a handler is told what the token of its request allows, also of one without a name", () => {
  const grant: Grant = { name: "alice", scope: "write", prefix: "team-" };
  const tokens: TokenCheck = { check: () => grant };
  let told: Grant | undefined;
  const handler = finishing((raw, env) => {
    told = grantOf({ env, req: { raw } });
    return new Response();
  });
  void entry(
    handler,
    () => ({ route: "/", path: "/" }),
    { refuseHost: () => undefined, tokens },
    PORT,
  )(new Request(HERE));
  expect(told).toEqual(grant);
});

test("a request has taken as long as it took, though the time is read once for several", async () => {
  const tookMs: Record<string, number> = {};
  const held: Record<string, Finish> = {};
  const answer = entry(
    ({ url }, _, finish) => {
      const { pathname } = new URL(url);
      if (pathname === "/slow") spin(5);
      if (pathname !== "/held") return finish(new Response());
      return new Promise(() => (held[pathname] = finish));
    },
    (request) => {
      const { pathname } = new URL(request.url);
      return { route: pathname, path: pathname };
    },
    {
      refuseHost: () => undefined,
      watches: [{ end: ({ route }, _, durationMs) => void (tookMs[route] = durationMs) }],
    },
    PORT,
  );
  const ask = (path: string) => void answer(new Request(`http://x${path}`));
  ask("/held");
  // The time of the first one's end is before the second one began.
  ask("/fast");
  ask("/slow");
  expect(tookMs["/fast"]).toBeGreaterThanOrEqual(0);
  expect(tookMs["/slow"]).toBeGreaterThanOrEqual(5);
  await Promise.resolve();
  spin(5);
  held["/held"]!(new Response());
  expect(tookMs["/held"]).toBeGreaterThanOrEqual(10);
});

const asked = (requestId: string) => ({ env: { requestId }, req: { raw: new Request(HERE) } });

test("what goes wrong is told with the name of its request, on /api0 as well", async () => {
  const services = await openServices();
  const told: unknown[] = [];
  const tell = (error: unknown, requestId?: string) => void told.push([error, requestId]);
  const events = { onBug: tell, onFault: tell };
  const [bug, fault] = [new TypeError("inside"), new FibError("cursor_io", "the disk is full")];
  answerError(events, bug, asked("a"));
  answerError(events, fault, asked("b"));
  const { cursors, streams } = services;
  const hot = { cursors, streams, indexMax: 92, valueAt: () => "0", ...events };
  void goAnswers(hot)(asked("c"), (response) => response)(fault);
  expect(told).toEqual([
    [bug, "a"],
    [fault, "b"],
    [fault, "c"],
  ]);
});

/** Lets time go by, without a turn of the loop. */
function spin(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}
