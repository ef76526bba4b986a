/**
 * The steps of a task's life in Redis: each is one script, so nobody sees half of one. `script-base.ts` says where things lie.
 * @module
 */
import { PAGE_CHARS_MAX } from "./queue.ts";
import { KEPT_BYTES_MIN, RESULT_CHUNK_BYTES, stepScript } from "./script-base.ts";

/** Ids that can be told apart within a millisecond. */
const IDS_PER_MS = 1024;

/**
 * ARGV: most tasks that wait or run, time to live, room, then for each task its key, size, who asks, the random part of
 * its id, of one that is computed already "ready" or "failed", the reason, and the digits, then the id of the request
 * that makes it and its traceparent; what there is none of is "". Returns a pair for each:
 * 1 made, 0 found, -1 refused; the task. Nobody has more that wait or run than are still free, as with `Shares`; a long request counts as several (`weightOf`).
 */
export const CREATE = stepScript(`
purge()
local open = redis.call('ZCARD', P .. 'tasks:queued') + redis.call('ZCARD', P .. 'tasks:running')
-- Where nothing is open nothing counts for more than one, whatever a failover has lost.
local counted = tonumber(redis.call('GET', P .. 'open-more') or 0)
local more = open > 0 and counted or 0
open = open + more
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
local function isGreedy(holder, weight)
  local held, free = tonumber(redis.call('HGET', P .. 'holders', holder) or 0), tasksMax - open
  -- One that counts for more than there is can be had alone.
  return open > 0 and (weight > free or (held > 0 and held + weight > free))
end
for at = 4, #ARGV, 9 do
  local key, size, holder, random, to, reason, digits, origin, traceparent = unpack(ARGV, at, at + 8)
  local known = redis.call('HGET', P .. 'task-keys', key)
  local task, made = known and read(known), 0
  local weight = weightOf(#key)
  if not task and to == '' and isGreedy(holder, weight) then
    made = -1
  elseif not task then
    if known then forget(known) end
    made = 1
    local id = insert(key, size, random)
    if origin ~= '' then redis.call('HSET', P .. 'task:' .. id, 'origin', origin) end
    if traceparent ~= '' then redis.call('HSET', P .. 'task:' .. id, 'traceparent', traceparent) end
    if to == '' then
      open = open + weight
      redis.call('HSET', P .. 'task:' .. id, 'holder', holder)
      redis.call('HINCRBY', P .. 'holders', holder, weight)
      more = more + weight - 1
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
if more ~= counted then redis.call('SET', P .. 'open-more', text(more)) end
return reply`);

export const FIND = stepScript(`return read(ARGV[1])`);

/** ARGV: the states. Returns how many tasks are in each, how long the oldest that is queued has waited, and what is kept. */
export const COUNT = stepScript(`
local reply = {}
for i, state in ipairs(ARGV) do reply[i] = redis.call('ZCARD', P .. 'tasks:' .. state) end
local oldest = redis.call('ZRANGE', P .. 'tasks:queued', 0, 0)[1]
local created = oldest and redis.call('HGET', P .. 'task:' .. oldest, 'created')
reply[#reply + 1] = created and math.max(0, now - created) or 0
reply[#reply + 1] = keptBytes()
return reply`);

/**
 * ARGV: the state or "", the id to begin behind or "", how many, the order. What has expired takes nobody's place; see
 * `isFullPage`.
 */
export const LIST = stepScript(`
local ids = P .. (ARGV[1] == '' and 'tasks' or 'tasks:' .. ARGV[1])
local isNewest = ARGV[4] == 'newest'
local first, last = '-', '+'
if isNewest then first, last = last, first end
local from, limit, reply, chars = ARGV[2] == '' and first or '(' .. ARGV[2], tonumber(ARGV[3]), {}, 0
repeat
  local range = {'ZRANGE', ids, from, last, 'BYLEX', 'LIMIT', 0, limit, isNewest and 'REV' or nil}
  local page = redis.call(unpack(range))
  for _, id in ipairs(page) do
    local task = #reply < limit and chars < ${PAGE_CHARS_MAX} and read(id)
    if task then
      reply[#reply + 1] = task
      chars = chars + #task[2]
    end
    from = '(' .. id
  end
until #reply == limit or #page < limit or chars >= ${PAGE_CHARS_MAX}
return reply`);

/**
 * ARGV: id, most attempts, time to live, room, then the kinds that the executor knows. Returns the task that is to be
 * computed now, or has failed by this; or nothing; or 0 for a kind that is not among them.
 */
export const BEGIN = stepScript(`
local task = read(ARGV[1])
if not task or not isOpen(task) then return false end
local isKnown = false
for at = 5, #ARGV do isKnown = isKnown or string.match(task[2], '^%S*') == ARGV[at] end
if not isKnown then return 0 end
local attempts = tonumber(task[6])
if attempts >= tonumber(ARGV[2]) then
  local reason = 'its executor died ' .. text(attempts) .. ' times'
  finish(ARGV[1], task[4], 'failed', reason, tonumber(ARGV[3]), tonumber(ARGV[4]))
  return read(ARGV[1])
end
move(ARGV[1], task[4], 'running')
drop(ARGV[1])
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', '0', 'attempts', text(attempts + 1), 'started', text(now))
tell(ARGV[1], 'running')
return read(ARGV[1])`);

