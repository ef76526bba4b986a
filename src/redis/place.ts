/**
 * Where a Redis is.
 * @module
 */

/** A Redis, and what is asked of it. The URL holds a password: never to be logged. */
export interface RedisPlace {
  readonly url: string;
  /** Replicas that must have what is promised; 0 for none. */
  readonly replicasMin?: number;
}

/** A place from a URL alone. */
export function placeOf(place: RedisPlace | string): RedisPlace {
  return typeof place === "string" ? { url: place } : place;
}
