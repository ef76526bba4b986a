/**
 * Clients' own cursors, for each store that keeps them: clients.ts has the suite. The two stores have the policy in two
 * languages, and are held against each other, too.
 */
import { Database } from "bun:sqlite";
import { expect, onTestFinished, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import fs from "node:fs";
import path from "node:path";
import { clientName } from "../../src/cursor-name.ts";
import { EmbeddedCursors } from "../../src/cursor/embedded.ts";
import type { CursorRequest, Outcome } from "../../src/cursor/moves.ts";
import { CursorStore } from "../../src/cursor/store.ts";
import { FibError } from "../../src/errors.ts";
import { callsOf } from "../../src/thread.ts";
import { startRedis, withRedis } from "../redis.ts";
import { temporaryFolder } from "../temporary.ts";
import { type ClientStore, keepsClients } from "./clients.ts";
import { LIMITS } from "./contract.ts";
import { openFront } from "./redis-front.ts";
import { requestAtRandom } from "./requests.ts";

setDefaultTimeout(300_000);

const HOUR_MS = 3_600_000;
const NEXT: CursorRequest = { operation: "next" };

const seen = (outcome: Outcome) => (outcome instanceof FibError ? outcome.code : outcome);

async function makeFile(): Promise<ClientStore> {
  const file = path.join(temporaryFolder(), "cursors");
  /** As another process. */
  const sql = <Row>(text: string, ...values: (string | number)[]) => {
    using db = new Database(file);
    return db.query<Row, (string | number)[]>(text).all(...values);
  };
  return {
    async open(limits) {
      const cursors = new EmbeddedCursors({
        path: file,
        limits,
        lockTimeoutMs: 5000,
        start: () => callsOf(new CursorStore()),
        notice: () => {},
        onFailure: () => {},
      });
      onTestFinished(() => cursors.close());
      return cursors;
    },
    async kept() {
      // The first cursor makes it.
      if (!fs.existsSync(file)) return new Map();
      const clients = sql<{ name: string; isBack: number }>(
        "SELECT name, isBack FROM cursors WHERE renewedAtMs IS NOT NULL",
      );
      expect(sql("SELECT clients FROM counts")).toEqual([{ clients: clients.length }]);
      expect(sql("SELECT name FROM keyedMoves EXCEPT SELECT name FROM cursors")).toEqual([]);
      return new Map(clients.map(({ name, isBack }) => [name, isBack === 1]));
    },
    async date(names, atMs) {
      if (!fs.existsSync(file)) return;
      const text = "UPDATE cursors SET renewedAtMs = ? WHERE name IN (SELECT value FROM json_each(?))";
      sql(text, atMs, JSON.stringify(names));
    },
  };
}

async function makeRedis(): Promise<ClientStore> {
  const server = await startRedis(["--appendonly", "no"]);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const lines = async (...command: string[]) => (await server.cli(...command)).split("\n").filter(Boolean);
  return {
    open: async (limits) => (await openFront(server.url, limits)).cursors,
    async kept() {
      const strangers = await lines("ZRANGE", "fibserver:clients:new", "0", "-1");
      const back = await lines("ZRANGE", "fibserver:clients:back", "0", "-1");
      const keys = await lines("KEYS", "fibserver:cursors:client-*");
      const names = new Set(keys.map((key) => key.split(":")[2]!));
      expect([...names].toSorted()).toEqual([...strangers, ...back].toSorted());
      return new Map([
        ...strangers.map((name) => [name, false] as const),
        ...back.map((name) => [name, true] as const),
      ]);
    },
    async date(names, atMs) {
      const dated = names.flatMap((name) => [String(atMs), name]);
      for (const kind of ["new", "back"])
        await server.cli("ZADD", `fibserver:clients:${kind}`, "XX", ...dated);
    },
  };
}

keepsClients("SQLite", test, makeFile);
keepsClients("Redis", withRedis, makeRedis);

withRedis("SQLite and Redis have one policy: any history of clients comes to the same in both", async () => {
  const fronts = [
    { clientsMax: 1, clientTtlMs: HOUR_MS },
    { clientsMax: 3, clientTtlMs: 10 * HOUR_MS },
    { clientsMax: 4, clientTtlMs: 400 * HOUR_MS },
    { clientsMax: 6, clientTtlMs: 48 * HOUR_MS },
  ];
  const stores = await Promise.all(
    [makeFile, makeRedis].map(async (make) => {
      const store = await make();
      const opened = await Promise.all(fronts.map((limits) => store.open({ ...LIMITS, ...limits })));
      return { store, opened };
    }),
  );
  const name = fc.nat(8).map((client) => clientName(String(client)));
  const request = fc.oneof(
    { weight: 1, arbitrary: requestAtRandom(2) },
    { weight: 2, arbitrary: fc.constantFrom<CursorRequest>(NEXT, { ...NEXT, ifGeneration: "any" }) },
  );
  const step = fc.record({
    aged: fc.array(name, { minLength: 1, maxLength: 5 }),
    // None of these is a limit, so it does not matter when a store looks.
    hours: fc.constantFrom(0.4, 0.6, 0.9, 1.1, 4, 6, 11, 23, 25, 49, 401),
    front: fc.nat(fronts.length - 1),
    group: fc.array(fc.tuple(name, request), { minLength: 1, maxLength: 12 }),
  });
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 8, size: "max" }),
    async (steps) => {
      for (const { store, opened } of stores)
        for (const client of (await store.kept()).keys())
          await opened[0]!.at(client).submit({ operation: "remove" }, seen);
      for (const { aged, hours, front, group } of steps) {
        const atMs = Date.now() - hours * HOUR_MS;
        await Promise.all(stores.map(({ store }) => store.date(aged, atMs)));
        const [inFile, inRedis] = await Promise.all(
          stores.map(({ opened }) =>
            Promise.all(group.map(([client, asked]) => opened[front]!.at(client).submit(asked, seen))),
          ),
        );
        expect(inRedis).toEqual(inFile);
      }
      const [inFile, inRedis] = await Promise.all(stores.map(({ store }) => store.kept()));
      expect(inRedis).toEqual(inFile);
    },
  );
  await fc.assert(property, { numRuns: 60 });
});