/** ARGV: id, attempt, the fraction that is done. Returns 0, as all that name an attempt do, when it is over. */
export const PROGRESS = stepScript(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', ARGV[3])
tell(ARGV[1], 'running')
return 1`);

/** ARGV: id, attempt. The executor gives it back, as if it had not been begun. */
export const REQUEUE = stepScript(`
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
export const RESERVE = stepScript(`
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
export const UNRESERVE = stepScript(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
drop(ARGV[1])
return 1`);

/** ARGV: id, attempt, which chunk, its text. */
export const PUT_CHUNK = stepScript(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
redis.call('SET', P .. 'result:' .. ARGV[1] .. ':' .. ARGV[3], ARGV[4])
return 1`);

/**
 * ARGV: id, attempt, "ready" or "failed", the reason, how many digits there are, the digits of a result that is one chunk
 * (or ""), time to live, room. A longer one has been written before; returns -1 when it is not all there.
 */
export const FINISH = stepScript(`
if not isRunning(ARGV[1], ARGV[2]) then return 0 end
if ARGV[6] ~= '' then store(ARGV[1], ARGV[6]) end
if ARGV[3] == 'ready' and not isWhole(ARGV[1], tonumber(ARGV[5])) then return -1 end
finish(ARGV[1], 'running', ARGV[3], ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8]))
return 1`);

/**
 * ARGV: id, "shared" to spare what was asked for more than once, time to live, room. Returns the task as it is then, and
 * 1 when it is this that has ended it.
 */
export const CANCEL = stepScript(`
local task = read(ARGV[1])
if not task or not isOpen(task) or (ARGV[2] == 'shared' and tonumber(task[12]) > 1) then return { task, 0 } end
finish(ARGV[1], task[4], 'cancelled', '', tonumber(ARGV[3]), tonumber(ARGV[4]))
return { read(ARGV[1]), 1 }`);

/** ARGV: id. Returns the task as it was. Of one that runs nothing is left to write to: its executor is told, and ends. */
export const FORGET = stepScript(`
local task = read(ARGV[1])
forget(ARGV[1])
return task`);

/**
 * Counts anew what waits and runs, where long requests count as several: a process of a version that counts each as one
 * gives too little back when it ends such a task. 10,000 of them cost Redis 20 ms.
 */
export const RECOUNT = stepScript(`
if tonumber(redis.call('GET', P .. 'open-more') or 0) == 0 then return 0 end
local holders, more = {}, 0
for _, state in ipairs({'queued', 'running'}) do
  for _, id in ipairs(redis.call('ZRANGE', P .. 'tasks:' .. state, 0, -1)) do
    local holder = redis.call('HGET', P .. 'task:' .. id, 'holder')
    local weight = weightOf(redis.call('HSTRLEN', P .. 'task:' .. id, 'key'))
    if holder then holders[holder] = (holders[holder] or 0) + weight end
    more = more + weight - 1
  end
end
redis.call('DEL', P .. 'holders')
for holder, weight in pairs(holders) do redis.call('HSET', P .. 'holders', holder, text(weight)) end
redis.call('SET', P .. 'open-more', text(more))
return 1`);

/** ARGV: room. Forgets some of what has expired, and of what the room has become too small for. Returns 1 when there may be more. */
export const PURGE = stepScript(`
purge()
local room = tonumber(ARGV[1])
makeRoom(room, '')
local isMore = redis.call('ZCOUNT', P .. 'expiring', '-inf', text(now)) > 0 or
  (keptBytes() > room and redis.call('ZCARD', P .. 'expiring') > 0)
return isMore and 1 or 0`);

/**
 * ARGV: where to go on in the key space, "0" to begin. Removes chunks that no task counts: nothing here leaves any, but
 * what a restart has lost may. Returns where to go on.
 */
export const SWEEP = stepScript(`
local page = redis.call('SCAN', ARGV[1], 'MATCH', P .. 'result:*', 'COUNT', 500)
for _, key in ipairs(page[2]) do
  local id, chunk = string.match(key, ':([^:]+):(%d+)$')
  local stored = id and tonumber(redis.call('HGET', P .. 'task:' .. id, 'stored') or 0)
  if stored and chunk * ${RESULT_CHUNK_BYTES} >= stored then redis.call('UNLINK', key) end
end
return page[1]`);

/** ARGV: the limits of this process as text, time to live. Returns those that hold: of whoever has said any first. */
export const AGREE = stepScript(`
local known = redis.call('GET', P .. 'limits')
if known and known ~= ARGV[1] then return known end
-- This needs no memory, so a full Redis lets the rest pass.
redis.call('PERSIST', P .. 'limits')
redis.call('SET', P .. 'limits', ARGV[1], 'PX', ARGV[2])
return ARGV[1]`);
