/**
 * What every store of clients' own cursors promises, as one suite with the store as a parameter: who goes when there
 * are too many, when a cookie is sent again, and that a cursor lives as long as its cookie. policy.ts has the figures.
 *
 * What is stored is read behind the store's back, and the times at which cookies were set are put back there.
 * @module
 */
import { expect } from "bun:test";
import { clientName, isClient } from "../../src/cursor-name.ts";
import type { CursorRequest, Outcome } from "../../src/cursor/moves.ts";
import type { NamedCursors, NamedLimits } from "../../src/cursor/named.ts";
import { FibError } from "../../src/errors.ts";
import { LIMITS, type Test } from "./contract.ts";
import { digest } from "./requests.ts";

/** One store of clients' cursors, new and empty. */
export interface ClientStore {
  /** Another process's worth of it; closed when the test has ended. */
  open(limits: NamedLimits): Promise<NamedCursors>;
  /** The names of those that have a cursor, and whether they are back. Fails when anything is kept of others. */
  kept(): Promise<ReadonlyMap<string, boolean>>;
  /** Changes when the cookies of these names were set, in ms. */
  date(names: readonly string[], atMs: number): Promise<void>;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NEXT: CursorRequest = { operation: "next" };
const KEYED: CursorRequest = { operation: "next", keyDigest: digest(1) };
const KNOWN: CursorRequest = { operation: "next", ifGeneration: "any" };
const CURRENT: CursorRequest = { operation: "current" };

const codeOf = (outcome: Outcome): string => (outcome instanceof FibError ? outcome.code : "done");
const many = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${kind} ${i}`);

/** A store with what its tests ask of it, by the secrets of the clients. */
function talkTo(store: ClientStore, cursors: NamedCursors) {
  const askOf = (name: string, request: CursorRequest) =>
    cursors.at(name).submit<Outcome>(request, (outcome) => outcome);
  const ask = (client: string, request: CursorRequest) => askOf(clientName(client), request);
  /** Asks for all of them in one group. */
  const codes = async (clients: readonly string[], request: CursorRequest) =>
    (await Promise.all(clients.map((client) => ask(client, request)))).map(codeOf);
  const age = (clients: readonly string[], ageMs: number) =>
    store.date(clients.map(clientName), Date.now() - ageMs);
  const keptCount = async () => (await store.kept()).size;
  const make = async (strangers: readonly string[], back: readonly string[]) => {
    await codes([...strangers, ...back], NEXT);
    await codes(back, CURRENT);
    expect(await keptCount()).toBe(strangers.length + back.length);
  };
  /** Those that have a cursor. */
  const keptOf = async (clients: readonly string[]) => {
    const kept = await store.kept();
    return clients.filter((client) => kept.has(clientName(client)));
  };
  return { cursors, askOf, ask, codes, age, make, keptOf, keptCount };
}

/** Tells the promises of a store of clients' cursors as tests. */
export function keepsClients(keeper: string, test: Test, makeStore: () => Promise<ClientStore>): void {
  const open = async (limits: Partial<NamedLimits> = {}) => {
    const store = await makeStore();
    const reopen = async (others: Partial<NamedLimits>) =>
      talkTo(store, await store.open({ ...LIMITS, ...limits, ...others }));
    return { store, reopen, ...(await reopen({})) };
  };

  test(`${keeper}: a client is back when a request finds its cursor, whatever comes of it`, async () => {
    const { store, ask } = await open();
    const made = ["reads", "moves", "repeats", "is refused", "stays away"].map((one) => ask(one, KEYED));
    // Also in the group that makes it.
    const known = [ask("at once", NEXT), ask("at once", KNOWN)];
    for (const outcome of await Promise.all(made)) expect(outcome).toMatchObject({ index: 1, isNew: true });
    expect((await Promise.all(known)).map(codeOf)).toEqual(["done", "done"]);
    const back = async () => [...(await store.kept())].filter(([, isBack]) => isBack).map(([name]) => name);
    expect(await back()).toEqual([clientName("at once")]);
    await Promise.all([ask("reads", CURRENT), ask("moves", KNOWN), ask("moves", KNOWN)]);
    expect(await ask("repeats", KEYED)).toMatchObject({ replayed: true });
    expect(codeOf(await ask("is refused", { ...NEXT, ifGeneration: [0] }))).toBe("cursor_moved");
    const all = ["at once", "is refused", "moves", "reads", "repeats"];
    expect((await back()).toSorted()).toEqual(all.map(clientName).toSorted());
  });

  test(`${keeper}: nothing is made for a client that only reads, or has a cookie that is not known`, async () => {
    const { ask, keptCount } = await open();
    expect(codeOf(await ask("a", CURRENT))).toBe("cursor_unknown");
    expect(codeOf(await ask("a", KNOWN))).toBe("cursor_moved");
    expect(await keptCount()).toBe(0);
  });

  test(`${keeper}: when all is full those that never came back go, the oldest first, after an hour`, async () => {
    const { ask, codes, make, age, keptOf } = await open({ clientsMax: 4 });
    await make(["young", "old", "older"], ["back"]);
    await age(["back"], 100 * DAY_MS);
    await age(["young", "old", "older"], HOUR_MS - MINUTE_MS);
    expect(codeOf(await ask("early", NEXT))).toBe("overloaded");
    await age(["old"], HOUR_MS + 1000);
    await age(["older"], HOUR_MS + 2000);
    expect(codeOf(await ask("first", NEXT))).toBe("done");
    const all = ["back", "young", "old", "older", "first", "second", "third"];
    expect(await keptOf(all)).toEqual(["back", "young", "old", "first"]);
    expect(await codes(["second", "third"], NEXT)).toEqual(["done", "overloaded"]);
    expect(await keptOf(all)).toEqual(["back", "young", "first", "second"]);
    // Who has a cursor goes on.
    expect(await codes(["back", "young", "old"], KNOWN)).toEqual(["done", "done", "cursor_moved"]);
  });

  test(`${keeper}: one that has to go in the middle of a group is gone for the requests behind`, async () => {
    const { ask, make, age, keptOf } = await open({ clientsMax: 1 });
    await make(["a"], []);
    await age(["a"], 2 * HOUR_MS);
    const outcomes = await Promise.all([ask("b", NEXT), ask("a", KNOWN)]);
    expect(outcomes.map(codeOf)).toEqual(["done", "cursor_moved"]);
    expect(await keptOf(["a", "b"])).toEqual(["b"]);
  });

  test(`${keeper}: a cursor is gone with its keys when its cookie is`, async () => {
    const ttlMs = 10 * DAY_MS;
    const { ask, age, keptOf } = await open({ clientTtlMs: ttlMs });
    for (const client of ["reads", "moves", "lives"]) await ask(client, KEYED);
    await age(["lives"], ttlMs - MINUTE_MS);
    await age(["reads", "moves"], ttlMs);
    expect(codeOf(await ask("reads", CURRENT))).toBe("cursor_unknown");
    expect(codeOf(await ask("moves", KNOWN))).toBe("cursor_moved");
    expect(await keptOf(["reads", "moves", "lives"])).toEqual(["lives"]);
    expect(await ask("lives", KNOWN)).toMatchObject({ index: 2 });
    // The same key moves again: it is another cursor.
    expect(await ask("moves", KEYED)).toMatchObject({ index: 1, isNew: true });
  });

  test(`${keeper}: with one that comes two of each kind go that have expired, the oldest first`, async () => {
    const ttlMs = 10 * DAY_MS;
    const { ask, make, age, keptOf } = await open({ clientTtlMs: ttlMs });
    const [strangers, back] = [many("stranger", 3), many("back", 3)];
    await make(strangers, back);
    await age([...strangers, ...back], ttlMs);
    await age([strangers[2]!, back[1]!], ttlMs + DAY_MS);
    await age([strangers[1]!, back[0]!], ttlMs + HOUR_MS);
    expect(codeOf(await ask("new", NEXT))).toBe("done");
    expect(await keptOf([...strangers, ...back, "new"])).toEqual([strangers[0]!, back[2]!, "new"]);
  });

  for (const [kind, isBack] of [
    ["strangers", false],
    ["clients that were back", true],
  ] as const) {
    test(`${keeper}: 100 ${kind} that have expired make room for 100 that come in one group`, async () => {
      const { codes, make, age, keptOf, keptCount } = await open({ clientsMax: 100, clientTtlMs: MINUTE_MS });
      const old = many("old", 100);
      await make(isBack ? [] : old, isBack ? old : []);
      await age(old, MINUTE_MS);
      const expected = [...Array<string>(100).fill("done"), "overloaded"];
      expect(await codes(many("new", 101), NEXT)).toEqual(expected);
      expect(await keptOf(many("new", 100))).toHaveLength(100);
      expect(await keptCount()).toBe(100);
    });
  }

  for (const [kind, ageMs, clientTtlMs] of [
    ["strangers", 2 * HOUR_MS, 400 * DAY_MS],
    ["expired ones", 2 * MINUTE_MS, MINUTE_MS],
  ] as const) {
    test(`${keeper}: a lowered --max-clients is reached again, by a hundred ${kind} for each that comes`, async () => {
      const { make, age, keptCount, reopen } = await open({ clientsMax: 150, clientTtlMs });
      await make(many("old", 150), []);
      await age(many("old", 150), ageMs);
      const { ask } = await reopen({ clientsMax: 10 });
      expect(codeOf(await ask("new", NEXT))).toBe("overloaded");
      expect(await keptCount()).toBe(50);
      expect(codeOf(await ask("new", NEXT))).toBe("done");
      expect(await keptCount()).toBe(10);
    });
  }

  test(`${keeper}: strangers stay as long as those that have expired can go`, async () => {
    const ttlMs = 10 * DAY_MS;
    const { make, age, keptOf, reopen } = await open({ clientTtlMs: ttlMs });
    const [alive, strangers, back] = [many("alive", 2), many("stranger", 3), many("back", 3)];
    await make([...alive, ...strangers], back);
    await age(alive, 2 * HOUR_MS);
    await age([...strangers, ...back], ttlMs);
    const { ask } = await reopen({ clientsMax: 3 });
    const all = [...alive, ...strangers, ...back, "new", "late"];
    expect(codeOf(await ask("new", NEXT))).toBe("done");
    expect(await keptOf(all)).toEqual([...alive, "new"]);
    expect(codeOf(await ask("late", NEXT))).toBe("done");
    expect(await keptOf(all)).toEqual([alive[1]!, "new", "late"]);
  });

  for (const [life, clientTtlMs, renewMs] of [
    ["that is a day old", 400 * DAY_MS, DAY_MS],
    ["of less than two days when half of that is over", HOUR_MS, HOUR_MS / 2],
  ] as const) {
    test(`${keeper}: a move renews a cookie ${life}, once; what is read, repeated or refused does not`, async () => {
      const { ask, age } = await open({ clientTtlMs });
      const plainly = async (request: CursorRequest) =>
        expect(await ask("a", request)).not.toHaveProperty("renewsCookie");
      await plainly(KEYED);
      await plainly(KNOWN);
      await age(["a"], renewMs - MINUTE_MS);
      await plainly(KNOWN);
      await age(["a"], renewMs);
      for (const request of [CURRENT, KEYED, { ...NEXT, ifGeneration: [0] }]) await plainly(request);
      const outcomes = await Promise.all([ask("a", KNOWN), ask("a", KNOWN)]);
      expect(outcomes.map((outcome) => "renewsCookie" in outcome)).toEqual([true, false]);
      expect(outcomes[0]).toMatchObject({ index: 4, renewsCookie: true });
      await plainly(KNOWN);
    });
  }

  test(`${keeper}: clients and names do not take each other's places`, async () => {
    const { ask, askOf } = await open({ clientsMax: 1, cursorsMax: 1 });
    expect(codeOf(await ask("one", NEXT))).toBe("done");
    expect(codeOf(await askOf("alice", NEXT))).toBe("done");
    expect(codeOf(await ask("two", NEXT))).toBe("overloaded");
    expect(codeOf(await askOf("bob", NEXT))).toBe("too_many_cursors");
  });

  test(`${keeper}: no refusal and no list tells of clients`, async () => {
    const { cursors, ask, askOf } = await open({ clientsMax: 1 });
    const outcomes = await Promise.all([
      ask("a", NEXT),
      ask("a", { operation: "previous", ifGeneration: [0] }),
      ask("b", NEXT),
      ask("b", CURRENT),
      ask("b", KNOWN),
      askOf("alice", NEXT),
    ]);
    const refusals = outcomes.filter((outcome) => outcome instanceof FibError);
    expect(refusals.map(codeOf)).toEqual(["cursor_moved", "overloaded", "cursor_unknown", "cursor_moved"]);
    for (const { message } of refusals) expect(message).not.toContain("client-");
    const listed = await cursors.list({ prefix: "", after: "", limit: 10 });
    expect(listed.map(({ name }) => name).filter(isClient)).toEqual([]);
    expect(listed).toHaveLength(1);
  });
}
