/**
 * How tasks and results lie in Redis, and what the scripts of `scripts.ts` have in common.
 *
 *   PREFIX:task:ID          hash    the task: what `read` lists, and
 *                                   holder  who asked, while it waits or runs
 *                                   stored  bytes of a result that is there, whole or not
 *                                   kept    what it counts for in kept-bytes
 *   PREFIX:tasks            zset    all ids; all scores 0, so they stand in the order of the ids
 *   PREFIX:tasks:STATE      zset    the ids in a state, in the same way
 *   PREFIX:task-keys        hash    what is computed → id: the same computation is one task
 *   PREFIX:holders          hash    an address → how many of its tasks wait or run; long requests count as several
 *   PREFIX:open-more        string  how many more tasks there would be, of all that wait or run, if those were several
 *   PREFIX:expiring         zset    finished ids by the time when they are forgotten
 *   PREFIX:kept-bytes       string  what finished tasks and their results take, and results that are being written
 *   PREFIX:result:ID:N      string  chunk N of a result
 *   PREFIX:clock            string  the newest id's time
 *   PREFIX:limits           string  those that hold for all: `shared-limits.ts`
 *   PREFIX:round            string  which front goes through what waits: `upkeep.ts`
 *   PREFIX:ready            string  written to see whether that is possible: `shared-store.ts`
 *   PREFIX:changes          channel "ID STATE" after each change
 *
 * This, not the queue, is the truth about a task; the queue only brings ids to executors. So what it brings twice is done
 * once: of those who compute a task only the one that began it last writes anything, and only while the task runs.
 *
 * All times are those of Redis: machines disagree. So are the ids, which never go back, even when a failover brings a
 * clock that does: a page that begins behind the newest id misses none that comes later.
 *
 * Room is taken before the first of several chunks is written, and given back in the step that ends, requeues, begins
 * again or forgets the task. So a chunk always belongs to a task that counts it. What has expired is forgotten by the scripts and
 * not by Redis's own expiry, because the count must follow.
 *
 * A full Redis (`maxmemory`) refuses a script at its first command that could need memory, but not behind one that
 * cannot. Steps that end something begin with such a one, and so can always be made.
 * @module
 */
import { WEIGHT_CHARS } from "./task.ts";
import { defineScript, type Script } from "../redis/connection.ts";

/**
 * Bytes of a chunk: a read that the contract allows touches two at most. Redis's allocator has blocks of 320 KiB, and
 * none between these and 256; 64 bytes are its own.
 */
export const RESULT_CHUNK_BYTES = 320 * 1024 - 64;
/** What a finished task counts for at least: its record, with its places in the sets, takes some 1.5 KiB. */
export const KEPT_BYTES_MIN = 4096;
/** So long a request is counted with that. Of a longer one each character is there twice, in the record and in task-keys. */
const REQUEST_CHARS_FREE = 1000;
/** Expired tasks that one script forgets, and those that it forgets to make room: the work of a script has a limit. */
const PURGE_COUNT_MAX = 20;
const EVICT_COUNT_MAX = 500;

