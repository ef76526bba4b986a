/**
 * What one server has of the cursors in Redis.
 */
import { onTestFinished } from "bun:test";
import { DEFAULT_NAME } from "../../src/cursor-name.ts";
import type { CursorRequest, Outcome, Position } from "../../src/cursor/moves.ts";
import type { NamedLimits } from "../../src/cursor/named.ts";
import { RedisCursors } from "../../src/cursor/redis.ts";
import { FibError } from "../../src/errors.ts";
import { RedisConnection } from "../../src/redis/connection.ts";
import { RedisPlace } from "../../src/redis/place.ts";
import { patiently } from "../redis.ts";

const LIMITS: NamedLimits = {
  indexMax: 92,
  cursorsMax: 100_000,
  clientsMax: 100_000,
  clientTtlMs: 400 * 86_400_000,
};

/** Opens them; the connection ends with the test. */
export async function openFront(url: string, limits: Partial<NamedLimits> = {}, replicasMin = 0) {
  const notices: string[] = [];
  const redis = await patiently(() => RedisConnection.open(new RedisPlace(url, { replicasMin })));
  const cursors = await patiently(() =>
    RedisCursors.open({
      redis,
      prefix: "fibserver",
      ...LIMITS,
      ...limits,
      notice: (message) => notices.push(message),
    }),
  );
  onTestFinished(async () => {
    await cursors.close();
    await redis.close();
  });
  const askOf = (name: string, request: CursorRequest) =>
    cursors.at(name).submit<Outcome>(request, (outcome) => outcome);
  const ask = (request: CursorRequest) => askOf(DEFAULT_NAME, request);
  const indexOf = async (request: CursorRequest, name = DEFAULT_NAME) => {
    const outcome = await askOf(name, request);
    if (outcome instanceof FibError) throw outcome;
    return outcome.index;
  };
  /** What is told of a cursor from now on. */
  const watch = (name: string) => {
    const told: (Position | undefined)[] = [];
    const end = cursors.at(name).watch((position) => told.push(position));
    return { told, end };
  };
  return { redis, cursors, notices, ask, askOf, indexOf, watch };
}

/** What a test compares: a refusal, or the position. */
export const summary = (outcome: Outcome) =>
  outcome instanceof FibError
    ? `${outcome.code}: ${outcome.message}`
    : {
        index: outcome.index,
        generation: outcome.generation,
        replayed: outcome.replayed ?? false,
        isNew: outcome.isNew ?? false,
      };
