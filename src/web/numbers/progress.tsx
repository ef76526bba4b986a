/**
 * How far a computation is.
 * @module
 */
import type { Task } from "@fibserver/client";
import { useEffect, useRef, useState } from "hono/jsx/dom";
import { Formula } from "../formula.tsx";
import { longTime } from "../measures.ts";
import { Paces } from "../pace.ts";
import { isPassing } from "../server.ts";
import { usePolling } from "../visible.ts";
import { isUnderWay, type Run } from "./work.ts";

/** What is over before that is not worth a word. */
const SHOWN_AFTER_MS = 200;
const POLL_MS = 300;

interface ProgressProps {
  readonly run: Run;
  /** The task has come further, or has ended. */
  readonly onNews: (news: Promise<Task>) => void;
  readonly onCancel: () => void;
}

/** Progress, and what ends it. */
export function Progress({ run, onNews, onCancel }: ProgressProps) {
  const [isShown, setShown] = useState(false);
  useEffect(() => {
    setShown(false);
    const timer = setTimeout(() => setShown(true), SHOWN_AFTER_MS);
    return () => clearTimeout(timer);
  }, [run.abort]);
  return (
    <>
      {run.task && <Following task={run.task} onNews={onNews} />}
      {isShown && <Shown run={run} onCancel={onCancel} />}
    </>
  );
}

/** Asks again and again how a task is. */
function Following({ task, onNews }: { readonly task: Task } & Pick<ProgressProps, "onNews">) {
  usePolling(
    async (signal) => {
      // The last news is that it has ended; then its result is on its way.
      if (!isUnderWay(task.status)) return POLL_MS;
      const news = task.refresh({ signal }).then(() => task);
      try {
        await news;
      } catch (error) {
        // A server that is away for a while still has it then.
        if (signal.aborted || isPassing(error)) return POLL_MS;
      }
      onNews(news);
      return POLL_MS;
    },
    [task],
  );
  return null;
}

function Shown({ run, onCancel }: Pick<ProgressProps, "run" | "onCancel">) {
  const { task, title, isOwn } = run;
  const paces = useRef(new Paces());
  if (task !== undefined)
    paces.current.note([{ id: task.id, progress: task.status.progress }], performance.now());
  return (
    <div class="under-way">
      <progress max={1} value={task?.status.progress} aria-label={`Progress of ${title ?? "the task"}`} />
      <span class="note">
        <Formula text={task === undefined ? `Computing ${title ?? ""}` : howFar(task, paces.current)} />
      </span>
      {isOwn && (
        <button type="button" class="quiet" onClick={onCancel}>
          Cancel
        </button>
      )}
    </div>
  );
}

function howFar({ id, status: { state, progress } }: Task, paces: Paces): string {
  if (state === "queued") return "Waiting for its turn";
  const secondsLeft = paces.secondsLeft(id);
  const left = secondsLeft === undefined ? "" : `, ${longTime(secondsLeft)} left`;
  return `${Math.floor(progress * 100)}\u202f%${left}`;
}
