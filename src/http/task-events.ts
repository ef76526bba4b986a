/**
 * `/v1/tasks/{id}/events`: what becomes of a task, as server-sent events.
 *
 * Each event is the whole task, so whoever missed some needs only the newest. Its id names what it says
 * (attempt, state, progress): a client that comes back with `Last-Event-ID` gets what has changed since, and
 * 204 when nothing will change any more, which tells a browser's EventSource to stay away.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 * @module
 */
import type { Context } from "hono";
import { isFinished, type Task, taskJson } from "../tasks/task.ts";
import { askerOf, isHead, keepOpen } from "./asker.ts";
import { NO_STORE, refuseForeignWork } from "./browser.ts";
import { BEGINNING, EVENT_HEADERS, headOfEvents, HEARTBEAT } from "./event-stream.ts";
import type { WaitServices } from "./prefer.ts";
import { answerWith, type SentBytes } from "./sent.ts";
import { taskUnknown } from "./stored.ts";

const HEARTBEAT_MS = 10_000;

/**
 * Answers with the events of a task.
 *
 * @throws {@link FibError} `task_unknown`; `overloaded`, when too many are watching.
 */
export async function sendEvents(c: Context, id: string, services: WaitServices): Promise<Response> {
  const { tasks, watchers, stopSignal } = services;
  const task = await tasks.find(id);
  if (task === undefined) throw taskUnknown(id);
  const lastId = c.req.header("last-event-id");
  if (isFinished(task.state) && lastId === eventId(task)) {
    return new Response(null, { status: 204, headers: NO_STORE });
  }
  if (isHead(c)) return headOfEvents();
  const refusal = refuseForeignWork(c);
  if (refusal) throw refusal;
  const { holder, signal } = askerOf(c);
  const leave = watchers.enter(holder);
  const endSilence = keepOpen(c);
  const left = new AbortController();
  const states = tasks.watch(id, AbortSignal.any([left.signal, signal, stopSignal]));
  const end = () => {
    leave();
    endSilence();
    left.abort();
  };
  return answerWith(eventsOf(states, lastId, end, services.sentBytes), { headers: EVENT_HEADERS });
}

function eventsOf(
  states: AsyncIterable<Task>,
  lastId: string | undefined,
  end: () => void,
  sentBytes: SentBytes,
): ReadableStream<string> {
  const iterator = states[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<Task>> | undefined;
  let seenId = lastId;
  let text = BEGINNING;
  let pendingBytes = 0;
  return new ReadableStream<string>({
    pull: async (controller) => {
      // The connection has taken what there was.
      sentBytes.add(pendingBytes);
      pendingBytes = 0;
      // Until there is something to say: a pull that enqueues nothing is not called again.
      while (text === "") {
        pending ??= iterator.next();
        const result = await orHeartbeat(pending).catch((error: unknown) => {
          end();
          throw error;
        });
        if (result === undefined) {
          text = HEARTBEAT;
          break;
        }
        pending = undefined;
        if (result.done === true) {
          end();
          controller.close();
          return;
        }
        // A watcher may see one state twice.
        if (eventId(result.value) !== seenId) text = eventText(result.value);
        seenId = eventId(result.value);
      }
      controller.enqueue(text);
      pendingBytes = Buffer.byteLength(text);
      text = "";
    },
    cancel: end,
  });
}

/** What comes first: the next state, or undefined after some silence. */
async function orHeartbeat<Result>(pending: Promise<Result>): Promise<Result | undefined> {
  const silence = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => silence.resolve(undefined), HEARTBEAT_MS);
  try {
    return await Promise.race([pending, silence.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function eventId({ attempts, state, progress }: Task): string {
  return `${attempts}-${state}-${Math.round(progress * 10_000)}`;
}

/** Made once for all who follow a task, ten times a second. */
const TEXTS = new WeakMap<Task, string>();

function eventText(task: Task): string {
  const text = TEXTS.get(task) ?? `id: ${eventId(task)}\ndata: ${JSON.stringify(taskJson(task))}\n\n`;
  TEXTS.set(task, text);
  return text;
}
