/**
 * Tasks and results in Redis: each step of a task's life is one script, so nobody sees half of one.
 *
 *   PREFIX:task:ID          hash    the task; `read` lists the fields
 *   PREFIX:tasks            zset    all ids; all scores 0, so they stand in the order of the ids
 *   PREFIX:tasks:STATE      zset    the ids in a state, in the same way
 *   PREFIX:task-keys        hash    what is computed → id: the same computation is one task
 *   PREFIX:holders          hash    an address → how many of its tasks wait or run
 *   PREFIX:expiring         zset    finished ids by the time when they are forgotten
 *   PREFIX:kept-bytes       string  what finished tasks and their results take, and results that are being written
 *   PREFIX:result:ID:N      string  chunk N of a result
 *   PREFIX:clock            string  the newest id's time
 *   PREFIX:changes          channel "ID STATE" after each change
 *
 * This, not the queue, is the truth about a task; the queue only brings ids to executors. So what it brings twice is done
 * once: of those who compute a task only the one that began it last writes anything, and only while the task runs.
 *
 * All times are those of Redis: machines disagree. So are the ids, which never go back, even when a failover brings a
 * clock that does: a page that begins behind the newest id misses none that comes later.
 *
 * Room is taken before the first of several chunks is written, and given back in the step that ends, requeues, begins again or
 * forgets the task. So a chunk always belongs to a task that counts it. What has expired is forgotten by the scripts and
 * not by Redis's own expiry, because the count must follow.
 *
 * A full Redis (`maxmemory`) refuses a script at its first command that could need memory, but not behind one that
 * cannot. Steps that end something begin with such a one, and so can always be made.
 *
 *   PREFIX:limits              string  what holds for all, see `shared-limits.ts`
 *   PREFIX:round, PREFIX:ready string  which front does the round, see `upkeep.ts`; written to see whether it can be
 * @module
 */
import { defineScript } from "../redis/connection.ts";

/**
 * Bytes of a chunk: a read that the contract allows touches two at most. Redis's allocator has blocks of 320 KiB, and
 * none between these and 256; 64 bytes are its own.
 */
export const RESULT_CHUNK_BYTES = 320 * 1024 - 64;
/** What a finished task counts for at least: its record, with its places in the sets, takes some 1.5 KiB. */
export const KEPT_BYTES_MIN = 4096;
/** Expired tasks that one script forgets, and those that it forgets to make room: the work of a script has a limit. */
const PURGE_COUNT_MAX = 20;
const EVICT_COUNT_MAX = 500;
/** Ids that can be told apart within a millisecond. */
const IDS_PER_MS = 1024;

const PRELUDE = `
local P = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local function read(id)
  local task = redis.call('HMGET', P .. 'task:' .. id, 'key', 'size', 'state', 'progress', 'attempts',
    'created', 'started', 'finished', 'expires', 'reason', 'requests')
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
local function release(id, key)
  if redis.call('HGET', P .. 'task-keys', key) == id then redis.call('HDEL', P .. 'task-keys', key) end
end
-- It waits or runs no more.
local function close(id)
  local holder = redis.call('HGET', P .. 'task:' .. id, 'holder')
  if not holder then return end
  redis.call('HDEL', P .. 'task:' .. id, 'holder')
  if redis.call('HINCRBY', P .. 'holders', holder, -1) <= 0 then redis.call('HDEL', P .. 'holders', holder) end
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
local function makeRoom(bytes, spared)
  local count = 0
  while count < ${EVICT_COUNT_MAX} and keptBytes() > bytes do
    local oldest = redis.call('ZRANGE', P .. 'expiring', 0, 1)
    local id = oldest[1] == spared and oldest[2] or oldest[1]
    if not id then break end
    forget(id)
    count = count + 1
  end
  return count
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
  keep(id, math.max(tonumber(redis.call('HGET', P .. 'task:' .. id, 'stored') or 0), ${KEPT_BYTES_MIN}))
  makeRoom(room, id)
  tell(id, to)
end
`;

const script = (body: string) => defineScript(PRELUDE + body);

