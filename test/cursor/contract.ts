/**
 * What every keeper of cursors promises, as one suite with the keeper as a parameter: the default cursor in its file or
 * in Redis, and those with names in SQLite or in Redis, are three keepers of the same history.
 *
 * The oracle is the rules themselves: `applyToRecord` for the default cursor, {@link ModelCursors} for the others. Where
 * generations begin is the keeper's affair, and is left out.
 * @module
 */
import { expect } from "bun:test";
import * as fc from "fast-check";
import { clientName, DEFAULT_NAME } from "../../src/cursor-name.ts";
import { applyToRecord, type CursorRequest, type Outcome, type Position } from "../../src/cursor/moves.ts";
import type { Cursors, NamedLimits } from "../../src/cursor/named.ts";
import { initialRecord } from "../../src/cursor/record.ts";
import { FibError } from "../../src/errors.ts";
import { until } from "../binary.ts";
import { ModelCursors } from "./model.ts";
import { digest, requestAtRandom } from "./requests.ts";

/** The limits of a keeper, where a test does not care. */
export const LIMITS: NamedLimits = {
  indexMax: 1_000_000,
  cursorsMax: 100_000,
  clientsMax: 100_000,
  clientTtlMs: 400 * 86_400_000,
};

/** One store of cursors, new and empty. */
export interface Store {
  /** Another process's worth of it; closed when the test has ended. */
  open(limits?: Partial<NamedLimits>): Promise<Cursors>;
}

/** How `bun:test` takes a test. */
export type Test = (title: string, body: () => Promise<void>) => void;

const NEXT: CursorRequest = { operation: "next" };
const CURRENT: CursorRequest = { operation: "current" };
const REMOVE: CursorRequest = { operation: "remove" };
const keyed = (key: number): CursorRequest => ({ operation: "next", keyDigest: digest(key) });
const CLIENTS = [clientName("one"), clientName("two")];
/** At the edges of what is a name, of what is a client's, and of the default one. */
const EDGE_NAMES = [
  "0",
  "a".repeat(64),
  "client",
  "client.x",
  "client0",
  "client_",
  "defaul",
  "default-",
  "z",
];

export const ask = (cursors: Cursors, name: string, request: CursorRequest) =>
  cursors.at(name).submit<Outcome>(request, (outcome) => outcome);

/** {@link ask}, for what must not be refused. */
export async function must(cursors: Cursors, name: string, request: CursorRequest): Promise<Position> {
  const outcome = await ask(cursors, name, request);
  if (outcome instanceof FibError) throw outcome;
  return outcome;
}

/** Everything that is listed, by pages. */
async function listed(cursors: Cursors, prefix = "", limit = 1000): Promise<string[]> {
  const names: string[] = [];
  for (let after = ""; ; after = names.at(-1)!) {
    const page = await cursors.list({ prefix, after, limit });
    names.push(...page.map(({ name }) => name));
    if (page.length < limit) return names;
  }
}

/** Both oracles: generations begin where the store is, and keys of another run are others. */
class Oracle {
  readonly #named: ModelCursors;
  readonly #indexMax: number;
  readonly #ahead: { readonly default: number; readonly named: number };
  #record = initialRecord();

  constructor(limits: NamedLimits, newest: { readonly default: number; readonly named: number }) {
    this.#named = new ModelCursors(limits);
    this.#indexMax = limits.indexMax;
    this.#ahead = { default: newest.default - this.#record.generation, named: newest.named };
  }

