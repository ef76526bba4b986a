/**
 * A real redis-server for a test: on a free port of the loopback, gone with the test.
 *
 * Nothing of `src/` is imported here. Each server has a folder of its own, keeps its port and its
 * data through a kill -9, and is ended by its pid.
 * @module
 */
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { isWorking, requireTool, type Result, run, until } from "./binary.ts";

const INSTALL = "apt-get install redis-server";

/** A `test` that needs redis-server: without it skipped with a line, and failed under `CI=true`. */
export const withRedis = requireTool(["redis-server", "--version"], INSTALL);

/** Whether redis-server can be started here. */
export const hasRedis = isWorking(["redis-server", "--version"]);

/** As durable as a task or a move asks for. */
const DURABLE = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];

/** A redis-server that can be killed and started again. */
export interface Redis extends AsyncDisposable {
  /** Such as `redis://127.0.0.1:40123`. */
  readonly url: string;
  readonly port: number;
  /** Sends a signal to the process that runs now. */
  kill(signal: NodeJS.Signals): void;
  /** Sends a signal that ends it, and waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Ends it with SIGKILL, and waits until it is gone. */
  crash(): Promise<void>;
  /** Starts it again, with its data, and waits until it answers. */
  restart(): Promise<void>;
  /** Runs one command, by redis-cli. */
  cli(...command: string[]): Promise<string>;
  /** "master" or "slave"; something else while it cannot say: it is paused, or becomes the other and ends its connections. */
  role(): Promise<string>;
}

/**
 * Starts a server.
 *
 * @param settings - Further settings, such as `--requirepass`, after the durable ones: the last wins.
 * @param wire - To speak TLS on its port; the settings name the files, and close the other port.
 */
export async function startRedis(settings: readonly string[] = [], wire?: "tls"): Promise<Redis> {
  const folder = fs.mkdtempSync(path.join(rootFolder(), "fibserver-redis-"));
  const port = await freePort();
  const start = async () => {
    const child = Bun.spawn(
      [
        "redis-server",
        `--${wire === "tls" ? "tls-port" : "port"}`,
        String(port),
        "--bind",
        "127.0.0.1",
      ].concat(["--dir", folder, "--save", ""], DURABLE, settings),
      { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    );
    let log = "";
    void (async () => {
      for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) log += chunk;
    })();
    await until(`redis-server answers:\n${log}`, () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${log}`);
      return log.includes("Ready to accept connections");
    });
    return child;
  };
  let child = await start();
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await child.exited;
  };
  const crash = () => end("SIGKILL");
  return {
    url: `${wire === "tls" ? "rediss" : "redis"}://127.0.0.1:${port}`,
    port,
    kill: (signal) => child.kill(signal),
    end,
    crash,
    restart: async () => {
      child = await start();
    },
    cli: (...command) => Bun.$`redis-cli -p ${port} ${command}`.text(),
    role: async () =>
      (await Bun.$`timeout 2 redis-cli -p ${port} ROLE`.quiet().nothrow().text()).split("\n", 1)[0]!,
    async [Symbol.asyncDispose]() {
      // A stopped process does not die of SIGTERM.
      await crash();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Runs a command that a Redis or a Sentinel is to answer. Each has a second or less for it: where a busy machine has taken
 * longer, the command says that it has heard nothing, and is run again.
 */
export async function runHeard(...call: Parameters<typeof run>): Promise<Result> {
  let result: Result;
  await until(`${call[0].join(" ")} is answered`, async () => {
    result = await run(...call);
    return !/it says nothing|no connection could be made|no Sentinel answers/.test(result.stderr);
  });
  return result!;
}

/** Opens what needs a Redis that answers within two seconds: where a busy machine has taken longer, it is opened again. */
export async function patiently<T>(open: () => Promise<T>): Promise<T> {
  let opened: T | undefined;
  await until("Redis answers in time", async () => {
    try {
      opened = await open();
      return true;
    } catch (error) {
      if ((error as { readonly code?: string }).code !== "redis_unavailable") throw error;
      return false;
    }
  });
  return opened!;
}

/**
 * In memory where there is room. A replica whose disk hangs while it syncs may be the one that Sentinel chooses, by a
 * report of up to ten seconds before, though another one has more; and here whole disks are filled and torn beside it.
 */
export function rootFolder(): string {
  try {
    const { bavail, bsize } = fs.statfsSync("/dev/shm");
    if (bavail * bsize > 2 ** 30) return "/dev/shm";
  } catch {}
  return os.tmpdir();
}

/**
 * Ports that this process gives out: none that the kernel gives to who asks for any, or connects, so that a server finds
 * its own again after a kill -9; and none that another process gives out, since each keeps the first of its own open.
 */
const PORTS = { from: 10_000, to: 32_000, perProcess: 200 } as const;
let ports: Promise<{ readonly first: number; next: number }> | undefined;

async function claimPorts(): Promise<{ readonly first: number; next: number }> {
  const { from, to, perProcess } = PORTS;
  const blockCount = Math.floor((to - from) / perProcess);
  const start = Math.floor(Math.random() * blockCount);
  for (let i = 0; i < blockCount; i++) {
    const first = from + ((start + i) % blockCount) * perProcess;
    const claim = await listenOn(first);
    if (claim === undefined) continue;
    claim.unref();
    return { first, next: 1 };
  }
  throw new Error(`Every ${perProcess}th port from ${from} to ${to} is taken`);
}

/** A server on a port; undefined when that is taken. */
function listenOn(port: number): Promise<net.Server | undefined> {
  const server = net.createServer().listen(port, "127.0.0.1");
  return new Promise((resolve) => {
    server.once("listening", () => resolve(server)).once("error", () => resolve(undefined));
  });
}

/** A port that is free, and that nobody else takes: the others of this process get it last. */
export async function freePort(): Promise<number> {
  const own = await (ports ??= claimPorts());
  for (;;) {
    const port = own.first + own.next;
    own.next = (own.next % (PORTS.perProcess - 1)) + 1;
    const server = await listenOn(port);
    if (server === undefined) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
