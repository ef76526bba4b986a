/**
 * What the scripts of redis-script.ts are given: their keys, and a group in words.
 * @module
 */
import { DEFAULT_NAME } from "../cursor-name.ts";
import type { CursorRequest, NamedRequest } from "./moves.ts";
import type { NameFilter, NamedLimits } from "./named.ts";

/** The keys that the scripts are given; those of a name they make from the first. */
export function keysOf(prefix: string): readonly string[] {
  const own = ["cursor", "names", "generation", "clients:new", "clients:back"].map(
    (end) => `${prefix}:${end}`,
  );
  return [...own, channelOf(prefix)];
}

/** Where changes are told. */
export function channelOf(prefix: string): string {
  return `${prefix}:moves`;
}

/** What {@link APPLY_SCRIPT} is given: the limits, the names, and five words for each request. */
export function applyArguments(group: readonly NamedRequest[], limits: NamedLimits): string[] {
  const { indexMax, cursorsMax, clientsMax, clientTtlMs } = limits;
  const places = new Map([[DEFAULT_NAME, "1"]]);
  const words: string[] = [];
  for (const { name, request } of group) {
    const { operation, target, keyDigest } = request;
    let place = places.get(name);
    if (place === undefined) places.set(name, (place = String(places.size + 1)));
    words.push(place, operation, String(target ?? -1), keyDigest?.toHex() ?? "", conditionOf(request));
  }
  const head = [indexMax, cursorsMax, clientsMax, clientTtlMs, places.size].map(String);
  return [...head, ...places.keys(), ...words];
}

/** `!` for none, then `any`, or `,7,8,`. */
function conditionOf({ ifNone, ifGeneration }: CursorRequest): string {
  if (ifNone !== true && ifGeneration === undefined) return "";
  const generations =
    ifGeneration === undefined || ifGeneration === "any" ? ifGeneration : `,${ifGeneration.join(",")},`;
  return (ifNone === true ? "!" : "") + (generations ?? "");
}

/** What {@link LIST_SCRIPT} is given. Every character of a name is less than a tilde. */
export function listArguments({ prefix, after, limit }: NameFilter): string[] {
  return [after >= prefix ? `(${after}` : `[${prefix}`, prefix === "" ? "+" : `(${prefix}~`, String(limit)];
}
