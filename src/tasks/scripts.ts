/**
 * Tasks and results in Redis: each step of a task's life is one script, so nobody sees half of one.
 *
 *   fibserver:task:ID          hash    the task; `read` lists the fields
 *   fibserver:tasks:STATE      zset    the ids in a state; all scores 0, so they stand in the order of the ids
 *   fibserver:task-keys        hash    what is computed → id: the same computation is one task
 *   fibserver:expiring         zset    finished ids by the time when they are forgotten
 *   fibserver:stored           zset    ids with a stored result, by the time of their end
 *   fibserver:stored-bytes     string  how many bytes those have
 *   fibserver:result:ID:N      string  chunk N of a result
 *   fibserver:changes          channel "ID STATE" after each change
 *
 * This, not the queue, is the truth about a task; the queue only brings ids to executors. So what it
 * brings twice is done once: only one `finish` finds the task unfinished. All times are those of
 * Redis: machines disagree. What has expired is forgotten by the scripts and not by Redis's own
 * expiry, because the byte count must follow. A chunk has one nevertheless, for that of a
 * result which nobody finished.
 * @module
 */
import { defineScript } from "../redis/connection.ts";

/** Bytes of a chunk: a read that the contract allows touches two at most. */
export const RESULT_CHUNK_BYTES = 256 * 1024;
/** A chunk outlives what it can belong to by this much. */
export const CHUNK_TTL_EXTRA_MS = 24 * 3600 * 1000;
/** Expired tasks that one script forgets: the work of a script has a limit. */
const PURGE_COUNT_MAX = 20;

const PRELUDE = `
local P = 'fibserver:'
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
-- A front of an earlier version counts nothing.
local function requests(task) return tonumber(task[12] or 1) end
local function move(id, from, to)
  redis.call('ZREM', P .. 'tasks:' .. from, id)
  redis.call('ZADD', P .. 'tasks:' .. to, 0, id)
  redis.call('HSET', P .. 'task:' .. id, 'state', to)
end
local function tell(id, state) redis.call('PUBLISH', P .. 'changes', id .. ' ' .. state) end
local function release(id, key)
  if redis.call('HGET', P .. 'task-keys', key) == id then redis.call('HDEL', P .. 'task-keys', key) end
end
local function forget(id)
  local task = redis.call('HMGET', P .. 'task:' .. id, 'key', 'state', 'stored')
  redis.call('ZREM', P .. 'expiring', id)
  if not task[1] then return end
  redis.call('ZREM', P .. 'tasks:' .. task[2], id)
  release(id, task[1])
  local stored = tonumber(task[3] or 0)
  if stored > 0 then
    redis.call('ZREM', P .. 'stored', id)
    redis.call('DECRBY', P .. 'stored-bytes', text(stored))
    for chunk = 0, math.ceil(stored / ${RESULT_CHUNK_BYTES}) - 1 do redis.call('UNLINK', P .. 'result:' .. id .. ':' .. chunk) end
  end
  redis.call('DEL', P .. 'task:' .. id)
  tell(id, 'forgotten')
end
local function purge()
  local expired = redis.call('ZRANGE', P .. 'expiring', '-inf', text(now), 'BYSCORE', 'LIMIT', 0, ${PURGE_COUNT_MAX})
  for _, id in ipairs(expired) do forget(id) end
end
local function finish(id, from, to, reason, ttl)
  move(id, from, to)
  redis.call('HSET', P .. 'task:' .. id, 'finished', text(now), 'expires', text(now + ttl))
  if reason ~= '' then redis.call('HSET', P .. 'task:' .. id, 'reason', reason) end
  redis.call('ZADD', P .. 'expiring', text(now + ttl), id)
  if to == 'ready' then redis.call('HSET', P .. 'task:' .. id, 'progress', '1')
  else release(id, redis.call('HGET', P .. 'task:' .. id, 'key')) end
  tell(id, to)
end
`;

const script = (body: string) => defineScript(PRELUDE + body);

/** ARGV: most tasks that wait or run, then id, key and size of each. Returns a pair for each: 1 made, 0 found, -1 refused; the task. */
export const CREATE = script(`
purge()
local open = redis.call('ZCARD', P .. 'tasks:queued') + redis.call('ZCARD', P .. 'tasks:running')
local reply = {}
for at = 2, #ARGV, 3 do
  local id, key, size = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local known = redis.call('HGET', P .. 'task-keys', key)
  local task, made = known and read(known), 0
  if not task then
    if known then forget(known) end
    made = -1
    if open < tonumber(ARGV[1]) then
      open, made = open + 1, 1
      redis.call('HSET', P .. 'task:' .. id, 'key', key, 'size', size, 'state', 'queued', 'progress', '0',
        'attempts', '0', 'created', text(now), 'requests', '1')
      redis.call('HSET', P .. 'task-keys', key, id)
      redis.call('ZADD', P .. 'tasks:queued', 0, id)
      task = read(id)
    end
  elseif isOpen(task) then
    redis.call('HSET', P .. 'task:' .. known, 'requests', text(requests(task) + 1))
    task = read(known)
  end
  reply[#reply + 1] = { made, task }
end
return reply`);

