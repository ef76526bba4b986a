/**
 * `fibserver task run|list|show|result|cancel|forget`: computations on a server.
 * @module
 */
import { defineCommand } from "citty";
import type { Computation, Task, TaskStatus } from "../client/client.ts";
import { resolveServerUrl } from "../config.ts";
import { jsonFrame } from "../numbers/layouts.ts";
import { type Command, usageError } from "./arguments.ts";
import { CLIENT_FLAGS } from "./flags.ts";
import { print, warn } from "./output.ts";
import { openProgress } from "./progress.ts";
import { asking, openClient } from "./remote.ts";
import { checkOutput, RESULT_FLAGS, writePieces } from "./result.ts";
import { parseTerms } from "./sequence.ts";

/** Whoever waits for hours waits for a server that is started again, too: half a minute. */
const WAITING = { retriesMax: 10 };
/** Before the shell gets its prompt back. */
const CANCELLING = { retriesMax: 1, timeoutMs: 5000 };

const id = { type: "positional", required: true, description: "The task's id" } as const;
const { json } = RESULT_FLAGS;

const run = defineCommand({
  meta: {
    name: "run",
    description: "Start a task, wait for it, print its result; ^C cancels it unless others want it",
    examples: [
      "fibserver task run fibonacci 100000000 -o f.txt",
      "fibserver task run sequence 1000..2000 --server http://10.0.0.7:8080",
    ],
  },
  args: {
    computation: {
      type: "positional",
      required: true,
      valueHint: "KIND N...",
      description: "fibonacci N, factorial N, ackermann M N, sequence COUNT or sequence FROM..TO",
    },
    ...RESULT_FLAGS,
    ...CLIENT_FLAGS,
  },
  async run({ args }) {
    const computation = parseComputation(args._);
    checkOutput(args.out);
    const client = clientOf(args);
    await asking(async () => {
      const task = await runToEnd(() => client.tasks.create(computation), {
        name: args._.join(" "),
        goOn: (taskId) => `fibserver task result ${taskId}${args.server ? ` --server ${args.server}` : ""}`,
      });
      await writePieces(args.out, resultPieces(task, args.json ?? false));
    });
  },
});

const list = defineCommand({
  meta: {
    name: "list",
    description: "Print the tasks of a server, one a line",
    examples: ["fibserver task list", "fibserver task list --state ready --json"],
  },
  args: {
    state: { type: "string", valueHint: "STATE", description: "queued, running, ready, failed or cancelled" },
    json,
    ...CLIENT_FLAGS,
  },
  async run({ args }) {
    const state = args.state as TaskStatus["state"] | undefined;
    await asking(async () => {
      for await (const { status } of clientOf(args).tasks.list({ state })) {
        print(`${args.json ? JSON.stringify(status) : lineOf(status)}\n`);
      }
    });
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
    const { status } = await asking(() => clientOf(args).tasks.get(args.id));
    const lines = Object.entries(status).map(([name, value]) => `${name}: ${value}`);
    print(`${args.json ? JSON.stringify(status) : lines.join("\n")}\n`);
  },
});

