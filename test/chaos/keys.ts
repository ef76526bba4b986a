/**
 * What is left in Redis when every task has expired, and whether it counts right.
 *
 * The one place of these tests that knows names of keys.
 * @module
 */
import type { Redis } from "../redis.ts";

/** Keys that are there for good, however little there is to do. */
const FIXED = [
  /^fibserver:cursor(:keys|:ring)?$/,
  /^fibserver:(clock|kept-bytes|limits|ready|round)$/,
  /^fibserver:queue:tasks:(events|id|marker|meta|stalled-check)$/,
];

/** A finished task counts for the bytes of its result, but for no less than this. */
const KEPT_BYTES_MIN = 4096;

/** What is counted, what there is, how many chunks belong to nobody, and how many tasks wait or run; at one instant. */
const COUNT = `
local P, kept, open, bytes = 'fibserver:', 0, 0, {}
for _, key in ipairs(redis.call('KEYS', P .. 'result:*')) do
  local id = string.match(key, ':([^:]+):%d+$')
  bytes[id] = (bytes[id] or 0) + redis.call('STRLEN', key)
end
for _, key in ipairs(redis.call('KEYS', P .. 'task:*')) do
  local id = string.match(key, ':([^:]+)$')
  local state = redis.call('HGET', key, 'state')
  if state == 'queued' or state == 'running' then open = open + 1 end
  kept = kept + math.max(bytes[id] or 0, tonumber(ARGV[1]))
  bytes[id] = nil
end
local orphans = 0
for _ in pairs(bytes) do orphans = orphans + 1 end
return { tonumber(redis.call('GET', P .. 'kept-bytes') or 0), kept, orphans, open }`;

/** Makes Redis forget the queue, and nothing else: as one does that was restarted from an older copy. */
export async function loseQueue(redis: Redis): Promise<void> {
  const lose = "for _, key in ipairs(redis.call('KEYS', 'fibserver:queue:*')) do redis.call('DEL', key) end";
  await redis.cli("EVAL", lose, "0");
}

/** Keys that should not be there any more. */
export async function leftKeys(redis: Redis): Promise<string[]> {
  const keys = lines(await redis.cli("--scan"));
  return keys.filter((key) => !FIXED.some((fixed) => fixed.test(key))).toSorted();
}

/** What the store says that finished tasks take, what they take if none waits or runs, and results without a task. */
export async function keptBytes(redis: Redis) {
  const [counted, found, orphans, open] = lines(await redis.cli("EVAL", COUNT, "0", String(KEPT_BYTES_MIN)));
  return { counted: Number(counted), found: Number(found), orphans: Number(orphans), open: Number(open) };
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
