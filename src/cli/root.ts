/**
 * `fibserver` itself: letters move the cursor, no letters serve it.
 *
 * The flags are those of the Go cursor server. Server modules are loaded only when
 * serving: `fibserver n` should cost little more than an empty program.
 * @module
 */
import { defineCommand } from "citty";
import { BUILD_INFO } from "../build-info.ts";
import { type Config, type Flags, resolveConfig } from "../config/config.ts";
import { DEFAULT_NAME } from "../cursor-name.ts";
import { shortened } from "../shell-word.ts";
import { type Command, findCommand, nearest } from "./arguments.ts";
import { usageError, withLine } from "./hints.ts";
import {
  CLIENT_FLAGS,
  CURSOR_FLAGS,
  CURSORS_FLAGS,
  ENVIRONMENT,
  LIMIT_FLAGS,
  NAME_FLAGS,
  PROCESS_FLAGS,
  REDIS_FLAGS,
  SERVER_FLAGS,
  TASK_FLAGS,
} from "./flags.ts";
import { pageOf, renderHelp } from "./help.ts";
import { resolvePlace } from "./cursor-place.ts";
import { isLetter, LETTERS } from "./letters.ts";
import { runMoves } from "./moves.ts";
import { print } from "./output.ts";

/** What only a server has a use for. */
const SERVING_FLAGS = { ...SERVER_FLAGS, ...LIMIT_FLAGS, ...CURSORS_FLAGS, ...TASK_FLAGS };

/** What only letters have a use for. */
const LETTER_FLAGS = ["json", "cursor", "server"] as const;

const MISPLACED = {
  metrics: "that is a worker's; a server has /metrics, /livez and /readyz on its own port",
  cors: "--allow-origin names pages of other origins that may ask",
};

/** The same, and what is for letters. */
const MISPLACED_AT_SERVER = {
  ...MISPLACED,
  cursor: "a server has all cursors, each under /v1/cursors/NAME",
};

const root = defineCommand({
  meta: {
    name: "fibserver",
    description: "A durable cursor through the Fibonacci sequence, exact numbers of any length",
    usage: [
      ["fibserver LETTER... [OPTIONS]", "move the cursor: n next, p previous, c current"],
      ["fibserver -i [OPTIONS]", "read letters from standard input"],
      ["fibserver [-p PORT] [OPTIONS]", "serve it over HTTP, as `fibserver serve` does"],
      ["fibserver COMMAND ...", "see `fibserver help COMMAND`"],
    ],
    groups: {
      Numbers: ["fib", "lucas", "fact", "ack", "index", "zeck", "pisano", "seq"],
      "Servers and tasks": ["serve", "worker", "status", "task", "token"],
      "The cursor and this program": ["cursor", "backup", "restore", "completion", "help", "version"],
    },
    examples: [
      "fibserver n n p -f my-cursor  # three moves of the cursor in a file",
      "fibserver c  # where the cursor stands; moves nothing",
      "fibserver fib 100000000 -o f.txt  # F(10^8): 20,898,764 digits",
    ],
    unlisted: [
      ...Object.keys({ ...SERVING_FLAGS, ...PROCESS_FLAGS }),
      ...Object.keys(REDIS_FLAGS).filter((flag) => flag !== "redis"),
    ],
    misplaced: MISPLACED,
    apart: [
      [Object.keys(SERVING_FLAGS), ["letters", "interactive", ...LETTER_FLAGS]],
      [["letters"], ["interactive"]],
    ],
    notes: "A server's options, and their names in the environment: fibserver help serve.",
  },
  args: {
    letters: { type: "positional", required: false, valueHint: "LETTER...", values: LETTERS },
    ...CURSOR_FLAGS,
    ...SERVING_FLAGS,
    ...REDIS_FLAGS,
    ...PROCESS_FLAGS,
    ...NAME_FLAGS,
    server: { ...CLIENT_FLAGS.server, description: "Move the cursor of this server, not a file's" },
    interactive: { type: "boolean", alias: "i", description: "Read p, c, n, h and q from standard input" },
    json: { type: "boolean", description: "Print what the server would answer, and errors as JSON" },
  },
  async run({ args }) {
    const letters = checkLetters(args._);
    const serves = letters.length === 0 && !args.interactive;
    const notServed = LETTER_FLAGS.find((flag) => args[flag] !== undefined);
    if (serves && notServed !== undefined)
      throw usageError("fibserver", `--${notServed} is for letters, and there are none`);
    if (serves) return await serve(serverConfig(args));
    const servingFlag = Object.keys(SERVING_FLAGS).find((flag) => args[flag] !== undefined);
    if (servingFlag !== undefined) {
      throw usageError("fibserver", `--${servingFlag} is for a server, which takes no letters`);
    }
    if (args.interactive && letters.length > 0) {
      throw usageError("fibserver", "-i reads the letters from standard input");
    }
    const { json = false } = args;
    const { runLetters } = await import("./shell-cursor.ts");
    const place = resolvePlace("fibserver", args as unknown as Flags);
    if (args.interactive) return (await import("./interactive.ts")).runInteractive(place, json);
    if (place.server !== undefined || place.name !== DEFAULT_NAME) return runLetters(place, letters, json);
    await runMoves(place.config, letters, json);
  },
});

