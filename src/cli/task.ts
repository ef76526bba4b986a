/**
 * `fibserver task run|watch|list|show|result|cancel|forget`: computations on a server.
 * @module
 */
import { defineCommand } from "citty";
import type { FibClient, Task, TaskStatus } from "../client/client.ts";
import { resolveServerUrl } from "../config/config.ts";
import { jsonLine, shortened, visible } from "../shell-word.ts";
import { TASK_ARGUMENTS, TASK_STATES } from "../tasks/task.ts";
import type { Command } from "./arguments.ts";
import { CLIENT_FLAGS } from "./flags.ts";
import { Wait } from "./follow.ts";
import { serverFlag, usageError } from "./hints.ts";
import { print } from "./output.ts";
import { putArray } from "./put-array.ts";
import { asking, noticeOf, openClient, WAITING } from "./remote.ts";
import { checkOutput, type Put, RESULT_FLAGS, writeResult } from "./result.ts";
import { writeTaskResult } from "./task-result.ts";
import { run } from "./task-run.ts";

const id = { type: "positional", required: true, values: "tasks", description: "The task's id" } as const;
const { json, quiet } = RESULT_FLAGS;

const KIND_CHARS_MAX = Math.max(...Object.keys(TASK_ARGUMENTS).map((kind) => kind.length));

const watch = defineCommand({
  meta: {
    name: "watch",
    description: "Print each change of a task until it has ended",
    examples: ["fibserver task watch 01a1fd64-51f4-7678-af12-2ee8e6058112"],
  },
  args: { id, json, quiet, ...CLIENT_FLAGS },
  async run({ args }) {
    const taskId = checkId(args, "watch");
    const wait = new Wait(`task ${taskId}`, args);
    const show = (status: TaskStatus) => print(`${args.json ? jsonLine(status) : lineOf(status)}\n`);
    const watched = await wait.asking(() => wait.client.tasks.get(taskId, WAITING), taskId);
    await wait.asking(() => wait.follow(watched, show), taskId);
  },
});

const list = defineCommand({
  meta: {
    name: "list",
    description: "Print the tasks of a server, one a line",
    examples: ["fibserver task list", "fibserver task list --state ready --json"],
  },
  args: {
    state: {
      type: "string",
      valueHint: "STATE",
      values: TASK_STATES,
      description: "queued, running, ready, failed or cancelled",
    },
    json,
    ...CLIENT_FLAGS,
  },
  async run({ args }) {
    const state = TASK_STATES.find((known) => known === args.state);
    if (args.state !== undefined && state === undefined) {
      const reason = `'${shortened(args.state)}' is none of ${TASK_STATES.join(", ")}`;
      throw usageError(
        "fibserver task list",
        reason,
        `fibserver task list --state ready${serverFlag(args.server)}`,
      );
    }
    await askServer(args, ({ tasks }) =>
      writeResult(undefined, (put) => putList(put, tasks.list({ state }), args.json ?? false)),
    );
  },
});

const show = defineCommand({
  meta: {
    name: "show",
    description: "Print what is known of a task",
    examples: ["fibserver task show 01a1fd64-51f4-7678-af12-2ee8e6058112"],
  },
  args: { id, json, ...CLIENT_FLAGS },
  async run({ args }) {
    const taskId = checkId(args, "show");
    const { status } = await askServer(args, ({ tasks }) => tasks.get(taskId));
    // A newer server may tell of more than texts and numbers.
    const lines = Object.entries(status).map(([name, value]) => visible(`${name}: ${textOf(value)}`));
    print(`${args.json ? jsonLine(status) : lines.join("\n")}\n`);
  },
});

const result = defineCommand({
  meta: {
    name: "result",
    description: "Print the result of a task that is ready",
    examples: [
      "fibserver task result 01a1fd64-51f4-7678-af12-2ee8e6058112",
      "fibserver task result 01a1fd64-51f4-7678-af12-2ee8e6058112 -o f.txt",
    ],
  },
  args: { id, ...RESULT_FLAGS, ...CLIENT_FLAGS },
  async run({ args }) {
    const taskId = checkId(args, "result");
    await checkOutput(args.out);
    await askServer(args, async ({ tasks }) => writeTaskResult(await tasks.get(taskId), args));
  },
});

const cancel = defineCommand({
  meta: {
    name: "cancel",
    description: "Cancel a task for all who want it; prints what has become of it",
    examples: ["fibserver task cancel 01a1fd64-51f4-7678-af12-2ee8e6058112"],
  },
  args: { id, ...CLIENT_FLAGS },
  async run({ args }) {
    const taskId = checkId(args, "cancel");
    const { state } = await askServer(args, ({ tasks }) => tasks.cancel(taskId));
    print(`${state}\n`);
  },
});

const forget = defineCommand({
  meta: {
    name: "forget",
    description: "Remove a task with its result, whatever its state",
    examples: ["fibserver task forget 01a1fd64-51f4-7678-af12-2ee8e6058112"],
  },
  args: { id, ...CLIENT_FLAGS },
  async run({ args }) {
    const taskId = checkId(args, "forget");
    await askServer(args, ({ tasks }) => tasks.forget(taskId));
    print("forgotten\n");
  },
});

/** The commands for tasks. */
export const task: Command = {
  meta: {
    name: "task",
    description: "Have a server compute something, and fetch it when it is ready",
    examples: ["fibserver task list", "fibserver help task run"],
  },
  subCommands: { run, watch, list, show, result, cancel, forget },
};

function askServer<T>(
  { server, json: asJson = false }: { server?: string | undefined; json?: boolean | undefined },
  work: (client: FibClient) => Promise<T>,
): Promise<T> {
  const url = resolveServerUrl(server, process.env);
  return asking(url, () => work(openClient(url, noticeOf(asJson))));
}

/** An id that the user's shell has lost, or cut, is found here and not by a server. */
function checkId({ id: text, server }: { id: string; server?: string | undefined }, command: string): string {
  if (/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)) return text;
  const name = `fibserver task ${command}`;
  throw usageError(name, `'${shortened(text)}' is no task's id`, `fibserver task list${serverFlag(server)}`);
}

async function putList(put: Put, tasks: AsyncIterable<Task>, asJson: boolean): Promise<void> {
  if (asJson) return putArray(put, tasks, ({ status }) => jsonLine(status));
  for await (const { status } of tasks) await put(Buffer.from(`${lineOf(status)}\n`));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

// The computation as `task run` would take it.
function lineOf({ id: taskId, state, progress, ...status }: TaskStatus): string {
  const { kind, m, n, mod, from, count, start } = status;
  const terms = from === "0" ? count : `${from}..${Number(from) + Number(count) - 1}`;
  const begin = start?.split(",").map(shortened).join(",");
  const given =
    kind === "sequence"
      ? `${terms}${begin === undefined ? "" : ` --start ${begin}`}`
      : [m, n, mod].flatMap((word) => (word === undefined ? [] : [shortened(word)])).join(" ");
  const percent = `${Math.floor(progress * 100)}%`.padStart(4);
  return `${taskId} ${state.padEnd(9)} ${percent} ${kind.padEnd(KIND_CHARS_MAX)} ${given}`;
}
