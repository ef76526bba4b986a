/** Shell commands that ask a server keep the shell's contract: results on stdout, reasons on stderr, exit statuses. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { requireTool, type Result, run, spawn, spawnInShell, temporaryFolder, until } from "../binary.ts";
import { deadUrl, openServer, type Target } from "../client/server.ts";
import reference from "../vectors/reference.json" with { type: "json" };

setDefaultTimeout(120_000);

const withScript = requireTool(["script", "--version"], "apt-get install bsdutils");

/** Half a minute, and 0.2 GB for each second; F(2·10^9) would be there in five seconds. */
const LONG = ["factorial", "100000000"] as const;
const LONG_ALLOWED = ["--max-digits", "1000000000"];

test("fibserver n --server moves the server's cursor, and prints what it would print of a file's", async () => {
  await using server = await openServer();
  const at = ["--server", server.url];
  expect(await run(["n", "n", "n", "p", "c", ...at])).toEqual(done("1\n1\n2\n1\n1\n"));
  expect(await run(["--json", ...at, "n"])).toEqual(done('{"value":"2","status":"200"}\n'));
  expect(await (await fetch(`${server.url}/api0/current`)).text()).toBe('{"value":"2","status":"200"}');
  // The first three are made; the one that cannot be ends it.
  const { stdout, stderr, exitCode } = await run([...at, "p", "p", "p", "p", "n"]);
  expect({ stdout, exitCode }).toEqual({ stdout: "1\n1\n0\n", exitCode: 1 });
  expect(stderr).toBe("fibserver: Cannot move back: the cursor is at index 0, the start of the sequence\n");
});

test("fibserver n --server takes no flag that is the server's business", async () => {
  for (const args of [
    ["n", "-f", "x"],
    ["n", "--max-index", "5"],
    ["n", "-t"],
    ["-i"],
    [],
    ["n", "-p", "1"],
    ["x"],
  ]) {
    const { stdout, stderr, exitCode } = await run(["--server", "http://127.0.0.1:1", ...args]);
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: 2 });
    expect(stderr).toMatch(/^fibserver: [^\n]+\n$/);
  }
  for (const server of ["", "localhost:8080", "ftp://localhost", "8080"]) {
    expect(await run(["n", "--server", server])).toMatchObject({ stdout: "", exitCode: 2 });
  }
});

test("a command whose server cannot be reached says so and exits 69", async () => {
  const url = await deadUrl();
  for (const args of [["n"], ["c", "--json"], ["task", "list"], ["task", "run", "fibonacci", "10"]]) {
    const { stdout, stderr, exitCode } = await run([...args, "--server", url]);
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: 69 });
    expect(stderr).toMatch(/^fibserver: Cannot reach http:[^\n]+ECONNREFUSED\n$/);
  }
});

test("fibserver task run prints what fib, fact, ack and seq print", async () => {
  await using server = await openServer();
  const env = { FIBSERVER_SERVER: server.url };
  for (const [task, local] of [
    [
      ["fibonacci", "1000"],
      ["fib", "1000"],
    ],
    [
      ["factorial", "50"],
      ["fact", "50"],
    ],
    [
      ["ackermann", "2", "3"],
      ["ack", "2", "3"],
    ],
    [
      ["sequence", "10"],
      ["seq", "10"],
    ],
    [
      ["sequence", "10..12"],
      ["seq", "10..12"],
    ],
    [
      ["sequence", "0"],
      ["seq", "0"],
    ],
  ] as const) {
    for (const json of [[], ["--json"]]) {
      const expected = await run([...local, ...json]);
      expect(await run(["task", "run", ...task, ...json], { env })).toEqual(expected);
    }
  }
});

test("fibserver task run -o writes the whole result into a file", async () => {
  using folder = temporaryFolder();
  await using server = await openServer();
  const file = path.join(folder.path, "result");
  const args = ["task", "run", "fibonacci", "1000000", "-o", file, "--server", server.url];
  expect(await run(args)).toEqual(done(""));
  const { sha256, bytes } = reference.fibonacci.find(({ n }) => n === 1_000_000)!;
  const text = fs.readFileSync(file, "latin1");
  expect(text.slice(bytes)).toBe("\n");
  expect(new Bun.CryptoHasher("sha256").update(text.slice(0, bytes)).digest("hex")).toBe(sha256);
  expect(fs.readdirSync(folder.path)).toEqual(["result"]);
});

