/**
 * deploy/containers/compose.yaml, with each service's command and environment as a process of this machine: what is
 * there a name and a port is here a port of the loopback. Docker Compose itself was never run.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { output, requireTool, run, startProgram, temporaryFolder, until } from "../binary.ts";
import { spawnNginx } from "../nginx.ts";
import { freePort, hasRedis, rootFolder, withRedis } from "../redis.ts";

setDefaultTimeout(300_000);

const FOLDER = path.resolve(import.meta.dir, "../../deploy/containers");
const PASSWORD = "s3cret-of-this-test";

interface Service {
  readonly command?: string | readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly restart?: string;
  readonly mem_limit?: string;
  readonly cpus?: number;
  readonly build?: { readonly context: string; readonly dockerfile: string };
}

const compose = Bun.YAML.parse(fs.readFileSync(path.join(FOLDER, "compose.yaml"), "utf8")) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const { services } = compose;

/** What Compose puts in the place of `${REDIS_PASSWORD:?…}`, and the test in that of names. */
function filledIn(text: string, places: Readonly<Record<string, string>>): string {
  const known = text.replaceAll(/\$\{REDIS_PASSWORD:\?[^}]*\}/g, PASSWORD);
  return Object.entries(places).reduce((said, [name, place]) => said.replaceAll(name, place), known);
}

/** The words of a command; a string is split as a shell splits it. */
function wordsOf({ command }: Service): string[] {
  if (command === undefined) return [];
  if (typeof command !== "string") return [...command];
  return filledIn(command, {})
    .match(/"[^"]*"|\S+/g)!
    .map((word) => word.replaceAll('"', ""));
}

test("compose.yaml: services wait for those they need to be healthy, start again, have limits, and one port", () => {
  expect(Object.keys(services)).toEqual([
    "redis",
    "server-1",
    "server-2",
    "executor-1",
    "executor-2",
    "proxy",
  ]);
  for (const [name, service] of Object.entries(services)) {
    for (const needed of Object.keys(service.depends_on ?? {})) expect(services).toHaveProperty([needed]);
    const conditions = Object.values(service.depends_on ?? {}).map(({ condition }) => condition);
    expect([name, new Set(conditions)]).toEqual([name, new Set(name === "redis" ? [] : ["service_healthy"])]);
    expect(service.restart).toBe("unless-stopped");
    expect(service.mem_limit).toMatch(/^\d+[mg]$/);
    expect(service.cpus).toBeGreaterThan(0);
    expect([name, service.ports]).toEqual([name, name === "proxy" ? ["127.0.0.1:8080:8080"] : undefined]);
    for (const volume of service.volumes ?? []) {
      const [from] = volume.split(":") as [string];
      if (from.startsWith(".")) expect(fs.existsSync(path.join(FOLDER, from))).toBe(true);
      else expect(compose.volumes).toHaveProperty([from]);
    }
  }
  const { context, dockerfile } = services["server-1"]!.build!;
  expect(fs.existsSync(path.join(FOLDER, context, dockerfile))).toBe(true);
  expect(fs.readFileSync(path.join(FOLDER, "compose.yaml"), "utf8")).not.toMatch(/^\t/m);
});

const withAll = hasRedis ? requireTool(["nginx", "-v"], "apt-get install nginx-light") : withRedis;