const PRELUDE = `
local P = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local function read(id)
  local task = redis.call('HMGET', P .. 'task:' .. id, 'key', 'size', 'state', 'progress', 'attempts',
    'created', 'started', 'finished', 'expires', 'reason', 'requests', 'origin', 'traceparent')
  if not task[1] or (task[9] and tonumber(task[9]) <= now) then return false end
  table.insert(task, 1, id)
  return task
end
local function isOpen(task) return task[4] == 'queued' or task[4] == 'running' end
-- Whether an executor that began this attempt is still the one that computes the task.
local function isRunning(id, attempt)
  local task = redis.call('HMGET', P .. 'task:' .. id, 'state', 'attempts')
  return task[1] == 'running' and task[2] == attempt
end
local function move(id, from, to)
  redis.call('ZREM', P .. 'tasks:' .. from, id)
  redis.call('ZADD', P .. 'tasks:' .. to, 0, id)
  redis.call('HSET', P .. 'task:' .. id, 'state', to)
end
local function tell(id, state) redis.call('PUBLISH', P .. 'changes', id .. ' ' .. state) end
local function keptBytes() return tonumber(redis.call('GET', P .. 'kept-bytes') or 0) end
local function keep(id, bytes)
  local before = tonumber(redis.call('HGET', P .. 'task:' .. id, 'kept') or 0)
  redis.call('INCRBY', P .. 'kept-bytes', text(bytes - before))
  redis.call('HSET', P .. 'task:' .. id, 'kept', text(bytes))
end
-- Removes what there is of a result, and gives its room back.
local function drop(id)
  local stored = tonumber(redis.call('HGET', P .. 'task:' .. id, 'stored') or 0)
  redis.call('HDEL', P .. 'task:' .. id, 'stored')
  for chunk = 0, math.ceil(stored / ${RESULT_CHUNK_BYTES}) - 1 do redis.call('UNLINK', P .. 'result:' .. id .. ':' .. chunk) end
  keep(id, 0)
end
-- A result that is one chunk.
local function store(id, digits)
  redis.call('SET', P .. 'result:' .. id .. ':0', digits)
  redis.call('HSET', P .. 'task:' .. id, 'stored', text(#digits))
end
-- Whether all of a result is there. A failover may have lost a part of it, and kept what was written after that.
local function isWhole(id, size)
  local bytes = 0
  for chunk = 0, math.ceil(size / ${RESULT_CHUNK_BYTES}) - 1 do bytes = bytes + redis.call('STRLEN', P .. 'result:' .. id .. ':' .. chunk) end
  return bytes == size and tonumber(redis.call('HGET', P .. 'task:' .. id, 'stored') or 0) == size
end
local function release(id, key)
  if redis.call('HGET', P .. 'task-keys', key) == id then redis.call('HDEL', P .. 'task-keys', key) end
end
-- As how many tasks a request counts while it waits or runs.
local function weightOf(chars) return math.max(1, math.ceil(chars / ${WEIGHT_CHARS})) end
-- It waits or runs no more.
local function close(id)
  local holder = redis.call('HGET', P .. 'task:' .. id, 'holder')
  if not holder then return end
  local weight = weightOf(redis.call('HSTRLEN', P .. 'task:' .. id, 'key'))
  redis.call('HDEL', P .. 'task:' .. id, 'holder')
  if redis.call('HINCRBY', P .. 'holders', holder, -weight) <= 0 then redis.call('HDEL', P .. 'holders', holder) end
  if weight > 1 then redis.call('DECRBY', P .. 'open-more', weight - 1) end
end
local function forget(id)
  local task = redis.call('HMGET', P .. 'task:' .. id, 'key', 'state')
  redis.call('ZREM', P .. 'expiring', id)
  if not task[1] then return end
  redis.call('ZREM', P .. 'tasks', id)
  redis.call('ZREM', P .. 'tasks:' .. task[2], id)
  release(id, task[1])
  close(id)
  drop(id)
  redis.call('DEL', P .. 'task:' .. id)
  tell(id, 'forgotten')
end
local function purge()
  local expired = redis.call('ZRANGE', P .. 'expiring', '-inf', text(now), 'BYSCORE', 'LIMIT', 0, ${PURGE_COUNT_MAX})
  for _, id in ipairs(expired) do forget(id) end
end
-- Forgets the oldest finished tasks but one, until what is kept is no more than that. Returns how many.
local evicted = 0
local function makeRoom(bytes, spared)
  local before = evicted
  while evicted < ${EVICT_COUNT_MAX} and keptBytes() > bytes do
    local oldest = redis.call('ZRANGE', P .. 'expiring', 0, 1)
    local id = oldest[1]
    if id == spared then id = oldest[2] end
    if not id then break end
    forget(id)
    evicted = evicted + 1
  end
  return evicted - before
end
local function finish(id, from, to, reason, ttl, room)
  move(id, from, to)
  close(id)
  redis.call('HSET', P .. 'task:' .. id, 'finished', text(now), 'expires', text(now + ttl))
  redis.call('ZADD', P .. 'expiring', text(now + ttl), id)
  if to == 'ready' then
    redis.call('HSET', P .. 'task:' .. id, 'progress', '1')
  else
    if reason ~= '' then redis.call('HSET', P .. 'task:' .. id, 'reason', reason) end
    release(id, redis.call('HGET', P .. 'task:' .. id, 'key'))
    drop(id)
  end
  local stored = tonumber(redis.call('HGET', P .. 'task:' .. id, 'stored') or 0)
  local long = math.max(redis.call('HSTRLEN', P .. 'task:' .. id, 'key') - ${REQUEST_CHARS_FREE}, 0)
  keep(id, math.max(stored, ${KEPT_BYTES_MIN}) + 2 * long)
  makeRoom(room, id)
  tell(id, to)
end
`;

/** A script that begins with all of this. KEYS: the prefix of all keys, with its colon. */
export function stepScript(body: string): Script {
  return defineScript(PRELUDE + body);
}