export const FIND = script(`return read(ARGV[1])`);

/** ARGV: the state or "", the id to begin behind or "", how many. */
export const LIST = script(`
local ids = {}
local states = ARGV[1] ~= '' and { ARGV[1] } or { 'queued', 'running', 'ready', 'failed', 'cancelled' }
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
for _, state in ipairs(states) do
  for _, id in ipairs(redis.call('ZRANGE', P .. 'tasks:' .. state, from, '+', 'BYLEX', 'LIMIT', 0, ARGV[3])) do
    ids[#ids + 1] = id
  end
end
table.sort(ids)
local reply = {}
for _, id in ipairs(ids) do
  local task = #reply < tonumber(ARGV[3]) and read(id)
  if task then reply[#reply + 1] = task end
end
return reply`);

/** ARGV: id, most attempts, time to live. Returns the task that is to be computed now, or nothing. */
export const BEGIN = script(`
local task = read(ARGV[1])
if not task or not isOpen(task) then return false end
local attempts = tonumber(task[6])
if attempts >= tonumber(ARGV[2]) then
  finish(ARGV[1], task[4], 'failed', 'its executor died ' .. text(attempts) .. ' times', tonumber(ARGV[3]))
  return false
end
move(ARGV[1], task[4], 'running')
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', '0', 'attempts', text(attempts + 1), 'started', text(now))
tell(ARGV[1], 'running')
return read(ARGV[1])`);

/** ARGV: id, the fraction that is done. */
export const PROGRESS = script(`
if redis.call('HGET', P .. 'task:' .. ARGV[1], 'state') ~= 'running' then return 0 end
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', ARGV[2])
tell(ARGV[1], 'running')
return 1`);

/** ARGV: id. The executor gives it back, as if it had not been begun. */
export const REQUEUE = script(`
if redis.call('HGET', P .. 'task:' .. ARGV[1], 'state') ~= 'running' then return 0 end
move(ARGV[1], 'running', 'queued')
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', '0')
redis.call('HDEL', P .. 'task:' .. ARGV[1], 'started')
redis.call('HINCRBY', P .. 'task:' .. ARGV[1], 'attempts', -1)
tell(ARGV[1], 'queued')
return 1`);

/**
 * ARGV: time to live, room for results, then for each task its id, "ready" or "failed", the reason, the bytes that are
 * stored, and the text of a result that is one chunk (or ""). Chunks of a longer one have been written before.
 */
export const FINISH = script(`
local ttl, room = tonumber(ARGV[1]), tonumber(ARGV[2])
purge()
for at = 3, #ARGV, 5 do
  local id, to, reason, stored, chunk = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4]
  local task = read(id)
  if task and isOpen(task) then
    -- What is computed at once is begun and finished in one step.
    if task[4] == 'queued' then redis.call('HSET', P .. 'task:' .. id, 'attempts', text(task[6] + 1), 'started', text(now)) end
    if chunk ~= '' then redis.call('SET', P .. 'result:' .. id .. ':0', chunk, 'PX', text(ttl + ${CHUNK_TTL_EXTRA_MS})) end
    finish(id, task[4], to, reason, ttl)
    if stored > 0 then
      redis.call('HSET', P .. 'task:' .. id, 'stored', text(stored))
      redis.call('ZADD', P .. 'stored', text(now), id)
      local total = redis.call('INCRBY', P .. 'stored-bytes', text(stored))
      while total > room do
        local oldest = redis.call('ZRANGE', P .. 'stored', 0, 0)[1]
        if not oldest or oldest == id then break end
        forget(oldest)
        total = tonumber(redis.call('GET', P .. 'stored-bytes'))
      end
    end
  end
end
return 1`);

/** ARGV: id, time to live, "shared" to spare what was asked for more than once. Returns the task as it is then. */
export const CANCEL = script(`
local task = read(ARGV[1])
if not task or not isOpen(task) or (ARGV[3] == 'shared' and requests(task) > 1) then return task end
finish(ARGV[1], task[4], 'cancelled', '', tonumber(ARGV[2]))
return read(ARGV[1])`);

/** ARGV: id. Returns the task as it was. Of one that runs nothing is left to write to: its executor is told, and ends. */
export const FORGET = script(`
local task = read(ARGV[1])
forget(ARGV[1])
return task`);

export const PURGE = script(`purge() return redis.call('ZCOUNT', P .. 'expiring', '-inf', text(now))`);
