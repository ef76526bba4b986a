/**
 * One task of the list: what it computes, how large that is, how far it is, and what can be done with it.
 *
 * One button cancels a task and, once it has ended, deletes it: so whoever holds the focus there keeps it. To delete asks
 * once more by turning into a question for some seconds.
 * @module
 */
import type { TaskStatus } from "@fibserver/client";
import { useEffect, useRef, useState } from "hono/jsx/dom";
import { useComeback } from "../comeback.ts";
import { Download } from "../download.tsx";
import { Formula } from "../formula.tsx";
import { askedOf, fileOf, taskTitle } from "../kinds.ts";
import { longTime } from "../measures.ts";
import { counted } from "../numerals.ts";
import { writePlace } from "../place.ts";
import type { Server } from "../server.ts";
import { Notice } from "../words.tsx";
import { isOpen } from "./task-list.ts";

const ASKING_MS = 4000;

/** What a row is given. */
interface RowProps {
  readonly server: Server;
  readonly task: TaskStatus;
  /** Undefined where nobody can say. */
  readonly secondsLeft: number | undefined;
  /** Somebody has just asked for it here. */
  readonly isFresh: boolean;
  readonly onChanged: (task: TaskStatus) => void;
  readonly onDeleted: (id: string) => void;
}

/** The row. */
export function TaskRow({ server, task, secondsLeft, isFresh, onChanged, onDeleted }: RowProps) {
  const [error, setError] = useState<unknown>(undefined);
  const title = taskTitle(task);
  const last = useRef(() => Promise.resolve());
  const run = (work = last.current) => {
    last.current = work;
    setError(undefined);
    work().catch(setError);
  };
  useComeback(error, run);
  const cancel = async () => onChanged(await server.client.tasks.cancel(task.id));
  const remove = async () => {
    await server.client.tasks.forget(task.id);
    onDeleted(task.id);
  };
  return (
    <li class={isFresh ? "fresh" : ""} data-id={task.id}>
      <div>
        <h3>
          <Formula text={title} />
        </h3>
        <p class="size">{sizeOf(task)}</p>
      </div>
      <div>
        <p class="state">
          <State task={task} secondsLeft={secondsLeft} title={title} />
        </p>
        <div class="acts">
          {task.state === "ready" && <Results server={server} task={task} title={title} />}
          <EndButton
            isOpen={isOpen(task)}
            title={title}
            onCancel={() => run(cancel)}
            onDelete={() => run(remove)}
          />
        </div>
      </div>
      <Notice error={error} />
    </li>
  );
}

function sizeOf({ digits, bytes }: TaskStatus): string {
  if (digits !== undefined) return counted(digits, "digit");
  return bytes === undefined ? "" : counted(bytes, "byte");
}

/** How it is, and since when. */
function State({
  task,
  secondsLeft,
  title,
}: Pick<RowProps, "task" | "secondsLeft"> & { readonly title: string }) {
  const { state, progress, reason, createdAt, startedAt, finishedAt, expiresAt } = task;
  if (state === "running") {
    const left =
      secondsLeft === undefined
        ? `for ${longTime(secondsSince(startedAt!))}`
        : `${longTime(secondsLeft)} left`;
    return (
      <>
        <progress value={progress} max="1" aria-label={`Progress of ${title}`} />
        <span>{Math.floor(progress * 100)} %</span>
        <span class="when">{left}</span>
      </>
    );
  }
  const since = finishedAt ?? createdAt;
  const kept = expiresAt && `Kept until ${new Date(expiresAt).toLocaleString()}`;
  return (
    <>
      <span class={state}>{WORDS[state]}</span>
      {state === "failed" && <span class="reason">{reason}</span>}
      <time class="when" datetime={since} title={kept}>
        {state === "queued" ? `for ${longTime(secondsSince(since))}` : `${longTime(secondsSince(since))} ago`}
      </time>
    </>
  );
}

const WORDS = { queued: "waiting", ready: "ready", failed: "failed", cancelled: "cancelled" } as const;

function secondsSince(time: string): number {
  return (Date.now() - Date.parse(time)) / 1000;
}

/** The ways to what it has come to. */
function Results({ server, task, title }: Pick<RowProps, "server" | "task"> & { readonly title: string }) {
  const { id, digits = 0, bytes = digits } = task;
  return (
    <>
      <a href={writePlace({ part: "numbers", path: ["task", id] })} aria-label={`Open ${title}`}>
        Open
      </a>
      <Download
        server={server}
        path={`v1/tasks/${id}/result?format=text`}
        file={fileOf(askedOf(task))}
        bytes={bytes}
        label={`Download ${title}`}
      />
    </>
  );
}

/** Cancels what has not ended, and deletes what has, at the second press. */
function EndButton(props: {
  readonly isOpen: boolean;
  readonly title: string;
  readonly onCancel: () => void;
  readonly onDelete: () => void;
}) {
  const [isAsking, setAsking] = useState(false);
  useEffect(() => {
    if (!isAsking) return undefined;
    const timer = setTimeout(() => setAsking(false), ASKING_MS);
    return () => clearTimeout(timer);
  }, [isAsking]);
  const press = () => {
    if (props.isOpen) return props.onCancel();
    if (isAsking) props.onDelete();
    setAsking(!isAsking);
  };
  const word = props.isOpen ? "Cancel" : isAsking ? "Delete?" : "Delete";
  return (
    <button
      type="button"
      class={isAsking ? "quiet asking" : "quiet"}
      onClick={press}
      onBlur={() => setAsking(false)}
      aria-label={`${word} ${props.title}`}
    >
      {word}
    </button>
  );
}