/**
 * ARGV: most tasks that wait or run, time to live, room, then for each task its key, size, who asks, the random part of
 * its id, and, of one that is computed already, "ready" or "failed", the reason, and the digits. Returns a pair for each:
 * 1 made, 0 found, -1 refused; the task. Nobody has more that wait or run than are still free, as with `Shares`.
 */
export const CREATE = script(`
purge()
local open = redis.call('ZCARD', P .. 'tasks:queued') + redis.call('ZCARD', P .. 'tasks:running')
local tasksMax, ttl, room = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local newest = math.max(tonumber(redis.call('GET', P .. 'clock') or 0), now * ${IDS_PER_MS} - 1)
local clock = newest
local function insert(key, size, random)
  clock = clock + 1
  local ms = math.floor(clock / ${IDS_PER_MS})
  local id = string.format('%08x-%04x-7%03x-%s', math.floor(ms / 65536), ms % 65536, clock % ${IDS_PER_MS}, random)
  redis.call('HSET', P .. 'task:' .. id, 'key', key, 'size', size, 'state', 'queued', 'progress', '0',
    'attempts', '0', 'created', text(now), 'requests', '1')
  redis.call('HSET', P .. 'task-keys', key, id)
  redis.call('ZADD', P .. 'tasks', 0, id)
  redis.call('ZADD', P .. 'tasks:queued', 0, id)
  return id
end
local reply = {}
local function isGreedy(holder)
  local held, free = tonumber(redis.call('HGET', P .. 'holders', holder) or 0), tasksMax - open
  return free < 1 or (held > 0 and held + 1 > free)
end
for at = 4, #ARGV, 7 do
  local key, size, holder, random, to, reason, digits = unpack(ARGV, at, at + 6)
  local known = redis.call('HGET', P .. 'task-keys', key)
  local task, made = known and read(known), 0
  if not task and to == '' and isGreedy(holder) then
    made = -1
  elseif not task then
    if known then forget(known) end
    made = 1
    local id = insert(key, size, random)
    if to == '' then
      open = open + 1
      redis.call('HSET', P .. 'task:' .. id, 'holder', holder)
      redis.call('HINCRBY', P .. 'holders', holder, 1)
    else
      redis.call('HSET', P .. 'task:' .. id, 'attempts', '1', 'started', text(now))
      if digits ~= '' then store(id, digits) end
      finish(id, 'queued', to, reason, ttl, room)
    end
    task = read(id)
  elseif isOpen(task) then
    redis.call('HINCRBY', P .. 'task:' .. known, 'requests', 1)
    task = read(known)
  end
  reply[#reply + 1] = { made, task }
end
if clock > newest then redis.call('SET', P .. 'clock', text(clock)) end
return reply`);

export const FIND = script(`return read(ARGV[1])`);

/** ARGV: the state or "", the id to begin behind or "", how many. What has expired takes nobody's place. */
export const LIST = script(`
local ids = P .. (ARGV[1] == '' and 'tasks' or 'tasks:' .. ARGV[1])
local from, limit, reply = ARGV[2] == '' and '-' or '(' .. ARGV[2], tonumber(ARGV[3]), {}
repeat
  local page = redis.call('ZRANGE', ids, from, '+', 'BYLEX', 'LIMIT', 0, limit)
  for _, id in ipairs(page) do
    local task = #reply < limit and read(id)
    if task then reply[#reply + 1] = task end
    from = '(' .. id
  end
until #reply == limit or #page < limit
return reply`);

/** ARGV: id, most attempts, time to live, room. Returns the task that is to be computed now, or nothing. */
export const BEGIN = script(`
local task = read(ARGV[1])
if not task or not isOpen(task) then return false end
local attempts = tonumber(task[6])
if attempts >= tonumber(ARGV[2]) then
  local reason = 'its executor died ' .. text(attempts) .. ' times'
  finish(ARGV[1], task[4], 'failed', reason, tonumber(ARGV[3]), tonumber(ARGV[4]))
  return false
end
move(ARGV[1], task[4], 'running')
drop(ARGV[1])
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', '0', 'attempts', text(attempts + 1), 'started', text(now))
tell(ARGV[1], 'running')
return read(ARGV[1])`);

