/**
 * What Numbers is at: one computation at a time, in sight of whoever asked for it.
 *
 * A press for a new one gives up the one before; a task only if this page has asked for it, and nobody else has. An address
 * gives up nothing, since anybody may have written it: the task before goes on among the tasks, as it does when somebody
 * leaves the page.
 * @module
 */
import type { Task, TaskStatus } from "@fibserver/client";
import { useRef, useState } from "hono/jsx/dom";
import { useComeback } from "../comeback.ts";
import { type Asked, askedOf, pathOf, taskTitle, titleOf } from "../kinds.ts";
import { isPassing, type Server } from "../server.ts";
import { ask, computeAtOnce, type Found, resultOf } from "./ask.ts";

/** One computation. */
export interface Run {
  /** As a formula; undefined while only the id of its task is known. */
  readonly title?: string;
  /** Where its digits are; undefined for a task that only its id names. */
  readonly path?: string;
  readonly abort: AbortController;
  /** Somebody has pressed for it here. */
  readonly isOwn?: true;
  /** Nobody has asked for it: what is there when the page opens. */
  readonly isQuiet?: true;
  readonly task?: Task;
}

/** How it stands. */
export interface Work {
  readonly run?: Run | undefined;
  readonly found?: Found | undefined;
  readonly error?: unknown;
  /** What has become of it, in words with formulas. */
  readonly said?: string | undefined;
}

/** Computes for a part of the page. */
export function useWork(server: Server) {
  const [work, setWork] = useState<Work>({});
  // What answers late asks whether it is still wanted.
  const current = useRef<Run | undefined>(undefined);

  /** Begins the last one anew. */
  const again = useRef(() => {});

  useComeback(work.error, () => again.current());

  const put = (run: Run | undefined, next: Partial<Work> = {}) => {
    current.current = run;
    setWork(({ found }) => ({ found, run, ...next }));
  };

  const settle = async (run: Run, outcome: Promise<Found | Task | undefined>): Promise<void> => {
    try {
      const got = await outcome;
      if (current.current?.abort !== run.abort) {
        const isGivenUp = run.abort.signal.aborted && run.isOwn;
        if (isGivenUp && got && !("what" in got)) await got.cancel({ unlessShared: true });
      } else if (got === undefined)
        put(undefined, { found: undefined, said: `Press Compute for ${run.title}` });
      else if ("what" in got) put(undefined, { found: got });
      else if (isUnderWay(got.status)) put({ ...run, title: taskTitle(got.status), task: got });
      else await settle(run, endOf(server, got, run.abort.signal));
    } catch (error) {
      if (current.current?.abort !== run.abort) return;
      // What was found before is to be read while the server is away, but a refusal is an answer in its place.
      put(undefined, run.isQuiet ? {} : isPassing(error) ? { error } : { error, found: undefined });
    }
  };

  const begin = (
    what: Pick<Run, "title" | "path" | "isOwn" | "isQuiet">,
    outcome: (signal: AbortSignal) => Promise<Found | Task | undefined>,
  ) => {
    const before = current.current;
    const run: Run = { ...what, abort: new AbortController() };
    put(run);
    again.current = () => begin(what, outcome);
    if (run.isOwn || !before?.isOwn) void giveUp(before).catch(() => {});
    void settle(run, outcome(run.abort.signal));
  };

  return {
    work,
    /** What somebody has pressed for. */
    compute: (asked: Asked) => {
      const what = whatOf(asked);
      // Who asks again for what is being computed would only begin it anew.
      if (!current.current?.isOwn || current.current.path !== what.path)
        begin({ ...what, isOwn: true }, (signal) => ask(server, asked, true, signal));
    },
    /** What an address asks for. */
    look: (asked: Asked) => begin(whatOf(asked), (signal) => ask(server, asked, false, signal)),
    /** What is there at first. */
    showFirst: (asked: Asked, digits: number) =>
      begin({ ...whatOf(asked), isQuiet: true }, (signal) => computeAtOnce(server, asked, digits, signal)),
    openTask: (id: string, onOpened: (asked: Asked) => void) =>
      begin({}, async (signal) => {
        const task = await server.client.tasks.get(id, { signal });
        if (!signal.aborted) onOpened(askedOf(task.status));
        return task;
      }),
    /** The task of a run has come further, or has ended. */
    follow: (run: Run, news: Promise<Task>) => settle(run, news),
    /** What was said of the one before is out of date. */
    dismiss: () => setWork(({ run, found }) => ({ run, found })),
    cancel: async (run: Run) => {
      const title = run.title ?? "The task";
      put(undefined, { said: `${title} is cancelled.` });
      // Unless something else has begun meanwhile.
      const tell = (news: Work) => current.current === undefined && put(undefined, news);
      try {
        if (await giveUp(run)) return;
        tell({ said: `${title} was asked for more than once, so it goes on: it is among the tasks.` });
      } catch (error) {
        tell({ error });
      }
    },
  };
}

function whatOf(asked: Asked): Pick<Run, "title" | "path"> {
  return { title: titleOf(asked), path: pathOf(asked) };
}

/** @returns Whether it has ended by that; false for a task that somebody else wants. */
async function giveUp(run: Run | undefined): Promise<boolean> {
  run?.abort.abort();
  if (run?.task === undefined || !run.isOwn) return true;
  return !isUnderWay(await run.task.cancel({ unlessShared: true }));
}

async function endOf(server: Server, task: Task, signal: AbortSignal): Promise<Found> {
  // Of one that has ended otherwise, this says how.
  await task.ready({ signal });
  return resultOf(server, task, signal);
}

/** Whether it goes on. */
export function isUnderWay({ state }: TaskStatus): boolean {
  return state === "queued" || state === "running";
}
