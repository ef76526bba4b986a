/**
 * What the queue has lost: an id that it does not know, or that it knows and has in none of its lists.
 *
 * The second is what a restart from an older copy leaves, or a script of BullMQ's that failed in its middle. BullMQ takes
 * such a task for one that it has already, so it has to forget it first.
 * @module
 */
import { defineScript, type RedisConnection } from "../redis/connection.ts";
import { deliveryKey } from "./delivery.ts";

/** Where BullMQ has the ids that wait for an executor, or are with one. KEYS: what all its keys begin with. */
const HELD = `
local lists, sets = { 'wait', 'active', 'paused' }, { 'delayed', 'prioritized' }`;

const COUNT = defineScript(`${HELD}
local count = 0
for _, list in ipairs(lists) do count = count + redis.call('LLEN', KEYS[1] .. list) end
for _, set in ipairs(sets) do count = count + redis.call('ZCARD', KEYS[1] .. set) end
return count`);

/** ARGV: ids. Returns those that are not held, which it knows no more then. */
const DROP_LOST = defineScript(`${HELD}
local held, lost = {}, {}
for _, list in ipairs(lists) do
  for _, id in ipairs(redis.call('LRANGE', KEYS[1] .. list, 0, -1)) do held[id] = true end
end
for _, set in ipairs(sets) do
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1] .. set, 0, -1)) do held[id] = true end
end
for _, id in ipairs(ARGV) do
  if not held[id] then
    redis.call('DEL', KEYS[1] .. id)
    lost[#lost + 1] = id
  end
end
return lost`);

/** Ids that wait or run, page by page. */
type OpenIds = () => AsyncIterable<readonly string[]>;

/**
 * Finds what is to be put into the queue again, page by page. 10,000 tasks that wait cost its Redis 5 ms; only when it
 * knows more than it holds, its lists are looked through.
 *
 * @throws {@link FibError} as `RedisConnection.run` does.
 */
export async function* lostDeliveries(
  queue: RedisConnection,
  prefix: string,
  openIds: OpenIds,
): AsyncGenerator<readonly string[], void> {
  const keys = [deliveryKey(prefix, "")];
  const heldCount = (await queue.run(COUNT, keys, [])) as number;
  let knownCount = 0;
  for await (const ids of openIds()) {
    const known = (await queue.send(
      "EXISTS",
      ids.map((id) => deliveryKey(prefix, id)),
    )) as number;
    if (known < ids.length) yield ids;
    knownCount += known;
  }
  if (knownCount <= heldCount) return;
  for await (const ids of openIds()) {
    const lost = (await queue.run(DROP_LOST, keys, ids)) as string[];
    if (lost.length > 0) yield lost;
  }
}