test("fibserver task list, show, result, cancel and forget tell of one task", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const at = ["--server", server.url];
  await run(["task", "run", "fibonacci", "100", ...at]);
  const { stdout: line } = await run(["task", "list", ...at]);
  expect(line).toMatch(/^[\da-f-]{36} ready {5}100% fibonacci 100\n$/);
  const id = line.split(" ")[0]!;
  expect((await run(["task", "show", id, ...at])).stdout).toContain(`id: ${id}\nkind: fibonacci\nn: 100\n`);
  const shown = await run(["task", "show", id, "--json", ...at]);
  expect(JSON.parse(shown.stdout)).toMatchObject({ id, state: "ready", digits: 21 });
  expect((await run(["task", "list", "--json", "--state", "ready", ...at])).stdout).toBe(shown.stdout);
  expect((await run(["task", "list", "--state", "failed", ...at])).stdout).toBe("");
  expect((await run(["task", "list", "--state", "good", ...at])).exitCode).toBe(2);
  expect(await run(["task", "result", id, ...at])).toEqual(done("354224848179261915075\n"));
  // The number is nobody's to cancel any more, and forgetting it twice is forgetting it.
  expect(await run(["task", "cancel", id, ...at])).toEqual(done("ready\n"));
  expect(await run(["task", "result", id, ...at])).toEqual(done("354224848179261915075\n"));
  for (let again = 0; again < 2; again++) {
    expect(await run(["task", "forget", id, ...at])).toEqual(done("forgotten\n"));
  }
  for (const command of ["show", "result", "cancel"]) {
    const { stdout, stderr, exitCode } = await run(["task", command, id, ...at]);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain(id);
  }
});

test("fibserver task result of one that is not ready exits 75, and task cancel ends it", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const at = ["--server", server.url];
  const { id } = await post(server);
  expect(await run(["task", "result", id, ...at])).toMatchObject({ stdout: "", exitCode: 75 });
  for (let again = 0; again < 2; again++) {
    expect(await run(["task", "cancel", id, ...at])).toEqual(done("cancelled\n"));
  }
  expect(await run(["task", "result", id, ...at])).toMatchObject({ stdout: "", exitCode: 1 });
});

for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} cancels what task run waits for, and leaves no file`, async () => {
    using folder = temporaryFolder();
    await using server = await openServer(LONG_ALLOWED);
    const at = ["--server", server.url];
    await using child = spawn(["task", "run", ...LONG, "-o", "result", ...at], { cwd: folder.path });
    const states = async () => (await run(["task", "list", ...at])).stdout;
    await until("the task runs", async () => (await states()).includes(" running "));
    child.kill(signal);
    const stderr = await child.stderr.text();
    expect(stderr).toMatch(/^fibserver: Task [\da-f-]{36} is cancelled\n$/);
    expect(await child.exited).toBe(exitCode);
    expect(child.signalCode).toBe(signal);
    expect(await states()).toContain(" cancelled ");
    expect(fs.readdirSync(folder.path)).toEqual([]);
  });
}

/** A server whose only thread is taken, so that what comes then waits until that is cancelled. */
async function openBusyServer() {
  const server = await openServer(["--max-computations", "1", ...LONG_ALLOWED]);
  const { id } = await post(server);
  await until("the thread is taken", async () => (await find(server, id)).state === "running");
  const free = () => fetch(`${server.url}/v1/tasks/${id}/cancel`, { method: "POST" });
  return { ...server, free };
}

const MILLION = reference.fibonacci.find(({ n }) => n === 1_000_000)!;

test("^C in one of two task run of the same number leaves the other its number", async () => {
  await using server = await openBusyServer();
  const args = ["task", "run", "fibonacci", "1000000", "--server", server.url];
  await using one = spawn(args);
  await using two = spawn(args);
  const wanted = async () => (await listed(server)).find(({ n }) => n === "1000000");
  await until("both have asked", async () => (await wanted())?.requests === 2);
  const { id } = (await wanted())!;
  one.kill("SIGINT");
  expect(await one.stderr.text()).toBe(
    `fibserver: Task ${id} goes on, because it was asked for 2 times: fibserver task result ${id} --server ${server.url}\n`,
  );
  expect(await one.exited).toBe(130);
  expect((await find(server, id)).state).toBe("queued");
  await server.free();
  const text = await two.stdout.text();
  expect(new Bun.CryptoHasher("sha256").update(text.trimEnd()).digest("hex")).toBe(MILLION.sha256);
  expect(await two.exited).toBe(0);
  // The line works.
  const { stdout } = await run(["task", "result", id, "--server", server.url]);
  expect(stdout === text).toBe(true);
});

for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} in a task run that joined somebody's task leaves that one alone`, async () => {
    await using server = await openServer(LONG_ALLOWED);
    const { id } = await post(server);
    await using child = spawn(["task", "run", ...LONG], { env: { FIBSERVER_SERVER: server.url } });
    await until("it has joined", async () => (await find(server, id)).requests === 2);
    child.kill(signal);
    expect(await child.stderr.text()).toEndWith(`was asked for 2 times: fibserver task result ${id}\n`);
    expect(await child.exited).toBe(exitCode);
    expect(["queued", "running"]).toContain((await find(server, id)).state);
  });
}

