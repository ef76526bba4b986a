/**
 * A cursor as it moves.
 *
 * A server, or a proxy, may end each connection at once. It is news that makes up for a cut: a generation beyond all that
 * were told. So one that tells of the same positions again and again is left after `retriesMax` cuts, and one that was
 * restored, whose generations begin further back, is followed: what it tells is handed out, and its connections hold.
 * @module
 */
import { FibClientError } from "./error.ts";
import { followEvents } from "./events.ts";
import type { Limits } from "./limits.ts";
import { type PositionForm, readWatched, type ValueOf, type WatchedPosition } from "./position.ts";
import type { Transport } from "./transport.ts";

const TYPES = ["position", "removed"];

/**
 * Where a cursor stands, and where it goes, until it is removed.
 *
 * @param path - Of its events.
 * @throws {@link FibClientError} `cursor_unknown` where there is none to begin with; the signal's reason.
 */
export async function* watchPositions<F extends PositionForm>(
  transport: Transport,
  path: string,
  valueOf: ValueOf<F>,
  limits: Limits,
): AsyncGenerator<WatchedPosition<F>, void> {
  const attempts = transport.attempts(limits);
  let last: WatchedPosition<F> | undefined;
  let newest = -1;
  try {
    for await (const { id, type, data } of followEvents(transport, path, TYPES, attempts)) {
      if (type === "removed") return;
      const position = readWatched(data, id, valueOf);
      const generation = Number(id);
      if (generation > newest) {
        attempts.progress();
        newest = generation;
      }
      // A new connection begins with where it stands, known or not.
      if (position.etag === last?.etag && position.index === last.index) continue;
      last = position;
      yield position;
    }
  } catch (error) {
    // It was removed while nobody was connected.
    const isGone = error instanceof FibClientError && error.code === "cursor_unknown";
    if (!isGone || last === undefined) throw error;
  }
}