  /** What a request does, as {@link seen} has it. */
  apply(name: string, request: CursorRequest) {
    if (name !== DEFAULT_NAME) return seen(this.#named.apply(name, request), 0);
    const { record, outcome } = applyToRecord(this.#record, request, this.#indexMax);
    this.#record = record;
    return seen(outcome, 0);
  }

  /** How far a cursor's generations are ahead of those of the rules. */
  aheadOf(name: string): number {
    return name === DEFAULT_NAME ? this.#ahead.default : this.#ahead.named;
  }
}

/** What is compared: the code of a refusal, or a position. A replay where no cursor is any more has no generation. */
function seen(outcome: Outcome, ahead: number) {
  if (outcome instanceof FibError) return outcome.code;
  const { index, generation, replayed = false, isNew = false } = outcome;
  return { index, generation: generation === 0 ? 0 : generation - ahead, replayed, isNew };
}

/** The same request to a store that has been used before. */
function inStore(request: CursorRequest, ahead: number, run: number): CursorRequest {
  const { ifGeneration, keyDigest } = request;
  return {
    ...request,
    ...(typeof ifGeneration === "object" && { ifGeneration: ifGeneration.map((one) => one + ahead) }),
    keyDigest: keyDigest?.map((byte, i) => (i === 0 ? run : byte)),
  };
}

/** Tells the promises of a keeper as tests. */
export function keepsCursors(keeper: string, test: Test, makeStore: () => Promise<Store>): void {
  test(`${keeper}: any history of any names in any grouping is that of the rules, whoever asks`, async () => {
    const store = await makeStore();
    const limits = { ...LIMITS, indexMax: 3, cursorsMax: 2 };
    const fronts = [await store.open(limits), await store.open(limits)] as const;
    const names = ["alice", "bob", "client", DEFAULT_NAME, ...CLIENTS];
    const asked = fc.record({ name: fc.constantFrom(...names), request: requestAtRandom(6) });
    const group = fc.record({ front: fc.nat(1), asked: fc.array(asked, { minLength: 1, maxLength: 30 }) });
    let run = 0;
    const histories = fc.array(group, { maxLength: 12 });
    const property = fc.asyncProperty(histories, async (groups) => {
      run++;
      for (const name of names) await ask(fronts[0], name, REMOVE);
      const newest = {
        default: (await must(fronts[0], DEFAULT_NAME, { operation: "set", target: 0 })).generation,
        named: (await must(fronts[0], "probe", NEXT)).generation,
      };
      await must(fronts[0], "probe", REMOVE);
      const oracle = new Oracle(limits, newest);
      for (const { front, asked: requests } of groups) {
        const expected = requests.map(({ name, request }) => oracle.apply(name, request));
        const found = await Promise.all(
          requests.map(({ name, request }) =>
            ask(fronts[front as 0 | 1], name, inStore(request, oracle.aheadOf(name), run)),
          ),
        );
        const foundSeen = found.map((outcome, i) => seen(outcome, oracle.aheadOf(requests[i]!.name)));
        expect(foundSeen).toEqual(expected);
      }
    });
    await fc.assert(property, { numRuns: 40 });
  });

  test(`${keeper}: each name remembers its own last 100 keyed moves, for every front`, async () => {
    const store = await makeStore();
    const [one, two] = [await store.open(), await store.open()];
    const names = ["alice", "bob", DEFAULT_NAME, CLIENTS[0]!];
    await Promise.all(
      names.flatMap((name) => Array.from({ length: 101 }, (_, key) => must(one, name, keyed(key)))),
    );
    for (const name of names) {
      expect(await must(two, name, keyed(1))).toMatchObject({ index: 2, replayed: true });
      const other = await ask(two, name, { operation: "previous", keyDigest: digest(100) });
      expect(other).toMatchObject({ code: "key_reused" });
      expect(await must(two, name, keyed(0))).toMatchObject({ index: 102 });
      expect(await must(one, name, keyed(1))).toMatchObject({ index: 103 });
      expect(await must(one, name, CURRENT)).toMatchObject({ index: 103 });
    }
  });

  test(`${keeper}: no generation comes twice, and no ETag of a cursor that was removed fits another`, async () => {
    const store = await makeStore();
    const given = new Set<number>();
    const old: number[] = [];
    for (let round = 0; round < 4; round++) {
      // Others than those that have removed.
      const cursors = await store.open();
      for (const name of ["alice", "bob"]) {
        const made = await must(cursors, name, { operation: "next", keyDigest: digest(1) });
        expect(made).toEqual({ index: 1, generation: made.generation, isNew: true });
        const moved = await must(cursors, name, NEXT);
        for (const ifGeneration of [old, [0]])
          expect(await ask(cursors, name, { ...NEXT, ifGeneration })).toMatchObject({ code: "cursor_moved" });
        for (const { generation } of [made, moved]) {
          expect(given.has(generation)).toBe(false);
          given.add(generation);
          old.push(generation);
        }
        const { generation } = await must(cursors, name, { ...REMOVE, ifGeneration: [moved.generation] });
        expect(generation).toBe(moved.generation);
        expect(await ask(cursors, name, { ...NEXT, ifGeneration: old })).toMatchObject({
          code: "cursor_moved",
        });
      }
    }
  });

  test(`${keeper}: fronts that move at once make each move of each name once, a keyed one too`, async () => {
    const store = await makeStore();
    const fronts = [await store.open(), await store.open(), await store.open()];
    const names = ["alice", "bob", DEFAULT_NAME, CLIENTS[0]!];
    const given = new Map(names.map((name) => [name, [] as number[]]));
    const move = async (front: Cursors, name: string) => {
      for (let i = 0; i < 20; i++) given.get(name)!.push((await must(front, name, NEXT)).index);
    };
    await Promise.all(fronts.flatMap((front) => names.map((name) => move(front, name))));
    const counted = Array.from({ length: 60 }, (_, i) => i + 1);
    for (const name of names) expect(given.get(name)!.toSorted((a, b) => a - b)).toEqual(counted);

    for (const name of ["carol", ...names]) {
      const answers = await Promise.all(fronts.map((front) => must(front, name, keyed(9))));
      expect(new Set(answers.map(({ index }) => index)).size).toBe(1);
      expect(answers.filter(({ replayed }) => replayed === true)).toHaveLength(2);
    }
  });

  test(`${keeper}: --max-cursors holds for all fronts, and neither clients nor the default one count`, async () => {
    const store = await makeStore();
    const fronts = [await store.open({ cursorsMax: 3 }), await store.open({ cursorsMax: 3 })] as const;
    for (const name of [DEFAULT_NAME, ...CLIENTS]) await must(fronts[0], name, NEXT);
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, i) => ask(fronts[(i % 2) as 0 | 1], `name${i}`, NEXT)),
    );
    const refused = outcomes.filter((outcome) => outcome instanceof FibError);
    expect(refused.map(({ code }) => code)).toEqual(Array(5).fill("too_many_cursors"));
    const names = (await listed(fronts[1])).filter((name) => name !== DEFAULT_NAME);
    expect(names).toHaveLength(3);
    for (const name of names) await must(fronts[1], name, NEXT);
    await must(fronts[1], names[0]!, REMOVE);
    expect(await must(fronts[0], "fresh", NEXT)).toMatchObject({ index: 1, isNew: true });
    expect(await ask(fronts[1], names[0]!, NEXT)).toMatchObject({ code: "too_many_cursors" });
  });

  test(`${keeper}: lists thousands of names in order, by pages of any size, and never a client's`, async () => {
    const store = await makeStore();
    const cursors = await store.open();
    const many = Array.from({ length: 1500 }, (_, i) => `c${"hkl"[i % 3]}${i}`);
    const clients = Array.from({ length: 300 }, (_, i) => clientName(`${i}`));
    await Promise.all([...many, ...EDGE_NAMES, ...clients].map((name) => must(cursors, name, NEXT)));
    const all = [...many, ...EDGE_NAMES, DEFAULT_NAME].toSorted();
    for (const limit of [7, 500, 5000]) expect(await listed(cursors, "", limit)).toEqual(all);
    for (const prefix of [
      "c",
      "ch",
      "cl",
      "client",
      "client.",
      "client-",
      "d",
      "default",
      "z",
      "0",
      "a",
      "q",
    ])
      for (const limit of [1, 1000]) {
        if (limit === 1 && prefix.startsWith("c") && prefix.length < 3) continue;
        const expected = all.filter((name) => name.startsWith(prefix));
        expect({ prefix, names: await listed(cursors, prefix, limit) }).toEqual({ prefix, names: expected });
      }
    const [first] = await cursors.list({ prefix: "", after: "clieno", limit: 1 });
    expect(first!.name).toBe("client");
    expect(await cursors.list({ prefix: "cl", after: "z", limit: 10 })).toEqual([]);
    for (const name of EDGE_NAMES) expect(await must(cursors, name, CURRENT)).toMatchObject({ index: 1 });
  });

  test(`${keeper}: who watches is told what others do, the last of it for sure, and of a removal`, async () => {
    const store = await makeStore();
    const [watcher, mover] = [await store.open(), await store.open()];
    await must(mover, "alice", NEXT);
    for (const name of ["alice", DEFAULT_NAME]) {
      const told: (number | undefined)[] = [];
      const end = watcher.at(name).watch((position) => told.push(position?.index));
      for (let i = 0; i < 20; i++) await must(mover, name, NEXT);
      const { index } = await must(mover, name, CURRENT);
      await until("the last position is told", () => told.at(-1) === index);
      expect(told).toEqual(told.toSorted((a, b) => a! - b!));
      await must(watcher, name, NEXT);
      await until("its own move is told", () => told.at(-1) === index + 1);
      if (name !== DEFAULT_NAME) {
        await must(mover, name, REMOVE);
        await until("the removal is told", () => told.at(-1) === undefined);
        await must(mover, name, NEXT);
        await until("the successor is told", () => told.at(-1) === 1);
      }
      end();
      const count = told.length;
      await must(watcher, name, NEXT);
      expect(told).toHaveLength(count);
    }
  });
}
