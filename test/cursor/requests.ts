/** Requests and keys, for tests of any store. @module */
import * as fc from "fast-check";
import type { CursorRequest } from "../../src/cursor/moves.ts";

/** The digest of a key. */
export const digest = (n: number) => new Uint8Array(16).fill(n);

/** Requests of any kind, with keys that come again and generations that fit. */
export const requestAtRandom = (keyMax: number): fc.Arbitrary<CursorRequest> =>
  fc.record({
    operation: fc.constantFrom("next", "next", "previous", "set", "current", "remove"),
    target: fc.integer({ min: 0, max: 4 }),
    keyDigest: fc.option(fc.nat(keyMax).map(digest), { nil: undefined }),
    ifGeneration: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant("any" as const) },
      { weight: 1, arbitrary: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }) },
    ),
    ifNone: fc.nat(5).map((n) => n === 0),
  });
