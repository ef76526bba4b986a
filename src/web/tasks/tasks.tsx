/**
 * The part Tasks: what this server computes for whoever asks later, as it is now, whoever has asked for it, and a form to
 * ask for more.
 *
 * It is polled, every second while something waits or runs: one request of events for each task would take a browser's
 * connections from the rest of the page.
 * @module
 */
import type { TaskStatus } from "@fibserver/client";
import { useRef, useState } from "hono/jsx/dom";
import { counted } from "../numerals.ts";
import { taskTitle } from "../kinds.ts";
import { Paces } from "../pace.ts";
import { isAway, isForbidden, type Server } from "../server.ts";
import { FORBIDDEN_PAUSE_MS, usePolling } from "../visible.ts";
import { Notice } from "../words.tsx";
import { MakeForm } from "./make-form.tsx";
import { isOpen, readTasks, type TaskList, withoutTask, withTask } from "./task-list.ts";
import { TaskRow } from "./task-row.tsx";

const BUSY_PAUSE_MS = 1000;
const IDLE_PAUSE_MS = 5000;
const ENDED_FEW = 8;
const ENDED_MANY = 50;

const NOTHING: TaskList = { tasks: [], waitingMore: 0, endedMore: 0 };

/** The part. */
export function Tasks({ server }: { readonly server: Server }) {
  const [endedMax, setEndedMax] = useState(ENDED_FEW);
  /** What was made here last. */
  const [made, setMade] = useState<TaskStatus | undefined>(undefined);
  const { list, error, paces, change, rows } = useTasks(server, endedMax, made?.id, () => setMade(undefined));
  const followed = list?.tasks.find(({ id }) => id === made?.id);
  const onMade = (task: TaskStatus) => {
    setMade(task);
    change((before) => withTask(before, task));
  };
  const onDeleted = (id: string) => {
    focusBeside(rows.current, id);
    // It is not asked for any more.
    if (made?.id === id) setMade(undefined);
    change((before) => withoutTask(before, id));
  };
  return (
    <>
      <div class="head">
        <h2>Tasks</h2>
        <p>Computed while nobody waits, and kept for a while.</p>
      </div>
      <MakeForm server={server} onMade={onMade} />
      <p class="spoken" role="status">
        {followed && `${taskTitle(followed)}: ${followed.state}`}
      </p>
      <Notice error={error} />
      {list?.tasks.length === 0 && (
        <p class="nothing">
          Nothing is computed now. A task is for a number that takes a while: it goes on when this page is
          closed, survives a restart of the server, and whoever asks for the same gets the same.
        </p>
      )}
      <ul class="tasks" ref={rows}>
        {(list ?? NOTHING).tasks.map((task) => (
          <TaskRow
            key={task.id}
            server={server}
            task={task}
            secondsLeft={paces.secondsLeft(task.id)}
            isFresh={task.id === made?.id}
            onChanged={(changed) => change((before) => withTask(before, changed))}
            onDeleted={onDeleted}
          />
        ))}
      </ul>
      <More
        list={list ?? NOTHING}
        onMore={endedMax === ENDED_FEW ? () => setEndedMax(ENDED_MANY) : undefined}
      />
    </>
  );
}

/**
 * The list as it is now; it is polled anew at once when somebody has changed it here.
 *
 * @param id - Of a task that is in it in any case.
 * @param onGone - There is no such task any more.
 */
function useTasks(server: Server, endedMax: number, id: string | undefined, onGone: () => void) {
  const [list, setList] = useState<TaskList | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const [changes, setChanges] = useState(0);
  const paces = useRef<Paces>(new Paces());
  const rows = useRef<HTMLUListElement>(null);
  usePolling(
    async (signal) => {
      try {
        const found = await readTasks(server.client, { endedMax, id, signal, retriesMax: 0 });
        // No button goes away from under a finger: it is drawn the next time.
        if (signal.aborted || rows.current?.querySelector(":active")) return BUSY_PAUSE_MS;
        paces.current.note(found.tasks.filter(isOpen), performance.now());
        setList(found);
        setError(undefined);
        if (id !== undefined && !found.tasks.some((task) => task.id === id)) onGone();
        return found.tasks.some(isOpen) ? BUSY_PAUSE_MS : IDLE_PAUSE_MS;
      } catch (reason) {
        // That the server is away is told at the head of the page.
        if (!signal.aborted) setError(isAway(reason) ? undefined : reason);
        return isForbidden(reason) ? FORBIDDEN_PAUSE_MS : IDLE_PAUSE_MS;
      }
    },
    [server, endedMax, id, changes],
  );
  const change = (how: (before: TaskList) => TaskList) => {
    setList((before) => how(before ?? NOTHING));
    setChanges((count) => count + 1);
  };
  return { list, error, change, rows, paces: paces.current };
}

/** What there is besides. */
function More({ list, onMore }: { readonly list: TaskList; readonly onMore: (() => void) | undefined }) {
  const { waitingMore, endedMore } = list;
  return (
    <div class="more">
      {waitingMore > 0 && <p class="note">{counted(waitingMore, "more waits", "more wait")}</p>}
      {endedMore > 0 && <p class="note">{counted(endedMore, "more has ended", "more have ended")}</p>}
      {endedMore > 0 && onMore && (
        <button type="button" class="quiet" onClick={onMore}>
          Show more
        </button>
      )}
    </div>
  );
}

/** Of a row that goes away the focus goes to the next, to the one before, or to the form. */
function focusBeside(rows: HTMLElement | null, id: string): void {
  const row = rows?.querySelector(`[data-id="${id}"]`);
  if (!row?.contains(document.activeElement)) return;
  const beside = row.nextElementSibling ?? row.previousElementSibling;
  (beside?.querySelector("button") ?? document.getElementById("task-kind"))?.focus();
}
