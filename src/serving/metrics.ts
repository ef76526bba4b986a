/**
 * Which metric a fact is, of all that is not HTTP's or the process's. Who reads one, as the status does, is given the
 * metric and not its name: a name is in one place.
 *
 * Cursors, numbers, tasks and Redis tell of facts by a callback in their options, once for each group, job or command,
 * and say when asked what there is. So none of them knows a registry, and what nobody asks for costs nothing.
 *
 * Each `count…` registers what is told, and returns who is to be told; each `show…` registers what is asked for at a
 * scrape. A store that does not answer in time ({@link promptly}) is left out.
 * @module
 */
import type { GroupWatch } from "../cursor/group-watch.ts";
import type { Outcome } from "../cursor/moves.ts";
import type { CursorCounts } from "../cursor/named.ts";
import { FibError } from "../errors.ts";
import type { Counter, Histogram, Registry } from "../metrics.ts";
import { distrusted } from "../notices.ts";
import { COMPUTATION_KINDS } from "../numbers/compute.ts";
import type { Pool, PoolOptions } from "../numbers/pool.ts";
import { promptly } from "../promptly.ts";
import type { OnTaskEnd, TaskQueue } from "../tasks/queue.ts";
import { kindOf, TASK_ARGUMENTS } from "../tasks/task.ts";

/** How many wait for one sync: up to a thousand in SQLite and Redis, and as many as there are in the file. */
const GROUP_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

/** F(10^6) takes 2 ms, and what `--max-digits` may allow minutes. */
const COMPUTATION_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What is told in every server. */
export interface ServerFacts extends MoveFacts {
  readonly onComputed: NonNullable<PoolOptions["onComputed"]>;
}

/** What is told of moves. */
interface MoveFacts extends Pick<GroupWatch, "answered"> {
  /** By operation and outcome. */
  readonly moves: Counter;
  /** Of the moves that were taken together. */
  readonly groups: Histogram;
}

/** What is told of files. */
interface FileFacts extends Pick<GroupWatch, "locked" | "synced"> {
  readonly syncs: Histogram;
}

/** Counts what is told in every server; the one with files adds {@link countFileWaits}, the one on Redis {@link countRedis}. */
export function countServer(registry: Registry): ServerFacts {
  return {
    ...countMoves(registry),
    onComputed: countComputations(registry),
  };
}

/** What a server has. */
export interface ServerParts {
  readonly cursors: CursorSource;
  /** Undefined without Redis. */
  readonly redis: Connected | undefined;
  readonly pool: Busy;
  readonly tasks: Pick<TaskQueue, "count">;
  readonly streams: Open;
  readonly watchers: Open;
  readonly cursorWatchers: Open;
}

/** Shows what a server has. */
export function showServer(registry: Registry, parts: ServerParts): void {
  showCursors(registry, parts.cursors);
  showComputations(registry, parts.pool);
  showTasks(registry, parts.tasks);
  showReaders(registry, parts);
  if (parts.redis) showRedis(registry, parts.redis);
}

/** Counts moves of all cursors, by what they have come to. */
function countMoves(registry: Registry): MoveFacts {
  const moves = registry
    .counter(
      "fibserver_cursor_moves_total",
      "Moves that were asked for, of all cursors, by what they came to: ok, replayed, or the code of an error.",
      ["operation", "outcome"],
    )
    // The errors are those that alerts wait for.
    .declare(["next", "previous", "set", "remove"], ["ok", "cursor_io", "redis_full"]);
  const help = "How many moves were taken together, and so share a lock, a sync or a call of Redis.";
  const groups = registry.histogram("fibserver_cursor_group_size", help, [], GROUP_BOUNDS);
  const sizes = groups.cell();
  const next = moves.cell("next", "ok");
  const answered: GroupWatch["answered"] = (requests, outcomes) => {
    let [moveCount, nextCount] = [0, 0];
    for (let i = 0; i < requests.length; i++) {
      const { operation } = requests[i]!;
      if (operation === "current") continue;
      moveCount++;
      const name = nameOf(outcomes[i]!);
      // Nearly all are these, and cost an addition.
      if (operation === "next" && name === "ok") nextCount++;
      else moves.cell(operation, name).add();
    }
    if (moveCount > 0) sizes.observe(moveCount);
    next.add(nextCount);
  };
  return { answered, moves, groups };
}

function nameOf(outcome: Outcome): string {
  if (outcome instanceof FibError) return outcome.code;
  return outcome.replayed === true ? "replayed" : "ok";
}

/** Counts what files of cursors wait for: the default one's on the loop, named ones' on the thread of their database. */
export function countFileWaits(registry: Registry): FileFacts {
  const locks = registry
    .histogram(
      "fibserver_cursor_lock_seconds",
      "How long a group waited until other processes let go of the cursor's file.",
    )
    .cell();
  const syncs = registry.histogram(
    "fibserver_cursor_sync_seconds",
    "How long the disk took for one sync of the cursor's file or its folder, or for a commit of named cursors.",
  );
  const synced = syncs.cell();
  return {
    locked: (waitMs) => locks.observe(waitMs / 1000),
    synced: (durationMs) => synced.observe(durationMs / 1000),
    syncs,
  };
}

