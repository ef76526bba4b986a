/**
 * `fibserver task run`: what is asked for, and of whom.
 * @module
 */
import { defineCommand } from "citty";
import { type Computation, FibClientError } from "../client/client.ts";
import { LIMITS } from "../config/config.ts";
import type { FibError } from "../errors.ts";
import { JOB_ARGUMENTS } from "../numbers/job.ts";
import { jsonLine, shortened } from "../shell-word.ts";
import { TASK_ARGUMENTS } from "../tasks/task.ts";
import { CLIENT_FLAGS } from "./flags.ts";
import { Wait } from "./follow.ts";
import { serverFlag, usageError } from "./hints.ts";
import { print } from "./output.ts";
import { WAITING } from "./remote.ts";
import { checkOutput, RESULT_FLAGS } from "./result.ts";
import { parseStart, parseTerms, START_FLAG } from "./sequence.ts";
import { writeTaskResult } from "./task-result.ts";

/** What `task run` takes. */
const KINDS = [
  ...Object.entries(JOB_ARGUMENTS).map(([kind, names]) => `${kind} ${names.join(" ").toUpperCase()}`),
  "sequence COUNT or sequence FROM..TO",
].join(", ");

/** Starts a task and waits for it. */
export const run = defineCommand({
  meta: {
    name: "run",
    description: "Start a task, wait for it, print its result; ^C cancels it unless others want it",
    examples: [
      "fibserver task run fibonacci 100000000 -o f.txt",
      "fibserver task run sequence 1000..2000 --server http://10.0.0.7:8080",
      "fibserver task run sequence 100 --start 2,1",
      "fibserver task run statistics 100000000 --json",
    ],
    misplaced: {
      mod: "remainder N MOD is a task of its own",
      stats: "statistics N is a task of its own",
      first: "the ends of F(N) take no task: fibserver fib N --first K",
      last: "the ends of F(N) take no task: fibserver fib N --last K",
    },
  },
  args: {
    computation: {
      type: "positional",
      required: true,
      valueHint: "KIND N...",
      values: Object.keys(TASK_ARGUMENTS),
      description: KINDS,
    },
    start: START_FLAG,
    detach: { type: "boolean", description: "Print the task's id, and do not wait" },
    ...RESULT_FLAGS,
    ...CLIENT_FLAGS,
  },
  async run({ args }) {
    const computation = parseComputation(args._, args.start);
    if (args.detach && args.out !== undefined) {
      const line = `fibserver task run ${args._.join(" ")} --detach`;
      throw usageError(
        "fibserver task run",
        "--detach waits for no result, so -o has nothing to write",
        line,
      );
    }
    await checkOutput(args.out);
    const wait = new Wait(args._.map(shortened).join(" "), args);
    const create = () =>
      wait.client.tasks.create(computation, WAITING).catch((error: unknown) => {
        throw isOlder(error, computation) ? olderServer(computation, args.server) : error;
      });
    if (args.detach) {
      const { status } = await wait.asking(create);
      const told = `${args.json ? jsonLine(status) : status.id}\n`;
      return wait.asking(() => Promise.resolve(print(told)), status.id);
    }
    const started = await wait.runToEnd(create);
    await wait.asking(() => writeTaskResult(started, args), started.id);
  },
});

function parseComputation(words: readonly string[], start: string | undefined): Computation {
  const [kind = "", ...values] = words;
  const name = "fibserver task run";
  if (kind === "sequence" && values.length === 1) {
    return { kind, ...parseTerms(values[0]!, name), start: parseStart(start, name) };
  }
  if (kind === "sequence" && values.length === 0)
    throw usageError(name, "COUNT is missing: it takes sequence COUNT or sequence FROM..TO");
  if (start !== undefined && kind !== "sequence") throw usageError(name, "--start is for a sequence");
  const wrong = values.find((value) => !/^\d+$/.test(value));
  if (wrong !== undefined) throw usageError(name, `'${shortened(wrong)}' is no whole number from 0`);
  const digits = values.join("").length;
  // No body of a request holds more; below, the server says what it takes of each kind.
  if (digits > LIMITS.remainderDigitsMax)
    throw usageError(
      name,
      kind === "remainder"
        ? `N and MOD have ${digits} digits: together they have ${LIMITS.remainderDigitsMax} at most; fibserver fib N --mod M takes more`
        : `it takes no ${digits} digits: a number has ${LIMITS.parameterDigitsMax} at most`,
    );
  const takes: readonly string[] = isKind(kind) ? TASK_ARGUMENTS[kind] : [];
  if (kind === "sequence" || takes.length === 0 || takes.length !== values.length)
    throw usageError(name, `it takes ${KINDS}`);
  const given = Object.fromEntries(takes.map((argument, i) => [argument, BigInt(values[i]!)]));
  return { kind, ...given } as Computation;
}

function isKind(kind: string): kind is Computation["kind"] {
  return Object.hasOwn(TASK_ARGUMENTS, kind);
}

/** Whether a server has refused what it would not refuse if it were as new as this. */
function isOlder(error: unknown, { kind }: Computation): boolean {
  if (!(error instanceof FibClientError) || error.code !== "bad_argument") return false;
  const { detail } = error;
  const isUnknown = detail.startsWith("Cannot find the kind: ") && !detail.includes(kind);
  return isUnknown || detail.startsWith("Cannot use 'start': sequence takes ");
}

function olderServer({ kind }: Computation, server: string | undefined): FibError {
  const what = kind === "sequence" ? "sequences with a start" : `tasks of the kind ${kind}`;
  const line = `fibserver status${serverFlag(server)}`;
  return usageError("fibserver task run", `the server is of an older version, without ${what}`, line);
}
