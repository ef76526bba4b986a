/**
 * What systemd is told, and that it never harms when systemd does not listen.
 * Method: the program, and a datagram socket of Python's in the place of systemd's.
 */
import { expect, onTestFinished, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { injectInto, requireTool, startServer, temporaryFolder, until, withStrace } from "./binary.ts";
import { startWorker } from "./executor.ts";
import { hasRedis, startRedis, withRedis } from "./redis.ts";

setDefaultTimeout(300_000);

const withPython = requireTool(["python3", "--version"], "apt-get install python3");
const withBoth = hasRedis ? withPython : withRedis;

/** Prints each datagram as JSON, one a line, and waits for so many lines on its input before. */
const LISTENER = `
import json, os, socket, sys
address, holds = sys.argv[1], int(sys.argv[2])
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\\0" + address[1:] if address.startswith("@") else address)
print("ready", flush=True)
for _ in range(holds): sys.stdin.readline()
while True: print(json.dumps(listener.recv(4096).decode()), flush=True)
`;

/** Listens as systemd does. With `holds` it reads nothing until {@link release} was called. */
async function listen(address: string, holds = 0) {
  const child = Bun.spawn(["python3", "-c", LISTENER, address, String(holds)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => child.kill("SIGKILL"));
  const lines: string[] = [];
  void (async () => {
    let rest = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
    }
  })();
  await until("it listens", () => lines.length > 0);
  return {
    heard: () => lines.slice(1).map((line) => JSON.parse(line) as string),
    release: async () => {
      await child.stdin.write("\n");
      await child.stdin.flush();
    },
  };
}

for (const kind of ["a path", "an abstract name"] as const) {
  withPython(`NOTIFY_SOCKET as ${kind}: READY with a status, then STOPPING`, async () => {
    using folder = temporaryFolder();
    const socket = path.join(folder.path, "notify");
    const address = kind === "a path" ? socket : `@${socket}`;
    const { heard } = await listen(address);
    const file = path.join(folder.path, "a\ncursor");
    await using server = await startServer(["-f", file, "--base-path", "/fib"], {
      env: { NOTIFY_SOCKET: address },
    });
    await until("it was ready", () => heard().length > 0);
    expect(server.url).toEndWith("/fib");
    const status = `Serving ${folder.path}/a\\012cursor at ${server.url}/`;
    expect(heard()).toEqual([`READY=1\nSTATUS=${status}`]);
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
    await until("it heard of the stop", () => heard().length > 1);
    expect(heard().slice(1)).toEqual(["STOPPING=1\nSTATUS=Stopping: asked to by a signal"]);
  });
}

withStrace("WATCHDOG_USEC: the watchdog is fed while the loop turns, and not while it stands", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => path.join(folder.path, name);
  const start = async (name: string) => {
    const { heard } = await listen(at(name));
    const env = { NOTIFY_SOCKET: at(name), WATCHDOG_USEC: "200000" };
    const server = await startServer(["-f", at("cursor")], { env });
    const fed = () => heard().filter((line) => line === "WATCHDOG=1").length;
    await until("it was fed", () => fed() >= 3);
    return { server, heard, fed };
  };
  const { server, heard, fed } = await start("standing");
  await using _standing = server;
  // The other one is the clock.
  const turning = await start("turning");
  await using _turning = turning.server;
  // Only the loop accepts: its other threads go on.
  await using _inject = await injectInto(server.pid, at("trace"), "accept4", "delay_enter=60000000");
  const leaving = new AbortController();
  const asked = fetch(`${server.url}/livez`, { signal: leaving.signal }).catch(() => "left");
  await until("it accepts", () => fs.readFileSync(at("trace"), "latin1").includes("accept4("));
  // What was sent before has been heard when this is: datagrams keep their order.
  Bun.spawnSync(["python3", "-c", SEND, at("standing"), "stands"]);
  await until("all before is heard", () => heard().includes("stands"));
  const [before, clock] = [fed(), turning.fed()];
  await until("time has passed", () => turning.fed() >= clock + 8);
  expect(fed()).toBe(before);
  leaving.abort();
  expect(await asked).toBe("left");
});

withPython("WATCHDOG_PID of another process: the watchdog is that one's", async () => {
  using folder = temporaryFolder();
  const address = path.join(folder.path, "notify");
  const { heard } = await listen(address);
  const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "2000", WATCHDOG_PID: "1" };
  await using server = await startServer(["-f", path.join(folder.path, "cursor")], { env });
  for (let moves = 0; moves < 20; moves++) await fetch(`${server.url}/api0/next`);
  server.kill("SIGTERM");
  await until("it stops", () => heard().some((line) => line.startsWith("STOPPING=1")));
  expect(heard()).not.toContain("WATCHDOG=1");
});

withPython(
  "a socket that is full holds nothing up, and hears that it is ready once it has room",
  async () => {
    using folder = temporaryFolder();
    const address = path.join(folder.path, "notify");
    const { heard, release } = await listen(address, 1);
    // As many as fit.
    Bun.spawnSync(["python3", "-c", FILL, address]);
    await using server = await startServer(["-f", path.join(folder.path, "cursor")], {
      env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: "400000" },
    });
    expect(await (await fetch(`${server.url}/api0/next`)).json()).toEqual({ value: "1", status: "200" });
    await until("it is told of", () => server.log().includes("EAGAIN"));
    expect(heard()).toEqual([]);
    await release();
    const readyAt = () => heard().findIndex((line) => line.startsWith("READY=1"));
    await until("it heard", () => readyAt() >= 0);
    // Said again each second while it was not heard; of these there are five a second.
    const fed = () =>
      heard()
        .slice(readyAt())
        .filter((line) => line === "WATCHDOG=1").length;
    await until("more than a second has passed", () => fed() > 8);
    expect(heard().filter((line) => line.startsWith("READY=1"))).toHaveLength(1);
  },
);

const SEND = `
import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), sys.argv[1])
`;

const FILL = `
import socket, sys
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.setblocking(False)
try:
  while True: sender.sendto(b"x", sys.argv[1])
except BlockingIOError: pass
`;

withPython("a socket that is away, or none, costs one line of the log", async () => {
  using folder = temporaryFolder();
  for (const [address, said] of [
    [path.join(folder.path, "gone"), "ENOENT"],
    [`@${path.join(folder.path, "gone")}`, "ECONNREFUSED"],
    ["vsock:2:1234", "it is neither a path nor an abstract name"],
    [`/${"x".repeat(108)}`, "the name is too long"],
  ] as const) {
    const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "2000" };
    await using server = await startServer(["-f", path.join(folder.path, "cursor")], { env });
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
    const warnings = server
      .log()
      .split("\n")
      // A request that waits long is warned of, too.
      .filter((line) => line.includes('"WARN"') && !line.includes("Slow: "));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("Cannot tell systemd at");
    expect(warnings[0]).toContain(said);
  }
});

withBoth("an executor tells systemd as well", async () => {
  using folder = temporaryFolder();
  const address = path.join(folder.path, "notify");
  const { heard } = await listen(address);
  await using redis = await startRedis();
  const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "200000" };
  await using worker = await startWorker(redis.url, { env });
  await until("it was ready", () =>
    heard().some((line) => line.startsWith("READY=1\nSTATUS=Computing for ")),
  );
  await until("it was fed", () => heard().includes("WATCHDOG=1"));
  worker.kill("SIGTERM");
  expect(await worker.ended()).toBe(0);
  await until("it heard of the stop", () => heard().some((line) => line.startsWith("STOPPING=1")));
});
