/**
 * `fibserver` itself: letters move the cursor, no letters serve it.
 *
 * The flags are those of the Go cursor server. Server modules are loaded only when
 * serving: `fibserver n` should cost little more than an empty program.
 * @module
 */
import { defineCommand } from "citty";
import {
  CLIENT_FLAGS,
  type Config,
  CURSOR_FLAGS,
  type Flags,
  LIMIT_FLAGS,
  PROCESS_FLAGS,
  REDIS_FLAGS,
  resolveConfig,
  resolveServerUrl,
  SERVER_FLAGS,
  TASK_FLAGS,
} from "../config.ts";
import { type Command, nearest, usageError } from "./arguments.ts";
import { isLetter, LETTERS, runMoves } from "./moves.ts";

const root = defineCommand({
  meta: { name: "fibserver", description: "A durable cursor through the Fibonacci sequence" },
  args: {
    letters: {
      type: "positional",
      required: false,
      valueHint: "p|c|n...",
      description: "p previous, c current, n next: as many as you like; none to serve HTTP",
    },
    ...CURSOR_FLAGS,
    ...SERVER_FLAGS,
    ...LIMIT_FLAGS,
    ...REDIS_FLAGS,
    ...TASK_FLAGS,
    ...PROCESS_FLAGS,
    server: { ...CLIENT_FLAGS.server, description: "Move the cursor of this server, not a file's" },
    interactive: { type: "boolean", alias: "i", description: "Read p, c, n, h and q from standard input" },
    json: { type: "boolean", description: "Print what the server would answer" },
    version: { type: "boolean", description: "Print the version" },
    help: { type: "boolean", alias: "h", description: "Print this help" },
  },
  async run({ args }) {
    const letters = checkLetters(args._);
    if (args.server !== undefined) {
      checkRemote(args as unknown as Flags, letters);
      const { runRemoteMoves } = await import("./remote.ts");
      return runRemoteMoves(resolveServerUrl(args.server, process.env), letters, args.json ?? false);
    }
    const config = resolveConfig(args as unknown as Flags, process.env);
    const ofServer = { ...SERVER_FLAGS, ...LIMIT_FLAGS, ...TASK_FLAGS, ...REDIS_FLAGS };
    const serving = Object.keys(ofServer).some((flag) => args[flag] !== undefined);
    if (serving && (letters.length > 0 || args.interactive)) {
      throw usageError("fibserver", "it either serves or moves", `fibserver ${letters.join(" ") || "-i"}`);
    }
    if (args.interactive && letters.length > 0) {
      throw usageError("fibserver", "-i reads the letters from standard input", "fibserver -i");
    }
    if (letters.length === 0 && !args.interactive) return await serve(config);
    if (config.oneCpu) (await import("./one-cpu.ts")).useOneCpu();
    if (args.interactive) await (await import("./interactive.ts")).runInteractive(config, args.json ?? false);
    else await runMoves(config, letters, args.json ?? false);
  },
});

const server = defineCommand({
  meta: { name: "serve", description: "Serve HTTP, as fibserver without letters does" },
  args: { ...CURSOR_FLAGS, ...SERVER_FLAGS, ...LIMIT_FLAGS, ...TASK_FLAGS, ...REDIS_FLAGS, ...PROCESS_FLAGS },
  run: ({ args }) => serve(resolveConfig(args as unknown as Flags, process.env)),
});

const numbers = () => import("./numbers.ts");
const subCommands = {
  serve: server,
  worker: async () => (await import("./worker.ts")).worker,
  cursor: async () => (await import("./cursor.ts")).cursor,
  fib: async () => (await numbers()).fib,
  fact: async () => (await numbers()).fact,
  ack: async () => (await numbers()).ack,
  index: async () => (await numbers()).index,
  seq: async () => (await import("./sequence.ts")).seq,
  task: async () => (await import("./task.ts")).task,
};

/** The root of all commands. */
export const fibserver: Command = { ...root, subCommands };

async function serve(config: Config): Promise<void> {
  if (config.oneCpu) (await import("./one-cpu.ts")).useOneCpu();
  await (await import("./serve.ts")).serve(config);
}

// What another process does is not ours to set.
function checkRemote(args: Flags, letters: readonly string[]): void {
  const rightLine = `fibserver --server ${String(args["server"])} ${letters.join(" ") || "n"}`;
  if (letters.length === 0) throw usageError("fibserver", "--server takes the letters p, c, n", rightLine);
  const given = Object.keys(args).find(
    (flag) => flag.length > 1 && !["letters", "server", "json"].includes(flag) && Boolean(args[flag]),
  );
  if (given !== undefined) {
    throw usageError("fibserver", `--${given} has no meaning for another server`, rightLine);
  }
}

function checkLetters(words: readonly string[]): (keyof typeof LETTERS)[] {
  const commands = Object.keys(subCommands);
  return words.map((word) => {
    if (isLetter(word)) return word;
    if (commands.includes(word))
      throw usageError("fibserver", "the command comes first", `fibserver ${word} --help`);
    const meant = nearest(word, commands);
    throw usageError(
      "fibserver",
      `'${word.slice(0, 40)}' is no command and none of the letters p, c, n`,
      meant && word.length > 2 ? `fibserver ${meant}` : "fibserver n",
    );
  });
}