const server = defineCommand({
  meta: {
    name: "serve",
    description: "Serve the cursor, numbers and tasks over HTTP",
    examples: [
      "fibserver serve -p 8080",
      "fibserver serve --host 0.0.0.0 --allow-host fib.example.org --tokens tokens  # open to the network",
      "fibserver serve --redis redis://127.0.0.1:6379  # one of several servers",
    ],
    misplaced: MISPLACED_AT_SERVER,
    notes: ENVIRONMENT,
  },
  args: { ...CURSOR_FLAGS, ...SERVING_FLAGS, ...REDIS_FLAGS, ...PROCESS_FLAGS },
  run: ({ args }) => serve(resolveConfig(args as unknown as Flags, process.env)),
});

const help = defineCommand({
  meta: {
    name: "help",
    description: "Show the help of a command",
    examples: ["fibserver help fib", "fibserver help cursor set"],
  },
  args: { command: { type: "positional", required: false, valueHint: "COMMAND...", values: "commands" } },
  async run({ args }) {
    const found = await findCommand(fibserver, args._);
    // The letters have the page of the program, as `fibserver n --help` has.
    const isFound = found.command === fibserver ? found.argv.every(isLetterOrI) : found.argv.length === 0;
    if (isFound) return print(await renderHelp(found, pageOf(process.stdout, process.env)));
    const name = args._.join(" ");
    const reason = `there is no command '${shortened(name)}'`;
    const meant = found.command === fibserver ? commandMeant(found.argv[0]!) : undefined;
    if (meant === undefined) throw usageError("fibserver help", reason, "fibserver help");
    throw usageError("fibserver help", `${reason} (did you mean ${meant}?)`, helpOf(meant));
  },
});

const versionCommand = defineCommand({
  meta: {
    name: "version",
    description: "Show the version",
    examples: ["fibserver version", "fibserver version --json"],
  },
  args: { json: { type: "boolean", description: "Print version, commit and Bun as JSON" } },
  run: ({ args }) => (args.json ? print(`${JSON.stringify(BUILD_INFO)}\n`) : printVersion()),
});

const numbers = () => import("./numbers.ts");
const inquiries = () => import("./inquiries.ts");
const subCommands = {
  serve: server,
  worker: async () => (await import("./worker.ts")).worker,
  status: async () => (await import("./status.ts")).status,
  cursor: async () => (await import("./cursor.ts")).cursor,
  backup: async () => (await import("./backup.ts")).backup,
  restore: async () => (await import("./backup.ts")).restore,
  fib: async () => (await numbers()).fib,
  lucas: async () => (await numbers()).lucas,
  fact: async () => (await numbers()).fact,
  ack: async () => (await numbers()).ack,
  index: async () => (await numbers()).index,
  zeck: async () => (await inquiries()).zeck,
  pisano: async () => (await inquiries()).pisano,
  seq: async () => (await import("./sequence.ts")).seq,
  task: async () => (await import("./task.ts")).task,
  token: async () => (await import("./token.ts")).token,
  completion: async () => (await import("./completion.ts")).completion,
  help,
  version: versionCommand,
};

/** The root of all commands. */
export const fibserver: Command = { ...root, subCommands };

/** Prints the version, as the first word: a script may compare it. */
export function printVersion(): void {
  const { version, commit, bun } = BUILD_INFO;
  print(`${version} (commit ${commit}, Bun ${bun})\n`);
}

function serverConfig(args: object): Config {
  try {
    return resolveConfig(args as Flags, process.env);
  } catch (error) {
    throw withLine(error, "fibserver help serve");
  }
}

async function serve(config: Config): Promise<void> {
  if (config.oneCpu) (await import("./one-cpu.ts")).useOneCpu();
  await (await import("../serving/serve.ts")).serve(config);
}

function checkLetters(words: readonly string[]): (keyof typeof LETTERS)[] {
  const commands = Object.keys(subCommands);
  return words.map((word) => {
    if (isLetter(word)) return word;
    if (commands.includes(word))
      throw usageError("fibserver", `${word} is a command, and those come first`, helpOf(word));
    const letter = Object.entries(LETTERS).find(([, move]) => word.length > 2 && move.startsWith(word))?.[0];
    const meant = commandMeant(word);
    const reason = `'${shortened(word)}' is no command and none of the letters p, c, n`;
    if (letter !== undefined) throw usageError("fibserver", `${reason} (did you mean ${letter}?)`);
    if (meant === undefined) throw usageError("fibserver", reason);
    throw usageError("fibserver", `${reason} (did you mean ${meant}?)`, helpOf(meant));
  });
}

/** A name in full, such as zeckendorf, is as good as one that is mistyped. */
function commandMeant(word: string): string | undefined {
  const commands = Object.keys(subCommands);
  return (
    commands.find((command) => word.startsWith(command)) ??
    (word.length > 2 ? nearest(word, commands) : undefined)
  );
}

function isLetterOrI(word: string): boolean {
  return isLetter(word) || word === "i";
}

function helpOf(command: string): string {
  return command === "help" ? "fibserver help" : `fibserver help ${command}`;
}