/** What tells how many cursors there are. */
export interface CursorSource {
  /** Requests that wait for their outcome. */
  readonly waitingCount: () => number;
  readonly count: () => Promise<CursorCounts>;
}

/** Shows how many cursors there are, and how many moves wait. */
function showCursors(registry: Registry, { waitingCount, count }: CursorSource): void {
  registry.value(
    "fibserver_cursor_waiting",
    "Moves and readings of cursors that wait, for the next group or for the sync that is under way.",
    waitingCount,
  );
  const counts = promptly(count);
  registry.value(
    "fibserver_cursors",
    "Cursors with a name, without the default one and clients' own; on Redis of all servers.",
    async () => (await counts()).cursors,
  );
  registry.value(
    "fibserver_clients",
    "Clients that have a cursor of their own (--per-client); on Redis of all servers.",
    async () => (await counts()).clients,
  );
}

/** Counts what threads compute, and what they have distrusted. */
export function countComputations(registry: Registry): NonNullable<PoolOptions["onComputed"]> {
  const seconds = registry
    .histogram(
      "fibserver_computation_seconds",
      "How long a thread took for one number; a pair is where a sequence begins. Short ones need no thread.",
      ["kind"],
      COMPUTATION_BOUNDS,
    )
    .declare(COMPUTATION_KINDS);
  const digits = registry
    .counter(
      "fibserver_digits_total",
      "Digits of the numbers that threads have computed, and characters of what they have found out.",
      ["kind"],
    )
    .declare(COMPUTATION_KINDS);
  registry.gauge(
    "fibserver_distrusted_total",
    "Results that failed a check and were computed again: suspect the memory or the CPU.",
    ["stage"],
    () => Object.entries(distrusted).map(([stage, count]) => [[stage], count]),
  );
  return ({ kind, digitsCount, durationMs }) => {
    seconds.cell(kind).observe(durationMs / 1000);
    digits.cell(kind).add(digitsCount);
  };
}

/** What has threads. */
type Busy = Pick<Pool, "running" | "waiting">;

/** Shows what threads are doing. */
export function showComputations(registry: Registry, pool: Busy): void {
  registry.gauge(
    "fibserver_computations",
    "Computations that run on threads, or wait for one.",
    ["state"],
    () => [
      [["running"], pool.running],
      [["waiting"], pool.waiting],
    ],
  );
}

/** Counts the tasks that this process has ended. */
export function countTasks(registry: Registry): OnTaskEnd {
  const finished = registry
    .counter(
      "fibserver_tasks_finished_total",
      "Tasks that have ended in this process; on Redis add up all servers and executors.",
      ["kind", "outcome"],
    )
    .declare(Object.keys(TASK_ARGUMENTS), ["ready", "failed", "cancelled"]);
  return ({ request, state }) => finished.cell(kindOf(request), state).add();
}

/** Shows the tasks that there are. */
function showTasks(registry: Registry, tasks: Pick<TaskQueue, "count">): void {
  const counts = promptly(() => tasks.count());
  const whose = "on Redis of all servers, whichever is asked";
  registry.gauge("fibserver_tasks", `Tasks by state; ${whose}.`, ["state"], async () =>
    Object.entries((await counts()).states).map(([state, value]) => [[state], value]),
  );
  registry.value(
    "fibserver_task_age_seconds",
    `How long the oldest task that is queued has waited, 0 when none is; ${whose}.`,
    async () => (await counts()).oldestQueuedMs / 1000,
  );
  registry.value(
    "fibserver_result_bytes",
    `What finished tasks take of --result-budget, 4096 bytes each at least; ${whose}.`,
    async () => (await counts()).resultBytes,
  );
}

/** Times what Redis is asked; the queue's own commands are not among them. */
export function countRedis(registry: Registry): (waitMs: number) => void {
  const seconds = registry
    .histogram(
      "fibserver_redis_request_seconds",
      "How long Redis took to answer a command or a script, with its replicas where those are waited for.",
    )
    .cell();
  return (waitMs) => seconds.observe(waitMs / 1000);
}

/** What asks Redis. */
export interface Connected {
  /** Whether all of it can be asked now. */
  readonly isConnected: () => boolean;
}

/** Shows whether Redis is there. */
export function showRedis(registry: Registry, { isConnected }: Connected): void {
  const help = "1 while all connections to Redis are up, else 0.";
  registry.value("fibserver_redis_up", help, () => (isConnected() ? 1 : 0));
}

/** How many there are now. */
interface Open {
  readonly count: number;
}

/** Shows what is sent, and who waits for news. */
function showReaders(
  registry: Registry,
  { streams, watchers, cursorWatchers }: Pick<ServerParts, "streams" | "watchers" | "cursorWatchers">,
): void {
  registry.value("fibserver_streams", "Long bodies that are being sent.", () => streams.count);
  registry.gauge("fibserver_watchers", "Clients that follow tasks or cursors.", ["what"], () => [
    [["tasks"], watchers.count],
    [["cursors"], cursorWatchers.count],
  ]);
}
