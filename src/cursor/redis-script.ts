/**
 * The rules of moves.ts, written once more in Lua because they must run where the positions are; a test holds the two
 * against each other.
 *
 * A script does a group: it reads all cursors that the group names, applies the requests in order, and writes each
 * cursor that has changed once. What could fail does so before anything is written: keys of another type in the reads,
 * and a full Redis in the first write.
 *
 *   PREFIX:cursor             hash    generation, index: the default cursor
 *   PREFIX:cursor:keys        hash    digest of a key, in hex → operation and index answered, "made" if it made the cursor
 *   PREFIX:cursor:ring        list    those digests, the newest first
 *   PREFIX:cursors:NAME       hash    generation, index, movedAt; its keys and its ring beside it in the same way
 *   PREFIX:names              zset    names, all with the score 0: in the order of their bytes, and counted. No clients.
 *   PREFIX:generation         string  the last generation of any cursor with a name
 *   PREFIX:clients:new        zset    clients whose cookie has not come back, by the time at which it was set
 *   PREFIX:clients:back       zset    clients whose cookie has, by the time at which it was set last
 *   PREFIX:moves              channel names that have changed, a space between them, once for each group. No clients.
 *
 * All times are Redis's own, in ms.
 * @module
 */
import { CLIENT_PREFIX, DEFAULT_NAME } from "../cursor-name.ts";
import { defineScript } from "../redis/connection.ts";
import { EXPIRED_COUNT, LEAVING_COUNT_MAX, RENEW_MS, STRANGER_MS } from "./policy.ts";
import { RING_COUNT } from "./record.ts";

/** What the script says of a request: the first of its three numbers, without {@link FLAGS}. */
export const VERDICTS = {
  done: 0,
  replayed: 1,
  keyReused: 2,
  moved: 3,
  end: 4,
  start: 5,
  outOfRange: 6,
  exists: 7,
  gone: 8,
  unknown: 9,
  permanent: 10,
  tooManyCursors: 11,
  tooManyClients: 12,
  full: 13,
} as const;

/** What is added to a verdict. */
export const FLAGS = { isNew: 16, renewsCookie: 32 } as const;

/** Makes the default cursor unless there is one. */
export const CREATE_SCRIPT = defineScript(`if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[1] .. ':keys', KEYS[1] .. ':ring')
redis.call('HSET', KEYS[1], 'generation', 1, 'index', 0)
return 1`);

/** A page of names with their indices and times, in one row; nothing when there is no default cursor. */
export const LIST_SCRIPT = defineScript(`if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local reply = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[2], ARGV[1], ARGV[2], 'BYLEX', 'LIMIT', 0, ARGV[3])) do
  local found = redis.call('HMGET', KEYS[1] .. 's:' .. name, 'index', 'movedAt')
  if found[1] then
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = name, found[1], found[2] or '0'
  end
end
return reply`);

/**
 * Before the first write. A full Redis refuses a first write that may need memory, and lets a script go on
 * that has written something which needs none. So it is asked by writing nothing in that way, and then told of a write
 * that needs none: moves go on, they take no memory for long; only what makes a cursor is refused.
 */
const WRITE = `local hasNames, full = ARGV[5] ~= '1'
local function isFull()
  if full == nil then
    local probe = hasNames and redis.pcall('SETRANGE', KEYS[3], 0, '')
    full = type(probe) == 'table' and string.find(probe.err, 'OOM', 1, true) ~= nil
    redis.call('PERSIST', KEYS[1])
  end
  return full
end
local function write(...)
  isFull()
  return redis.call(...)
end
local function text(number) return string.format('%.0f', number) end`;

/**
 * Reads all cursors of a group. The default one is always the first. What is of another type than ours fails here.
 */
