/**
 * The tasks that are shown: those that wait and run, and the last of those that have ended, the newest first. Of 10,000
 * tasks a poll reads no more than these: each state's newest are a look into an index of the server's.
 * @module
 */
import { type CallOptions, type FibClient, FibClientError, type TaskStatus } from "@fibserver/client";

type State = TaskStatus["state"];

/** In this order a task goes through them. */
const OPEN = ["queued", "running"] as const;
const ENDED = ["ready", "failed", "cancelled"] as const;

/** So many that wait are shown, and so many that run. */
const OPEN_MAX = 50;

/** What is shown. */
export interface TaskList {
  readonly tasks: readonly TaskStatus[];
  /** How many are not. */
  readonly waitingMore: number;
  readonly endedMore: number;
}

/** What is wanted. */
export interface Wanted extends CallOptions {
  /** How many that have ended. */
  readonly endedMax: number;
  /** One that is shown in any case, as long as there is one. */
  readonly id?: string | undefined;
}

/**
 * Reads it.
 *
 * The states are asked for in the order in which a task goes through them: one that goes on meanwhile is found once or
 * twice, and never not at all, so no row goes away for a moment.
 */
export async function readTasks(client: FibClient, { endedMax, id, ...call }: Wanted): Promise<TaskList> {
  const counts = await readCounts(client, call);
  const list = async (state: State, limit: number) => {
    const tasks = client.tasks.list({ ...call, state, limit, order: "newest" });
    return (await Array.fromAsync(tasks)).map(({ status }) => status);
  };
  const found = new Map<string, TaskStatus>();
  const put = (statuses: readonly TaskStatus[]) => statuses.forEach((status) => found.set(status.id, status));
  const isBusy = OPEN.some((state) => counts?.[state] !== 0);
  if (isBusy) for (const state of OPEN) put(await list(state, OPEN_MAX));
  // What waited or ran when it was counted may have ended by now.
  const states = ENDED.filter((state) => isBusy || counts?.[state] !== 0);
  put(newest((await Promise.all(states.map((state) => list(state, endedMax)))).flat()).slice(0, endedMax));
  if (id !== undefined && !found.has(id)) put(await readOne(client, id, call));
  const tasks = newest([...found.values()]);
  const more = (of: readonly State[]) => {
    const total = of.reduce((sum, state) => sum + (counts?.[state] ?? 0), 0);
    return Math.max(0, total - tasks.filter(({ state }) => of.includes(state)).length);
  };
  return { tasks, waitingMore: more(OPEN), endedMore: more(ENDED) };
}

/** Whether it waits or runs. */
export function isOpen({ state }: TaskStatus): boolean {
  return OPEN.some((open) => open === state);
}

/** With what has become of one. */
export function withTask(list: TaskList, task: TaskStatus): TaskList {
  return { ...list, tasks: newest([task, ...list.tasks.filter(({ id }) => id !== task.id)]) };
}

/** Without one. */
export function withoutTask(list: TaskList, id: string): TaskList {
  return { ...list, tasks: list.tasks.filter((task) => task.id !== id) };
}

/** An id begins with the time at which its task was made. */
function newest(tasks: readonly TaskStatus[]): TaskStatus[] {
  return tasks.toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

/** Whom the server does not tell how it is; whoever may know that later is another client, with another token. */
const untold = new WeakSet<FibClient>();

/** How many there are, by state; undefined where that is not told. */
async function readCounts(client: FibClient, call: CallOptions) {
  if (untold.has(client)) return undefined;
  try {
    return (await client.status(call)).tasks ?? undefined;
  } catch (error) {
    if (!(error instanceof FibClientError) || error.status !== 403) throw error;
    untold.add(client);
    return undefined;
  }
}

async function readOne(client: FibClient, id: string, call: CallOptions): Promise<TaskStatus[]> {
  try {
    return [(await client.tasks.get(id, call)).status];
  } catch (error) {
    if (error instanceof FibClientError && error.code === "task_unknown") return [];
    throw error;
  }
}
