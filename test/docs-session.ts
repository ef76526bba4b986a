/**
 * A shell for the commands of one page: a folder and a home of its own, the real program on the PATH, and a port of the
 * loopback in place of 8080. What is typed there finds whatever the commands before it have left, as a reader's would.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { BINARY, temporaryFolder, until } from "./binary.ts";
import { isShown } from "./docs-pages.ts";
import { freePort } from "./redis.ts";

/** What one command has printed, on both outputs, and its status. */
interface Typed {
  readonly output: string;
  readonly exitCode: number;
}

/** Where a page's commands are typed. */
export interface Session extends AsyncDisposable {
  /** What the page shows, with this machine's addresses in place of the reader's. */
  translated(text: string): string;
  /**
   * Types a command. One that serves, and so ends with `&`, is waited for until it serves.
   *
   * @param shown - What it prints by the page; one that goes on until ^C gets that when it has printed it.
   */
  run(text: string, shown?: string): Promise<Typed>;
}

/** Commands that go on until they are ended, and what they say when they are ready. */
const SERVING = [
  [/^(\w+=\S* )*fibserver( serve\b| -p\b| *$)/, /"url":"http/],
  [/^(\w+=\S* )*fibserver worker\b/, /"message":"Computing/],
  [/^redis-server /, /Ready to accept connections/],
] as const;

/** Commands that ask a server, whether they name one or not. */
const ASKING = /8080|^fibserver (task|status)\b|\$\(fibserver task\b/;

/** Opens one. */
export async function openSession(): Promise<Session> {
  const folder = temporaryFolder();
  const port = String(await freePort());
  const redisPort = String(await freePort());
  const inside = (name: string) => path.join(folder.path, name);
  for (const name of ["bin", "home", "work", "backups", "redis"]) fs.mkdirSync(inside(name));
  fs.symlinkSync(BINARY, inside("bin/fibserver"));
  // As it is where the answer goes to a terminal.
  fs.writeFileSync(inside("home/.curlrc"), "no-progress-meter\n");
  const shell = openShell(inside("work"), {
    PATH: `${inside("bin")}:${process.env["PATH"]}`,
    HOME: inside("home"),
    LC_ALL: "C.UTF-8",
    FIBSERVER_PORT: port,
  });
  const running: { pid: number; isServer: boolean; sharesPort: boolean }[] = [];

  /** Types what goes on until it is ended. @param log - Gets what it prints. @returns Its process. */
  const begin = async (words: string, log: string): Promise<number> => {
    fs.writeFileSync(log, "");
    return Number((await shell.type(`${words} >${log} 2>&1 & echo $!`)).output);
  };

  const translated = (text: string) =>
    text
      .replaceAll("8080", port)
      .replaceAll("6379", redisPort)
      .replaceAll(/\b10\.0\.0\.7\b|\b0\.0\.0\.0\b/g, "127.0.0.1")
      .replaceAll("/backups/", `${inside("backups")}/`);

  const start = async (line: string, ready: RegExp): Promise<Typed> => {
    const isServer = ready === SERVING[0][1];
    const sharesPort = line.includes("--reuse-port");
    // One port, one server: who shows another means it in the place of the one before.
    for (const before of running)
      if (isServer && before.isServer && !(sharesPort && before.sharesPort)) await end(before.pid);
    const log = inside(`log-${running.length}`);
    const own = line.startsWith("redis-server")
      ? ` --port ${redisPort} --bind 127.0.0.1 --dir ${inside("redis")}`
      : "";
    const words = /^(.*) &( +#.*)?$/.exec(line)?.[1];
    if (words === undefined)
      throw new Error(`This goes on until it is ended, so a reader needs an & behind it: ${line}`);
    const pid = await begin(words + own, log);
    running.push({ pid, isServer, sharesPort });
    const said = () => fs.readFileSync(log, "utf8");
    await until(`${line} is ready`, () => {
      if (!isRunning(pid)) throw new Error(`${line} ended: ${said()}`);
      return ready.test(said());
    });
    return { output: "", exitCode: 0 };
  };

  const interrupt = async (line: string, shown: string): Promise<Typed> => {
    const log = inside("interrupted");
    // What a shell that is no person's has in the background takes no ^C otherwise.
    const pid = await begin(`env --default-signal=INT ${line.replace(/ +#.*/, "")}`, log);
    const printed = () => fs.readFileSync(log, "utf8").replaceAll("\r", "").replace(/\n$/, "");
    await until(`${line} prints`, () => !isRunning(pid) || isShown(printed(), shown)).catch(() => {});
    const { exitCode } = await shell.type(`kill -INT ${pid}; wait ${pid}`);
    return { output: printed(), exitCode: exitCode === 130 ? 0 : exitCode };
  };

  return {
    translated,
    async run(text, shown) {
      const line = translated(text);
      const serving = SERVING.find(([words]) => words.test(text));
      if (serving !== undefined) return start(line, serving[1]);
      if (ASKING.test(text) && !running.some(({ isServer }) => isServer))
        await start(`fibserver -p ${port} &`, SERVING[0][1]);
      return /# .*\^C/.test(text) && shown !== undefined ? interrupt(line, shown) : shell.type(line);
    },
    async [Symbol.asyncDispose]() {
      for (const { pid } of running) if (isRunning(pid)) process.kill(pid, "SIGKILL");
      // What still ends may still write.
      await until("what it has started is gone", () => !running.some(({ pid }) => isRunning(pid)));
      await shell.close();
      folder[Symbol.dispose]();
    },
  };
}

/** A bash that goes on from command to command, with its variables. */
function openShell(cwd: string, env: Record<string, string>) {
  const bash = Bun.spawn(["bash", "--noprofile", "--norc"], { cwd, env, stdio: ["pipe", "pipe", "inherit"] });
  const reader = bash.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let typed = 0;
  return {
    async type(text: string): Promise<Typed> {
      const mark = `--- ${++typed} of ${bash.pid} ended with`;
      await bash.stdin.write(`{ ${text}\n} </dev/null 2>&1; printf '\\n%s %s\\n' '${mark}' "$?"\n`);
      await bash.stdin.flush();
      let said = "";
      for (;;) {
        const at = said.indexOf(`\n${mark} `);
        if (at >= 0 && said.endsWith("\n")) {
          const exitCode = Number(said.slice(at + mark.length + 2));
          // What ends a header's line is not seen.
          return { output: said.slice(0, at).replaceAll("\r", "").replace(/\n$/, ""), exitCode };
        }
        const { value, done } = await reader.read();
        if (done) throw new Error(`The shell ended: ${said}`);
        said += value;
      }
    },
    async close() {
      bash.kill("SIGKILL");
      await bash.exited;
    },
  };
}

function isRunning(pid: number): boolean {
  try {
    // A child of the shell that has ended stays one until the shell waits for it.
    return !fs.readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
  } catch {
    return false;
  }
}

async function end(pid: number): Promise<void> {
  if (isRunning(pid)) process.kill(pid, "SIGTERM");
  await until(`process ${pid} ended`, () => !isRunning(pid));
}