const result = defineCommand({
  meta: {
    name: "result",
    description: "Print the result of a task that is ready",
    examples: ["fibserver task result 01a1fd64-51f4-7678-af12-2ee8e6058112 -o f.txt"],
  },
  args: { id, ...RESULT_FLAGS, ...CLIENT_FLAGS },
  async run({ args }) {
    checkOutput(args.out);
    await asking(async () => {
      const task = await clientOf(args).tasks.get(args.id);
      await writePieces(args.out, resultPieces(task, args.json ?? false));
    });
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
    const { state } = await asking(async () => (await clientOf(args).tasks.get(args.id)).cancel());
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
    await asking(() => clientOf(args).tasks.forget(args.id));
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
  subCommands: { run, list, show, result, cancel, forget },
};

function clientOf({ server }: { server?: string | undefined }) {
  return openClient(resolveServerUrl(server, process.env));
}

/** How a task that is waited for is called, and how to get its result later, as a command line. */
interface Wait {
  readonly name: string;
  readonly goOn: (taskId: string) => string;
}

/**
 * Starts a task and shows its progress until it is ready. A signal cancels it, unless somebody else has asked for it
 * too, and then ends this process as it would have done at once.
 */
async function runToEnd(create: () => Promise<Task>, { name, goOn }: Wait): Promise<Task> {
  const progress = await openProgress(name);
  const abort = new AbortController();
  const { signal } = abort;
  const onSignal = (received: NodeJS.Signals) => abort.abort(received);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const each of signals) process.once(each, onSignal);
  try {
    // Not aborted: a task whose id is not known could not be cancelled.
    const created = await create();
    try {
      for await (const status of created.events({ ...WAITING, signal })) progress.update(status.progress);
      await created.ready();
      return created;
    } catch (error) {
      if (!signal.aborted) throw error;
      progress.end();
      await cancelAndSay(created, goOn(created.id));
    }
  } finally {
    for (const each of signals) process.off(each, onSignal);
    progress.end();
  }
  process.kill(process.pid, signal.reason as NodeJS.Signals);
  return new Promise<never>(() => {});
}

async function cancelAndSay(created: Task, goOn: string): Promise<void> {
  const name = `Task ${created.id}`;
  try {
    const { state, requests } = await created.cancel({ ...CANCELLING, unlessShared: true });
    if (state === "cancelled" || state === "failed") warn(`${name} is ${state}`);
    else if (state === "ready") warn(`${name} is ready: ${goOn}`);
    else warn(`${name} goes on, because it was asked for ${requests} times: ${goOn}`);
  } catch (error) {
    warn(`Cannot tell whether task ${created.id} was cancelled: ${(error as Error).message}`);
  }
}

/** What `fib`, `fact`, `ack` and `seq` would print. */
async function* resultPieces(ready: Task, asJson: boolean): AsyncGenerator<Uint8Array, void> {
  const { kind, m, n, digits } = ready.status;
  if (kind === "sequence" && asJson) {
    let separator = "[";
    for await (const term of ready.terms({ as: "text", wait: false })) {
      yield Buffer.from(`${separator}"${term}"`);
      separator = ",";
    }
    yield Buffer.from(separator === "[" ? "[]\n" : "]\n");
    return;
  }
  const stream = await ready.result({ as: "stream", wait: false });
  const { head, tail } = asJson ? jsonFrame({ m, n }, digits) : { head: "", tail: "" };
  if (asJson) yield Buffer.from(head);
  yield* stream;
  if (kind !== "sequence") yield Buffer.from(`${tail}\n`);
}

// The computation as `task run` would take it.
function lineOf({ id: taskId, kind, m, n, from, count, state, progress }: TaskStatus): string {
  const terms = from === "0" ? count : `${from}..${Number(from) + Number(count) - 1}`;
  const given = kind === "sequence" ? terms : [m, n].filter(Boolean).join(" ");
  const percent = `${Math.floor(progress * 100)}%`.padStart(4);
  return `${taskId} ${state.padEnd(9)} ${percent} ${kind} ${given}`;
}

function parseComputation(words: readonly string[]): Computation {
  const [kind = "", ...values] = words;
  const name = "fibserver task run";
  if (kind === "sequence" && values.length === 1) {
    return { kind, ...parseTerms(values[0]!, `${name} sequence`) };
  }
  const wrong = values.find((value) => !/^\d{1,1000}$/.test(value));
  if (wrong !== undefined) {
    throw usageError(name, `'${wrong.slice(0, 40)}' is no whole number from 0`);
  }
  const [first = 0n, second = 0n] = values.map(BigInt);
  if ((kind === "fibonacci" || kind === "factorial") && values.length === 1) return { kind, n: first };
  if (kind === "ackermann" && values.length === 2) return { kind, m: first, n: second };
  const takes = "fibonacci N, factorial N, ackermann M N, sequence COUNT or sequence FROM..TO";
  throw usageError(name, `it takes ${takes}`);
}