const READ = `local last, cursorsMax, clientsMax, ttlMs = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local nowMs, generation, namedCount, clientCount = 0, 0, 0, 0
if hasNames then
  local time = redis.call('TIME')
  nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
  generation = tonumber(redis.call('GET', KEYS[3]) or 0)
  namedCount = redis.call('ZCARD', KEYS[2])
  clientCount = redis.call('ZCARD', KEYS[4]) + redis.call('ZCARD', KEYS[5])
end
local function cursorOf(name)
  local isDefault = name == '${DEFAULT_NAME}'
  return {
    name = name, isDefault = isDefault, key = isDefault and KEYS[1] or KEYS[1] .. 's:' .. name,
    isClient = string.sub(name, 1, ${CLIENT_PREFIX.length}) == '${CLIENT_PREFIX}',
  }
end
local cursors, byPlace, byName, first = {}, {}, {}, 6 + ARGV[5]
for i = 1, tonumber(ARGV[5]) do
  local cursor = cursorOf(ARGV[5 + i])
  local found = redis.call('HMGET', cursor.key, 'generation', 'index')
  cursor.generation, cursor.index = tonumber(found[1]), tonumber(found[2])
  if cursor.isDefault and not (cursor.generation and cursor.index) then return false end
  if cursor.isClient then
    cursor.setMs = tonumber(redis.call('ZSCORE', KEYS[5], cursor.name))
    if not cursor.setMs then
      cursor.setMs, cursor.isUnreturned = tonumber(redis.call('ZSCORE', KEYS[4], cursor.name)), true
    end
    if not cursor.setMs then cursor.index = nil end
  end
  cursors[i], byPlace[tostring(i)], byName[cursor.name] = cursor, cursor, cursor
end
for at = first, #ARGV, 5 do
  if ARGV[at + 3] ~= '' then
    local cursor = byPlace[ARGV[at]]
    if not cursor.isChecked then
      redis.call('HLEN', cursor.key .. ':keys')
      redis.call('LLEN', cursor.key .. ':ring')
      cursor.isChecked = true
    end
  end
end`;

/** How cursors come and go. */
const MAKE = `local function remove(cursor)
  write('DEL', cursor.key, cursor.key .. ':keys', cursor.key .. ':ring')
  if cursor.isClient then
    write('ZREM', KEYS[4], cursor.name)
    write('ZREM', KEYS[5], cursor.name)
    clientCount = clientCount - 1
  else
    write('ZREM', KEYS[2], cursor.name)
    namedCount = namedCount - 1
  end
  cursor.index, cursor.generation, cursor.hasChanged = nil, nil, true
end
local function leave(key, beforeMs, count)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', text(beforeMs), 'LIMIT', 0, count)) do
    remove(byName[name] or cursorOf(name))
  end
end
local function tooManyCount() return math.min(${LEAVING_COUNT_MAX}, clientCount - clientsMax + 1) end
local function make(cursor)
  if cursor.isClient then
    leave(KEYS[4], nowMs - ttlMs, math.max(${EXPIRED_COUNT}, tooManyCount()))
    leave(KEYS[5], nowMs - ttlMs, math.max(${EXPIRED_COUNT}, tooManyCount()))
    if isFull() then return ${VERDICTS.full} end
    if clientCount >= clientsMax then leave(KEYS[4], nowMs - ${STRANGER_MS}, tooManyCount()) end
    if clientCount >= clientsMax then return ${VERDICTS.tooManyClients} end
    write('ZADD', KEYS[4], text(nowMs), cursor.name)
    cursor.setMs, cursor.isUnreturned, clientCount = nowMs, true, clientCount + 1
  else
    if namedCount >= cursorsMax then return ${VERDICTS.tooManyCursors} end
    if isFull() then return ${VERDICTS.full} end
    write('ZADD', KEYS[2], 0, cursor.name)
    namedCount = namedCount + 1
  end
end
local function meet(cursor)
  if cursor.setMs <= nowMs - ttlMs then
    remove(cursor)
  elseif cursor.isUnreturned then
    write('ZREM', KEYS[4], cursor.name)
    write('ZADD', KEYS[5], text(cursor.setMs), cursor.name)
    cursor.isUnreturned = false
  end
end
local function renew(cursor)
  if nowMs - cursor.setMs < math.min(${RENEW_MS}, ttlMs / 2) then return 0 end
  cursor.setMs = nowMs
  write('ZADD', KEYS[5], text(nowMs), cursor.name)
  return ${FLAGS.renewsCookie}
end`;

/**
 * Applies requests in order, as `applyRequest` does. What is replayed is written once more: WAIT asks for what its own
 * connection has written, and the move may be another front's, which no replica has yet.
 */
