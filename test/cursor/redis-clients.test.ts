/**
 * Clients' own cursors in Redis: what is special to it. clients.test.ts has the rest.
 */
import { expect, setDefaultTimeout } from "bun:test";
import { clientName } from "../../src/cursor-name.ts";
import type { CursorRequest } from "../../src/cursor/moves.ts";
import { startRedis, withRedis } from "../redis.ts";
import { openFront } from "./redis-front.ts";

setDefaultTimeout(300_000);

const NEXT: CursorRequest = { operation: "next" };

withRedis("count() tells cursors and clients apart, and has those that are back among these", async () => {
  await using server = await startRedis();
  const { cursors, askOf } = await openFront(server.url);
  for (const name of ["alice", clientName("a"), clientName("b"), clientName("c")]) await askOf(name, NEXT);
  await askOf(clientName("b"), { operation: "current" });
  expect(await cursors.count()).toEqual({ cursors: 1, clients: 3 });
});

withRedis("nobody hears of clients on the channel", async () => {
  await using server = await startRedis();
  const front = await openFront(server.url, { clientsMax: 1 });
  const ask = (client: string, request: CursorRequest) => front.askOf(clientName(client), request);
  const listening = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const heard: string[] = [];
  const listener = front.redis.listen(
    "fibserver:moves",
    (message) => {
      heard.push(message);
      if (message === "end") ended.resolve();
    },
    listening.resolve,
  );
  await listening.promise;
  await Promise.all([
    ask("a", NEXT),
    front.askOf("alice", NEXT),
    ask("b", NEXT),
    ask("a", { operation: "remove" }),
  ]);
  await ask("a", NEXT);
  await front.askOf("end", NEXT);
  await ended.promise;
  await listener.close();
  expect(heard).toEqual(["alice", "end"]);
});
