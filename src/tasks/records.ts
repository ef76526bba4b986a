/**
 * Tasks and results in Redis: each step of a task's life is one script, so nobody sees half of one.
 *
 *   fibserver:task:ID          hash    the task; see FIELDS
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
import type { Digits } from "../numbers/decimal.ts";
import { defineScript, type RedisConnection, type Script } from "../redis/connection.ts";
import type { TaskFilter, TaskLimits } from "./queue.ts";
import { requestKey, requestOfKey, type Task, type TaskRequest, type TaskState } from "./task.ts";

/** Where changes are told. */
export const CHANGES_CHANNEL = "fibserver:changes";
/** Bytes of a chunk: a read that the contract allows touches two at most. */
const CHUNK_BYTES = 256 * 1024;
/** A chunk outlives what it can belong to by this much. */
const CHUNK_TTL_EXTRA_MS = 24 * 3600 * 1000;
/** Expired tasks that one script forgets: the work of a script has a limit. */
const PURGE_COUNT_MAX = 20;

const PRELUDE = `
local P = 'fibserver:'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local function read(id)
  local task = redis.call('HMGET', P .. 'task:' .. id, 'key', 'size', 'state', 'progress', 'attempts',
    'created', 'started', 'finished', 'expires', 'reason')
  if not task[1] or (task[9] and tonumber(task[9]) <= now) then return false end
  table.insert(task, 1, id)
  return task
end
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
    for chunk = 0, math.ceil(stored / ${CHUNK_BYTES}) - 1 do redis.call('UNLINK', P .. 'result:' .. id .. ':' .. chunk) end
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
const CREATE = script(`
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
        'attempts', '0', 'created', text(now))
      redis.call('HSET', P .. 'task-keys', key, id)
      redis.call('ZADD', P .. 'tasks:queued', 0, id)
      task = read(id)
    end
  end
  reply[#reply + 1] = { made, task }
end
return reply`);

const FIND = script(`return read(ARGV[1])`);

/** ARGV: the state or "", the id to begin behind or "", how many. */
const LIST = script(`
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
const BEGIN = script(`
local task = read(ARGV[1])
if not task or (task[4] ~= 'queued' and task[4] ~= 'running') then return false end
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
const PROGRESS = script(`
if redis.call('HGET', P .. 'task:' .. ARGV[1], 'state') ~= 'running' then return 0 end
redis.call('HSET', P .. 'task:' .. ARGV[1], 'progress', ARGV[2])
tell(ARGV[1], 'running')
return 1`);

/** ARGV: id. The executor gives it back, as if it had not been begun. */
const REQUEUE = script(`
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
const FINISH = script(`
local ttl, room = tonumber(ARGV[1]), tonumber(ARGV[2])
purge()
for at = 3, #ARGV, 5 do
  local id, to, reason, stored, chunk = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4]
  local task = read(id)
  if task and (task[4] == 'queued' or task[4] == 'running') then
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

/** ARGV: id, time to live. Returns what has become of it and the task. */
const REMOVE = script(`
local task = read(ARGV[1])
if not task then return false end
if task[4] == 'queued' or task[4] == 'running' then
  finish(ARGV[1], task[4], 'cancelled', '', tonumber(ARGV[2]))
  return { 'cancelled', read(ARGV[1]) }
end
forget(ARGV[1])
return { 'forgotten', task }`);

const PURGE = script(`purge() return redis.call('ZCOUNT', P .. 'expiring', '-inf', text(now))`);

/** What a computation came to; the text of a result of one chunk travels with it. */
export interface Finished {
  readonly id: string;
  readonly failure?: string;
  readonly digits?: Digits | undefined;
}

/** A task as the scripts return it: id, key, size, state, progress, attempts, four times, reason. */
type Row = readonly (string | null)[];

/** The tasks in one Redis. */
export class TaskRecords {
  readonly #redis: RedisConnection;
  readonly #limits: TaskLimits;

  constructor(redis: RedisConnection, limits: TaskLimits) {
    this.#redis = redis;
    this.#limits = limits;
  }

  /** Makes tasks, or finds those that are there; "full" for one too many. */
  async create(
    wanted: readonly { readonly request: TaskRequest; readonly sizeBytes: number }[],
  ): Promise<({ readonly task: Task; readonly created: boolean } | "full")[]> {
    const args = [String(this.#limits.tasksMax)];
    for (const { request, sizeBytes } of wanted) {
      args.push(Bun.randomUUIDv7(), requestKey(request), String(sizeBytes));
    }
    const reply = (await this.#run(CREATE, ...args)) as [number, Row][];
    return reply.map(([made, row]) => (made < 0 ? "full" : { task: taskOf(row), created: made === 1 }));
  }

  async find(id: string): Promise<Task | undefined> {
    const row = (await this.#run(FIND, id)) as Row | null;
    return row === null ? undefined : taskOf(row);
  }

  async list({ state, after = "", limit }: TaskFilter): Promise<Task[]> {
    const rows = (await this.#run(LIST, state ?? "", after, String(limit))) as Row[];
    return rows.map(taskOf);
  }

  /** Marks a task as running; undefined when there is nothing to compute any more. */
  async begin(id: string): Promise<Task | undefined> {
    const { attemptsMax, resultTtlMs } = this.#limits;
    const row = (await this.#run(BEGIN, id, String(attemptsMax), String(resultTtlMs))) as Row | null;
    return row === null ? undefined : taskOf(row);
  }

  async progress(id: string, fraction: number): Promise<void> {
    await this.#run(PROGRESS, id, String(fraction));
  }

  async requeue(id: string): Promise<void> {
    await this.#run(REQUEUE, id);
  }

  /** Writes the chunks of a long result, which nobody sees until {@link finish}. */
  async putChunks(id: string, digits: Digits): Promise<void> {
    if (digits.length <= CHUNK_BYTES) return;
    const ttl = String(this.#limits.resultTtlMs + CHUNK_TTL_EXTRA_MS);
    for (let at = 0; at < digits.length; at += CHUNK_BYTES) {
      await this.#redis.send("SET", [chunkKey(id, at), textAt(digits, at), "PX", ttl]);
    }
  }

  /** Ends tasks, each with all of its result in one step; one that has ended already stays as it is. */
  async finish(finished: readonly Finished[]): Promise<void> {
    const args = [String(this.#limits.resultTtlMs), String(this.#limits.resultBytesMax)];
    for (const { id, failure, digits } of finished) {
      const sizeBytes = digits?.length ?? 0;
      const chunk = digits !== undefined && sizeBytes <= CHUNK_BYTES ? textAt(digits, 0) : "";
      args.push(id, failure === undefined ? "ready" : "failed", failure ?? "", String(sizeBytes), chunk);
    }
    await this.#run(FINISH, ...args);
  }

  async remove(
    id: string,
  ): Promise<{ readonly task: Task; readonly outcome: "cancelled" | "forgotten" } | undefined> {
    const reply = (await this.#run(REMOVE, id, String(this.#limits.resultTtlMs))) as
      | ["cancelled" | "forgotten", Row]
      | null;
    return reply === null ? undefined : { outcome: reply[0], task: taskOf(reply[1]) };
  }

  /** Chunk number `at / CHUNK_BYTES` of a stored result; undefined when it is gone. */
  async chunkAt(id: string, at: number): Promise<{ bytes: Uint8Array; start: number } | undefined> {
    const bytes = await this.#redis.bytes(chunkKey(id, at));
    return bytes && { bytes, start: Math.floor(at / CHUNK_BYTES) * CHUNK_BYTES };
  }

  /** Forgets what has expired, {@link PURGE_COUNT_MAX} at a time. */
  async purge(): Promise<void> {
    while (((await this.#run(PURGE)) as number) > 0);
  }

  #run(what: Script, ...args: string[]): Promise<unknown> {
    return this.#redis.run(what, [], args);
  }
}

function chunkKey(id: string, at: number): string {
  return `fibserver:result:${id}:${Math.floor(at / CHUNK_BYTES)}`;
}

// Digits are ASCII, and Bun's client takes text.
function textAt(digits: Digits, at: number): string {
  return Buffer.from(digits.buffer, digits.byteOffset, digits.length).toString(
    "latin1",
    at,
    at + CHUNK_BYTES,
  );
}

function taskOf(row: Row): Task {
  const number = (at: number) => (row[at] === null || row[at] === undefined ? undefined : Number(row[at]));
  return {
    id: row[0]!,
    request: requestOfKey(row[1]!),
    sizeBytes: number(2)!,
    state: row[3] as TaskState,
    progress: number(4)!,
    attempts: number(5)!,
    createdAtMs: number(6)!,
    startedAtMs: number(7),
    finishedAtMs: number(8),
    expiresAtMs: number(9),
    reason: row[10] ?? undefined,
  };
}