/** ARGV: id, attempt, the fraction that is done. Returns 0 when the attempt is not to go on; so do the next four. */
export const PROGRESS = script(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', ARGV[3])
tell(ARGV[1], 'running')
return 1`);

/** ARGV: id, attempt. The executor gives it back, as if it had not been begun. */
export const REQUEUE = script(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
move(ARGV[1], 'running', 'queued')
drop(ARGV[1])
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', '0', 'attempts', text(ARGV[2] - 1))
redis.call('HDEL', P .. 'task:' .. ARGV[1], 'started')
tell(ARGV[1], 'queued')
return 1`);

/**
 * ARGV: id, attempt, size of the result, room. Takes the room for a result, which is then written chunk by chunk. Returns
 * -1 when there is none while others write theirs, and -2 when there may be after the same call.
 */
export const RESERVE = script(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
drop(ARGV[1])
local bytes, room = math.max(tonumber(ARGV[3]), ${KEPT_BYTES_MIN}), tonumber(ARGV[4])
purge()
local forgotten = makeRoom(room - bytes, ARGV[1])
if keptBytes() + bytes > room then return forgotten > 0 and -2 or -1 end
redis.call('HSET', P .. 'task:' .. ARGV[1], 'stored', ARGV[3])
keep(ARGV[1], bytes)
return 1`);

/** ARGV: id, attempt. What was written of a result is removed again, and its room given back. */
export const UNRESERVE = script(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
drop(ARGV[1])
return 1`);

/** ARGV: id, attempt, which chunk, its text. */
export const PUT_CHUNK = script(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
redis.call('SET', P .. 'result:' .. ARGV[1] .. ':' .. ARGV[3], ARGV[4])
return 1`);

/**
 * ARGV: id, attempt, "ready" or "failed", the reason, the digits of a result that is one chunk (or ""), time to live,
 * room. A longer one has been written before.
 */
export const FINISH = script(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
if ARGV[5] ~= '' then store(ARGV[1], ARGV[5]) end
finish(ARGV[1], 'running', ARGV[3], ARGV[4], tonumber(ARGV[6]), tonumber(ARGV[7]))
return 1`);

/** ARGV: id, "shared" to spare what was asked for more than once, time to live, room. Returns the task as it is then. */
export const CANCEL = script(`
local task = read(ARGV[1])
if not task or not isOpen(task) or (ARGV[2] == 'shared' and tonumber(task[12]) > 1) then return task end
finish(ARGV[1], task[4], 'cancelled', '', tonumber(ARGV[3]), tonumber(ARGV[4]))
return read(ARGV[1])`);

/** ARGV: id. Returns the task as it was. Of one that runs nothing is left to write to: its executor is told, and ends. */
export const FORGET = script(`
local task = read(ARGV[1])
forget(ARGV[1])
return task`);

/** ARGV: room. Forgets what has expired, and what the room has become too small for. Returns how much is left to forget. */
export const PURGE = script(`
purge()
makeRoom(tonumber(ARGV[1]), '')
return redis.call('ZCOUNT', P .. 'expiring', '-inf', text(now))`);

/**
 * ARGV: where to go on in the key space, "0" to begin. Removes chunks that no task counts: nothing here leaves any, but
 * what a restart has lost may. Returns where to go on.
 */
export const SWEEP = script(`
local page = redis.call('SCAN', ARGV[1], 'MATCH', P .. 'result:*', 'COUNT', 500)
for _, key in ipairs(page[2]) do
  local id, chunk = string.match(key, ':([^:]+):(%d+)$')
  local stored = id and tonumber(redis.call('HGET', P .. 'task:' .. id, 'stored') or 0)
  if stored and chunk * ${RESULT_CHUNK_BYTES} >= stored then redis.call('UNLINK', key) end
end
return page[1]`);

/** ARGV: the limits of this process as text, time to live. Returns those that hold: the first to say any has said them. */
export const AGREE = script(`
local known = redis.call('GET', P .. 'limits')
if known and known ~= ARGV[1] then return known end
redis.call('PERSIST', P .. 'limits')
redis.call('SET', P .. 'limits', ARGV[1], 'PX', ARGV[2])
return ARGV[1]`);
