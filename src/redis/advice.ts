/**
 * What to do about an error of Redis.
 * @module
 */
import { kindOf } from "./client.ts";
import type { RedisPlace } from "./place.ts";

/** Why a cluster is refused. */
export const CLUSTER =
  "it is a cluster, and fibserver needs a single server, with replicas if you like: its scripts touch keys of several slots, since one order of all moves and tasks is made in one place";

/** By the first word of the error. */
const ADVICE: Readonly<Record<string, string>> = {
  WRONGTYPE:
    "something else uses our keys: give fibserver a database of its own, as in redis://HOST:6379/1, or a --redis-prefix",
  NOAUTH: "put the password into the URL, as in redis://:PASSWORD@HOST:6379",
  WRONGPASS: "the user name or the password in the URL is wrong",
  NOPERM:
    "the user in the URL needs more rights: ~PREFIX:* &PREFIX:* +@all, where PREFIX is fibserver or your --redis-prefix",
  MOVED: CLUSTER,
  READONLY: "it has become a replica",
  NOREPLICAS: "it takes no writes before it has the replicas that its min-replicas-to-write asks for",
  MISCONF: "it takes no writes before it can save them: see its log",
  OOM: "it is full: raise its maxmemory, or make room",
};

/**
 * An error's message, and what to do about it where that is known.
 *
 * @param place - Whose URL is to be changed.
 */
export function advised(message: string, { name }: Pick<RedisPlace, "name">): string {
  const advice = adviceOn(message, name !== undefined);
  return advice === undefined ? message : `${message}; ${advice}`;
}

function adviceOn(message: string, isWatched: boolean): string | undefined {
  const kind = kindOf(message);
  if (kind === "NOAUTH" && isWatched)
    return "put the password into the URL, as in redis+sentinel://:PASSWORD@HOST:26379/NAME";
  if (message.includes("DB index")) return "the number at the end of the URL is none of its databases";
  return ADVICE[kind];
}