test("whoever waits for a task that somebody else cancels is told, and exits 1", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const at = ["--server", server.url];
  await using child = spawn(["task", "run", ...LONG, ...at]);
  await until("the task is there", async () => (await run(["task", "list", ...at])).stdout !== "");
  const id = (await run(["task", "list", ...at])).stdout.split(" ")[0]!;
  await run(["task", "cancel", id, ...at]);
  expect(await child.stderr.text()).toBe(`fibserver: Task ${id} was cancelled\n`);
  expect(await child.exited).toBe(1);
});

test("fibserver task refuses what it cannot understand, before it asks anybody", async () => {
  for (const args of [
    [],
    ["run"],
    ["run", "fibonacci"],
    ["run", "fibonacci", "x"],
    ["run", "fibonacci", "1", "2"],
    ["run", "ackermann", "1"],
    ["run", "lucas", "1"],
    ["run", "sequence", "9..2"],
    ["run", "sequence", "1..2..3"],
    ["show"],
    ["show", "a", "b"],
    ["list", "--all"],
  ]) {
    const { stdout, stderr, exitCode } = await run(["task", ...args]);
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: 2 });
    expect(stderr).toMatch(/^fibserver: [^\n]+\n$/);
  }
});

withScript("fibserver task run draws a bar on a terminal, and takes it away", async () => {
  using folder = temporaryFolder();
  let screen = "";
  const isDrawn = () => /fibonacci 10 \[=+-+\] 50%/.test(screen);
  await using server = openSlowServer(isDrawn);
  const line = `script -qec "$FIBSERVER task run fibonacci 10 -o result --server ${server.url}" /dev/null`;
  await using child = spawnInShell(line, folder.path);
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) screen += chunk;
  expect({ screen, exitCode: await child.exited }).toMatchObject({ exitCode: 0 });
  expect(isDrawn()).toBe(true);
  expect(fs.readFileSync(path.join(folder.path, "result"), "utf8")).toBe("55\n");
});

interface TaskView {
  readonly id: string;
  readonly n: string;
  readonly state: string;
  readonly requests: number;
}

/** Asks for what {@link LONG} is. */
async function post({ url }: Target): Promise<TaskView> {
  const [kind, n] = LONG;
  const body = JSON.stringify({ kind, n });
  return (await (await fetch(`${url}/v1/tasks`, { method: "POST", body })).json()) as TaskView;
}

async function find({ url }: Target, id: string): Promise<TaskView> {
  return (await (await fetch(`${url}/v1/tasks/${id}`)).json()) as TaskView;
}

async function listed({ url }: Target): Promise<TaskView[]> {
  return ((await (await fetch(`${url}/v1/tasks`)).json()) as { tasks: TaskView[] }).tasks;
}

/** A server that is halfway with F(10) until the bar is drawn. */
function openSlowServer(isDrawn: () => boolean): Target {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/v1/tasks": () => new Response(statusOf("queued", 0), { status: 202 }),
      "/v1/tasks/a/events": () =>
        new Response(slowEvents(isDrawn), { headers: { "content-type": "text/event-stream" } }),
      "/v1/tasks/a/result": () => new Response("55"),
    },
  });
  return { url: server.url.origin, [Symbol.asyncDispose]: () => server.stop(true) };
}

async function* slowEvents(isDrawn: () => boolean) {
  while (!isDrawn()) {
    yield `data: ${statusOf("running", 0.5)}\n\n`;
    // The bar comes with the first event after half a second.
    await Bun.sleep(20);
  }
  yield `data: ${statusOf("ready", 1)}\n\n`;
}

function statusOf(state: string, progress: number): string {
  return JSON.stringify({ id: "a", kind: "fibonacci", n: "10", state, progress });
}

function done(stdout: string): Result {
  return { stdout, stderr: "", exitCode: 0 };
}
