/**
 * Named cursors in memory: the rules of moves.ts, a list of keys for each name, and nothing else. Keepers are held
 * against it, and what uses keepers is tested with it.
 */
import { isClient } from "../../src/cursor-name.ts";
import {
  applyRequest,
  type CursorRequest,
  type CursorService,
  type KeyedMove,
  type Outcome,
  type Position,
} from "../../src/cursor/moves.ts";
import type { NamedCursors, NamedLimits, NameFilter } from "../../src/cursor/named.ts";
import { RING_COUNT } from "../../src/cursor/record.ts";
import { Watching } from "../../src/cursor/watching.ts";
import { FibError } from "../../src/errors.ts";

interface Kept {
  readonly position: Position;
  readonly keys: readonly (KeyedMove & { readonly digest: string })[];
}

/** Forgets everything with its process. */
export class ModelCursors implements NamedCursors {
  readonly #limits: NamedLimits;
  readonly #kept = new Map<string, Kept>();
  readonly #watching = new Watching();
  #generation = 0;

  constructor(limits: Partial<NamedLimits> = {}) {
    this.#limits = { indexMax: 92, cursorsMax: 100_000, clientsMax: 100_000, clientTtlMs: 1e9, ...limits };
  }

  /** What a request does, at once. */
  apply(name: string, request: CursorRequest): Outcome {
    const before = this.#kept.get(name);
    const { outcome, after, keyed } = applyRequest(before?.position, request, {
      indexMax: this.#limits.indexMax,
      isPermanent: false,
      findKey: (digest) => before?.keys.find((key) => key.digest === digest.toHex()),
      nextGeneration: () => this.#generation + 1,
    });
    if (after === before?.position) return outcome;
    if (after === undefined) {
      this.#kept.delete(name);
    } else {
      if (before === undefined && !isClient(name) && this.#namedCount() >= this.#limits.cursorsMax)
        return new FibError(
          "too_many_cursors",
          `Cannot make it: there are ${this.#limits.cursorsMax} cursors`,
        );
      this.#generation = after.generation;
      const keys = before?.keys ?? [];
      const all = keyed ? [...keys, { ...keyed, digest: request.keyDigest!.toHex() }] : keys;
      this.#kept.set(name, {
        position: { index: after.index, generation: after.generation },
        keys: all.slice(-RING_COUNT),
      });
    }
    this.#watching.publishGroup([{ name, request }], [outcome]);
    return outcome;
  }

  at(name: string): CursorService {
    return {
      current: () => undefined,
      submit: async (request, answer) => await answer(this.apply(name, request)),
      watch: (listener) => this.#watching.watch(name, listener),
    };
  }

  list({ prefix, after, limit }: NameFilter) {
    const names = [...this.#kept.keys()].filter(
      (name) => !isClient(name) && name.startsWith(prefix) && name > after,
    );
    const listed = names.toSorted().slice(0, limit);
    return Promise.resolve(
      listed.map((name) => ({ name, index: this.#kept.get(name)!.position.index, movedAtMs: 0 })),
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #namedCount(): number {
    return [...this.#kept.keys()].filter((name) => !isClient(name)).length;
  }
}
