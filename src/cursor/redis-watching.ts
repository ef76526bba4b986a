/**
 * Who watches cursors in Redis, within one process.
 *
 * The script tells the names that have changed on a channel, to which a process listens only while it watches
 * something. A message is a hint: the position is read by a group like any other, so all that is told here comes from
 * groups, in their order. After each new subscription all that is watched is read, since a channel keeps nothing for
 * those who are away. Rejected: positions in the messages (one that a group has read may be newer than the message
 * behind it), and a channel for each name (a message for each of a thousand names in a group, and most of them for
 * nobody).
 * @module
 */
import type { RedisConnection } from "../redis/connection.ts";
import type { Watching } from "./watching.ts";

/** What listening needs. */
export interface ListenOptions {
  readonly redis: RedisConnection;
  readonly channel: string;
  readonly watching: Watching;
  /** Reads a position by a group, which tells it; false when it could not. */
  readonly read: (name: string) => Promise<boolean>;
}

/** A name that changes all the time is read this often. */
const READ_MS = 50;
/** One that could not be read is read again. */
const READ_AGAIN_MS = 500;

/** Listens for what others have moved, and reads where that is. @returns Ends that. */
export function listen({ redis, channel, watching, read }: ListenOptions): () => void {
  /** Names that are being read, or were a moment ago, and whether they have changed since. */
  const reading = new Map<string, { isStale: boolean }>();
  let isOver = false;
  const isWanted = (name: string) => !isOver && watching.has(name);

  const readOn = async (name: string) => {
    const state = { isStale: true };
    reading.set(name, state);
    while (state.isStale && isWanted(name)) {
      state.isStale = false;
      const isRead = await read(name);
      if (!isRead) state.isStale = true;
      await Bun.sleep(isRead ? READ_MS : READ_AGAIN_MS);
    }
    reading.delete(name);
  };
  const readSoon = (name: string) => {
    if (!isWanted(name)) return;
    const state = reading.get(name);
    if (state === undefined) void readOn(name);
    else state.isStale = true;
  };

  const listener = redis.listen(
    channel,
    (message) => message.split(" ").forEach(readSoon),
    () => watching.names.forEach(readSoon),
  );
  return () => {
    isOver = true;
    void listener.close();
  };
}