withAll(
  "compose.yaml: both servers move one cursor through the proxy, and executors compute its tasks",
  async () => {
    using folder = temporaryFolder();
    await using ended = new AsyncDisposableStack();
    const redisPort = await freePort();
    const places = { "redis:6379": `127.0.0.1:${redisPort}`, "0.0.0.0:9091": "127.0.0.1:0" };
    const envOf = (name: string) =>
      Object.fromEntries(
        Object.entries(services[name]!.environment ?? {}).map(([key, value]) => [
          key,
          filledIn(value, places),
        ]),
      );

    const [redisProgram, ...redisWords] = wordsOf(services["redis"]!);
    // In memory, as in other tests: a server takes a Redis for gone whose disk keeps it silent for two seconds.
    const redisFolder = fs.mkdtempSync(path.join(rootFolder(), "fibserver-compose-"));
    ended.defer(() => fs.rmSync(redisFolder, { recursive: true, force: true }));
    const where = ["--port", String(redisPort), "--bind", "127.0.0.1", "--dir", redisFolder];
    defer(
      ended,
      Bun.spawn([redisProgram!, ...redisWords, ...where], { stdio: ["ignore", "ignore", "ignore"] }),
    );
    const [, check] = services["redis"]!.healthcheck!.test;
    const env = { ...process.env, REDISCLI_AUTH: envOf("redis")["REDISCLI_AUTH"]! };
    const isHealthy = (auth: Record<string, string | undefined>) =>
      Bun.spawnSync(["sh", "-c", check!.replace("redis-cli", `redis-cli -p ${redisPort}`)], { env: auth })
        .exitCode === 0;
    await until("Redis is healthy", () => isHealthy(env));
    expect(isHealthy({ ...env, REDISCLI_AUTH: "another" })).toBe(false);

    // The image's own environment has HOST and PORT; here each has its port on the loopback.
    const startService = async (name: string, sign: RegExp, args: readonly string[] = []) =>
      ended.use(await startProgram([...wordsOf(services[name]!), ...args], sign, { env: envOf(name) }));
    const serving = /"message":"Serving[^\n]*"url":"http:\/\/([^"/]*)\/"/;
    const servers = [
      await startService("server-1", serving, ["-p", "0"]),
      await startService("server-2", serving, ["-p", "0"]),
    ];
    const watched = /"message":"Watched[^\n]*"url":"http:\/\/([^"/]*)\/"/;
    const executors = [await startService("executor-1", watched), await startService("executor-2", watched)];
    for (const { said } of executors) {
      const server = envOf("executor-1")["FIBSERVER_SERVER"]!.replace("127.0.0.1:9091", said);
      // It is watched before it has reached Redis.
      await until("the executor is healthy", async () => {
        const { stdout, stderr, exitCode } = await run(["status", "--quiet"], {
          env: { FIBSERVER_SERVER: server },
        });
        expect({ stdout, stderr }).toEqual({ stdout: "", stderr: "" });
        return exitCode === 0;
      });
    }

    const url = await startProxy(
      folder.path,
      servers.map(({ said }) => said),
      ended,
    );
    await until(
      "the proxy answers",
      async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true,
    );
    // By the name that clients use, and in turn by both servers.
    for (let index = 1; index <= 6; index++) {
      const response = await fetch(`${url}/v1/cursor/next`, {
        method: "POST",
        headers: { host: "fib.example.org" },
      });
      expect(await response.json()).toMatchObject({ index: String(index) });
    }
    for (const { said } of servers)
      expect(
        await metric(said, /^fibserver_cursor_moves_total\{operation="next",outcome="ok"\} (\d+)$/m),
      ).toBe(3);
    const stranger = await fetch(`${url}/v1/cursor`, { headers: { host: "stranger.example.org" } });
    expect(stranger.ok).toBe(false);
    const task = await run(["task", "run", "fibonacci", "500000", "-q", "--server", url]);
    expect(task).toMatchObject({ stderr: "", exitCode: 0 });
    expect(task.stdout).toBe(await output(["fib", "500000"]));
    const computed = /^fibserver_tasks_finished_total\{kind="fibonacci",outcome="ready"\} (\d+)$/m;
    // The result is there for all a moment before its executor knows of that.
    let counts: number[] = [];
    await until("the task is counted", async () => {
      counts = await Promise.all(executors.map(({ said }) => metric(said, computed)));
      return counts[0]! + counts[1]! > 0;
    });
    expect(counts[0]! + counts[1]!).toBe(1);
  },
);

/** Ends a process with the test. */
function defer(ended: AsyncDisposableStack, child: Bun.Subprocess): void {
  ended.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
}

async function metric(at: string, line: RegExp): Promise<number> {
  const text = await (await fetch(`http://${at}/metrics`)).text();
  return Number(line.exec(text)?.[1] ?? 0);
}

/** A real nginx with the file that compose.yaml mounts. @returns Where it answers. */
async function startProxy(
  folder: string,
  [one, two]: readonly string[],
  ended: AsyncDisposableStack,
): Promise<string> {
  const port = await freePort();
  const text = filledIn(fs.readFileSync(path.join(FOLDER, "nginx.conf"), "utf8"), {
    "server-1:8080": one!,
    "server-2:8080": two!,
    "listen 8080": `listen 127.0.0.1:${port}`,
  });
  defer(ended, spawnNginx(folder, text));
  return `http://127.0.0.1:${port}`;
}