const APPLY = `local function refusalOf(cursor, operation, wanted)
  local isThere = cursor.index ~= nil
  if isThere and string.sub(wanted, 1, 1) == '!' then return ${VERDICTS.exists} end
  local condition = string.gsub(wanted, '^!', '')
  if condition ~= '' then
    if not isThere then return ${VERDICTS.gone} end
    local named = string.find(condition, ',' .. text(cursor.generation) .. ',', 1, true)
    if condition ~= 'any' and not named then return ${VERDICTS.moved} end
  end
  if operation == 'remove' then
    return not isThere and ${VERDICTS.unknown} or cursor.isDefault and ${VERDICTS.permanent}
  end
  return not isThere and operation == 'previous' and ${VERDICTS.start}
end
local function boundOf(operation, from, goal)
  if operation == 'set' then return (goal < 0 or goal > last) and ${VERDICTS.outOfRange} end
  if operation == 'next' then return from >= last and ${VERDICTS.end} end
  return goal < 0 and ${VERDICTS.start}
end
local function remember(cursor, digest, operation, isNew)
  write('HSET', cursor.key .. ':keys', digest, operation .. ' ' .. text(cursor.index) .. (isNew and ' made' or ''))
  if write('LPUSH', cursor.key .. ':ring', digest) > ${RING_COUNT} then
    write('HDEL', cursor.key .. ':keys', write('RPOP', cursor.key .. ':ring'))
  end
end
local function move(cursor, goal)
  local flags = not cursor.index and ${FLAGS.isNew} or cursor.isClient and renew(cursor) or 0
  if cursor.isDefault then
    cursor.generation = cursor.generation + 1
  else
    generation = generation + 1
    cursor.generation, cursor.hasMoved = generation, true
  end
  cursor.index, cursor.isDue, cursor.hasChanged = goal, true, true
  return flags
end
local function apply(cursor, operation, target, digest, wanted)
  if cursor.index and cursor.isClient then meet(cursor) end
  if operation == 'current' then return cursor.index and ${VERDICTS.done} or ${VERDICTS.unknown}, cursor.index end
  local known = digest ~= '' and cursor.index and redis.call('HGET', cursor.key .. ':keys', digest)
  if known then
    local did, where, made = string.match(known, '^(%a+) (%d+)(.*)$')
    if did ~= operation or (did == 'set' and where ~= target) then return ${VERDICTS.keyReused} end
    cursor.isDue = true
    return ${VERDICTS.replayed} + (made ~= '' and ${FLAGS.isNew} or 0), tonumber(where)
  end
  local refusal = (wanted ~= '' or not cursor.index or operation == 'remove') and refusalOf(cursor, operation, wanted)
  if refusal then return refusal end
  local from = cursor.index or 0
  if operation == 'remove' then
    local stoodAt = cursor.generation
    remove(cursor)
    return ${VERDICTS.done}, from, stoodAt
  end
  local goal = operation == 'next' and from + 1 or operation == 'previous' and from - 1 or tonumber(target)
  refusal = boundOf(operation, from, goal) or (not cursor.index and make(cursor))
  if refusal then return refusal end
  local flags = move(cursor, goal)
  if digest ~= '' then remember(cursor, digest, operation, flags == ${FLAGS.isNew}) end
  return ${VERDICTS.done} + flags, goal
end`;

/** Writes what has changed. The counter goes first: no generation comes twice. */
const RUN = `local reply, count, changed, before, movedAt = {}, 0, {}, generation, text(nowMs)
for at = first, #ARGV, 5 do
  local cursor = byPlace[ARGV[at]]
  local verdict, index, stoodAt = apply(cursor, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  reply[count + 1], reply[count + 2] = verdict, index or cursor.index or 0
  reply[count + 3] = stoodAt or cursor.generation or 0
  count = count + 3
end
if generation > before then write('SET', KEYS[3], text(generation)) end
for _, cursor in ipairs(cursors) do
  if cursor.isDue and cursor.index then
    local where = { 'HSET', cursor.key, 'generation', text(cursor.generation), 'index', text(cursor.index) }
    if cursor.hasMoved and not cursor.isClient then where[7], where[8] = 'movedAt', movedAt end
    write(unpack(where))
  end
  if cursor.hasChanged and not cursor.isClient then changed[#changed + 1] = cursor.name end
end
if #changed > 0 then redis.call('PUBLISH', KEYS[6], table.concat(changed, ' ')) end
return reply`;

/** Applies a group: three numbers for each request (verdict, index, generation), or nothing without a default cursor. */
export const APPLY_SCRIPT = defineScript([WRITE, READ, MAKE, APPLY, RUN].join("\n"));
