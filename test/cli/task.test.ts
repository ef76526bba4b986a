/** Shell commands that ask a server keep the shell's contract: results on stdout, reasons on stderr, exit statuses. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  requireTool,
  type Result,
  run,
  runInShell,
  spawn,
  spawnInShell,
  temporaryFolder,
  until,
} from "../binary.ts";
import { startProxy } from "../client/proxy.ts";
import { openScripted, openServer, TASK, type Target } from "../client/server.ts";
import { sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json" with { type: "json" };
import { ask, withoutNotices } from "./asking.ts";

setDefaultTimeout(300_000);

const withScript = requireTool(["script", "--version"], "apt-get install bsdutils");

/** Half a minute, and 0.2 GB for each second; F(2·10^9) would be there in five seconds. */
const LONG = ["factorial", "100000000"] as const;
const MILLION = reference.fibonacci.find(({ n }) => n === 1_000_000)!;
const LONG_ALLOWED = ["--max-digits", "1000000000"];

test("fibserver n --server moves the server's cursor, and prints what it would print of a file's", async () => {
  await using server = await openServer();
  const at = ["--server", server.url];
  expect(await run(["n", "n", "n", "p", "c", ...at])).toEqual(done("1\n1\n2\n1\n1\n"));
  expect(await run(["--json", ...at, "n"])).toEqual(done('{"value":"2","status":"200"}\n'));
  expect(await (await fetch(`${server.url}/api0/current`)).text()).toBe('{"value":"2","status":"200"}');
  using folder = temporaryFolder();
  const closed = await runInShell(`$FIBSERVER n --server ${server.url} >&-`, folder.path);
  expect(closed).toMatchObject({ stdout: "", exitCode: 74 });
  expect(await run(["c", ...at])).toEqual(done("2\n"));
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
    ["-i", "-t"],
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
      expect(await ask(["task", "run", ...task, ...json], { env })).toEqual(expected);
    }
  }
});

test("fibserver task run -o writes the whole result into a file", async () => {
  using folder = temporaryFolder();
  await using server = await openServer();
  const file = path.join(folder.path, "result");
  const args = ["task", "run", "fibonacci", "1000000", "-o", file, "--server", server.url];
  expect(await ask(args)).toEqual(done(""));
  const text = fs.readFileSync(file, "latin1");
  expect(text.slice(MILLION.bytes)).toBe("\n");
  expect(sha256(text.slice(0, MILLION.bytes))).toBe(MILLION.sha256);
  expect(fs.readdirSync(folder.path)).toEqual(["result"]);
});

test("fibserver task list, show, result, cancel and forget tell of one task", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const at = ["--server", server.url];
  await run(["task", "run", "fibonacci", "100", ...at]);
  const { stdout: line } = await run(["task", "list", ...at]);
  expect(line).toMatch(/^[\da-f-]{36} ready {5}100% fibonacci {2}100\n$/);
  const id = line.split(" ")[0]!;
  expect((await run(["task", "show", id, ...at])).stdout).toContain(`id: ${id}\nkind: fibonacci\nn: 100\n`);
  const shown = await run(["task", "show", id, "--json", ...at]);
  expect(JSON.parse(shown.stdout)).toMatchObject({ id, state: "ready", digits: 21 });
  const listedJson = async (...flags: string[]) => run(["task", "list", "--json", ...flags, ...at]);
  expect(await listedJson("--state", "ready")).toEqual(done(`[${shown.stdout.trimEnd()}]\n`));
  expect(await listedJson("--state", "failed")).toEqual(done("[]\n"));
  expect((await run(["task", "list", "--state", "failed", ...at])).stdout).toBe("");
  await run(["task", "run", "sequence", "3..5", ...at]);
  expect(JSON.parse((await listedJson()).stdout)).toHaveLength(2);
  expect((await run(["task", "list", ...at])).stdout).toMatch(
    /100% fibonacci {2}100\n.*100% sequence {3}3\.\.5\n$/,
  );
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
    // A server that takes its time is told of before.
    expect(stderr).toMatch(/^fibserver: Task [\da-f-]{36} is cancelled$/m);
    expect(stderr).toEndWith(" is cancelled\n");
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

test("^C in one of two task run of the same number leaves the other its number", async () => {
  await using server = await openBusyServer();
  const args = ["task", "run", "fibonacci", "1000000", "--server", server.url];
  await using one = spawn(args);
  await using two = spawn(args);
  const wanted = async () => (await listed(server)).find(({ n }) => n === "1000000");
  await until("both have asked", async () => (await wanted())?.requests === 2);
  const { id } = (await wanted())!;
  one.kill("SIGINT");
  // It may not have seen the answer yet, and says so then.
  expect(await one.stderr.text()).toEndWith(
    `fibserver: Task ${id} goes on, because it was asked for 2 times: ${later(id, server)}\n`,
  );
  expect(await one.exited).toBe(130);
  expect((await find(server, id)).state).toBe("queued");
  await server.free();
  const text = await two.stdout.text();
  expect(sha256(text.trimEnd())).toBe(MILLION.sha256);
  expect(await two.exited).toBe(0);
  // The lines work.
  expect((await run(["task", "watch", id, "--server", server.url])).stdout).toMatch(
    / ready .* fibonacci {2}1000000\n$/,
  );
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
    expect(await child.stderr.text()).toEndWith(`was asked for 2 times: ${later(id)}\n`);
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
  // Above it, if that took a second, how to go on later.
  expect(await child.stderr.text()).toEndWith(`fibserver: Task ${id} was cancelled\n`);
  expect(await child.exited).toBe(1);
});

test("task run --detach prints the id; watch shows the task to its end, and result prints the number", async () => {
  await using server = await openBusyServer();
  const at = ["--server", server.url];
  const { stdout, stderr, exitCode } = await ask(["task", "run", "fibonacci", "1000000", "--detach", ...at]);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  const id = stdout.trimEnd();
  expect((await find(server, id)).state).toBe("queued");
  await using watching = spawn(["task", "watch", id, ...at]);
  await using asJson = spawn(["task", "watch", id, "--json", ...at]);
  const lines = watching.stdout.pipeThrough(new TextDecoderStream()).getReader();
  expect((await lines.read()).value).toBe(`${id} queued      0% fibonacci  1000000\n`);
  await server.free();
  let rest = "";
  for (let { value } = await lines.read(); value !== undefined; { value } = await lines.read()) rest += value;
  expect(rest).toEndWith(`${id} ready     100% fibonacci  1000000\n`);
  expect([withoutNotices(await watching.stderr.text()), await watching.exited]).toEqual(["", 0]);
  const states = (await asJson.stdout.text())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TaskView);
  expect(states.at(-1)).toMatchObject({ id, state: "ready" });
  const text = (await run(["task", "result", id, ...at])).stdout;
  expect(sha256(text.trimEnd())).toBe(MILLION.sha256);
  const again = await run(["task", "run", "fibonacci", "1000000", "--detach", "--json", ...at]);
  expect(JSON.parse(again.stdout)).toMatchObject({ id, state: "ready" });
});

test("task run and task result go on where they were when their connection breaks, again and again", async () => {
  await using server = await openServer();
  // Each connection passes on less than a third of it, and is cut when some of that was printed: by itself a connection
  // may end so soon after its last bytes that Bun hands out none, which on a busy machine goes on until the command gives up.
  await using proxy = await startProxy(server.url, () => ({ silentAfterBytes: 65_000 }));
  const runCut = async (...args: string[]) => {
    await using child = spawn([...args, "--server", proxy.url]);
    let stdout = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      stdout += text;
      proxy.cut();
    }
    return { sha256: sha256(stdout), stderr: await child.stderr.text(), exitCode: await child.exited };
  };
  const local = await run(["fib", "1000000"]);
  const expected = { sha256: sha256(local.stdout), stderr: "", exitCode: 0 };
  expect(await runCut("task", "run", "fibonacci", "1000000", "-q")).toEqual(expected);
  const cutsBefore = proxy.cutCount();
  const { stdout: id } = await run([
    "task",
    "run",
    "fibonacci",
    "1000000",
    "--detach",
    "--server",
    proxy.url,
  ]);
  expect(await runCut("task", "result", id.trimEnd())).toEqual(expected);
  expect(proxy.cutCount() - cutsBefore).toBeGreaterThan(2);
});

test("task watch of what has no result exits 1 and says why; of an unknown task, too", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const at = ["--server", server.url];
  const { id } = await post(server);
  await using child = spawn(["task", "watch", id, ...at]);
  await child.stdout.getReader().read();
  await run(["task", "cancel", id, ...at]);
  expect([withoutNotices(await child.stderr.text()), await child.exited]).toEqual([
    `fibserver: Task ${id} was cancelled\n`,
    1,
  ]);
  const unknown = await run(["task", "watch", ID, ...at]);
  expect(unknown).toMatchObject({ stdout: "", exitCode: 1 });
  expect(unknown.stderr).toContain(ID);
});

test("task run that waits says how to go on, and what it waits for; -q says nothing", async () => {
  let isAway = false;
  let isReady = false;
  let said = "";
  let saidBefore = 0;
  // Events that end at once, as those of a server that was killed.
  const answer = () => events(statusOf(isReady ? "ready" : "running", 0.5));
  await using server = openTaskServer(() => {
    // If an answer took a second that is said, and then nothing else until there is a good one.
    if (isAway && !said.slice(saidBefore).includes("it does not answer")) return awayAnswer();
    saidBefore = said.length;
    return answer();
  });
  await using other = openTaskServer(() => (isAway ? awayAnswer() : answer()));
  const args = ["task", "run", "fibonacci", "10", "--server"];
  await using child = spawn([...args, server.url]);
  await using quiet = spawn([...args, other.url, "-q"]);
  const ended = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) said += chunk;
  })();
  const howToGoOn = `fibserver: Task ${ID}; to go on later: ${later(ID, server)}\n`;
  await until("it says how to go on", () => said.includes(howToGoOn));
  isAway = true;
  const waiting = `fibserver: Waiting for ${server.url}: it answers 503; Ctrl-C to stop\n`;
  await until("it says what it waits for", () => said.endsWith(waiting));
  [isAway, isReady] = [false, true];
  expect([await child.stdout.text(), await child.exited]).toEqual(["55\n", 0]);
  await ended;
  const slow = `fibserver: Waiting for ${server.url}: it does not answer; Ctrl-C to stop\n`;
  expect(said.replaceAll(slow, "")).toBe(howToGoOn + waiting);
  expect([await quiet.stdout.text(), await quiet.stderr.text()]).toEqual(["55\n", ""]);
});

test("task run and watch whose server is gone for good give up with the lines that go on later", async () => {
  for (const command of [
    ["run", "fibonacci", "10"],
    ["watch", ID],
  ]) {
    await using server = openTaskServer(
      () => new Response("away", { status: 503, headers: { "retry-after": "90" } }),
    );
    const { stdout, stderr, exitCode } = await ask(["task", ...command, "--server", server.url]);
    expect({ command, stdout, exitCode }).toEqual({ command, stdout: "", exitCode: 69 });
    expect(stderr).toMatch(/^fibserver: The answer is 503 [^\n]+\n$/);
    if (command[0] === "run") expect(stderr).toEndWith(`. To go on later: ${later(ID, server)}\n`);
  }
});

for (const flags of [[], ["--detach"]]) {
  test(`task run ${flags.join(" ")} waits for a server that is away when the task is created`, async () => {
    // At an address of its own: at the usual one somebody else may take the port meanwhile.
    const hostname = "127.1.2.3";
    await using place = openTaskServer(() => events(statusOf("ready", 1)), { hostname });
    await place[Symbol.asyncDispose]();
    await using child = spawn(["task", "run", "fibonacci", "10", ...flags, "--server", place.url]);
    const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    expect((await stderr.read()).value).toBe(
      `fibserver: Waiting for ${place.url}: it cannot be reached; Ctrl-C to stop\n`,
    );
    const port = Number(new URL(place.url).port);
    await using _ = openTaskServer(() => events(statusOf("ready", 1)), { hostname, port });
    const printed = flags.length === 0 ? "55\n" : `${ID}\n`;
    expect([await child.stdout.text(), await child.exited]).toEqual([printed, 0]);
  });
}

test("task run --detach whose id cannot be printed says how to go on, and a closed output starts none", async () => {
  using folder = temporaryFolder();
  await using server = await openServer();
  const line = `"$FIBSERVER" task run fibonacci 1000 --detach --server ${server.url}`;
  for (const rest of [">&-", "-o missing/x"]) {
    await runInShell(`${line.replace(rest.startsWith("-") ? " --detach" : "", "")} ${rest}`, folder.path);
    expect(await listed(server)).toEqual([]);
  }
  const { stderr, exitCode } = await runInShell(`${line} >/dev/full`, folder.path);
  const [{ id }] = (await listed(server)) as [TaskView];
  expect(exitCode).toBe(74);
  expect(stderr).toMatch(/^fibserver: Cannot write the output: ENOSPC/m);
  expect(stderr).toEndWith(`. To go on later: ${later(id, server)}\n`);
});

test("what answers and is no fibserver, or has a bug, is named, and is no bug of the shell", async () => {
  const html = { headers: { "content-type": "text/html" } };
  await using portal = openTaskServer(() => new Response("<p>Log in</p>", html));
  for (const command of [["run", "fibonacci", "10"], ["watch", ID], ["list"]]) {
    const { stdout, stderr, exitCode } = await run(["task", ...command, "--server", portal.url]);
    expect({ command, stdout, exitCode }).toEqual({ command, stdout: "", exitCode: 69 });
    expect(stderr).toContain(`: is ${portal.url} a fibserver? Name one with --server URL`);
  }
  const problem = { code: "internal", detail: "This is a bug in fibserver" };
  await using broken = openScripted(() => Response.json(problem, { status: 500 }));
  expect(await run(["n", "--server", broken.url])).toEqual({
    stdout: "",
    stderr: `fibserver: The server at ${broken.url} has failed: This is a bug in fibserver\n`,
    exitCode: 69,
  });
});

test("what no task and no number can be is no bug of the shell, and reaches no terminal", async () => {
  const right = { ...TASK, id: ID, state: "ready", progress: 1 };
  for (const wrong of [
    { kind: undefined },
    { kind: 5 },
    { id: "\u001B[2J" },
    { id: 7 },
    { n: "\u001B[2J" },
    { createdAt: "\u001B[2J" },
    { state: "\u001B[2J" },
  ]) {
    const task = { ...right, ...wrong };
    await using server = openScripted(() => Response.json({ ...task, tasks: [task] }));
    for (const command of [
      ["list"],
      ["list", "--json"],
      ["show", ID],
      ["run", "fibonacci", "10", "--detach"],
    ]) {
      const { stdout, stderr, exitCode } = await ask(["task", ...command, "--server", server.url]);
      const isEmpty = stdout === "" || stdout === "[";
      expect({ wrong, command, isEmpty, exitCode }).toEqual({ wrong, command, isEmpty: true, exitCode: 69 });
      expect(stderr).toMatch(/^(fibserver: |\{).*The server sent a task whose [ -~]+\n$/);
    }
  }
  for (const value of ["1\u001B[2J", "", 5]) {
    await using server = openScripted(() => Response.json({ index: "7", value }));
    const { stdout, stderr, exitCode } = await run(["n", "--server", server.url]);
    expect({ value, stdout, exitCode }).toEqual({ value, stdout: "", exitCode: 69 });
    expect(stderr).toMatch(/^fibserver: The server sent no number: [ -~]+\n$/);
  }
  await using server = openScripted(
    () => Response.json(right),
    () => new Response("\u001B["),
  );
  expect(await run(["task", "result", ID, "--server", server.url])).toMatchObject({
    stdout: "",
    exitCode: 69,
  });
  const reason = "no\u001B[2J\u009B1m";
  const more = { toString: 1 };
  await using failed = openScripted(() => Response.json({ ...right, state: "failed", reason, more }));
  const shown = await run(["task", "show", ID, "--server", failed.url]);
  expect(shown.stdout).toEndWith(String.raw`reason: no\033[2J\302\2331m` + '\nmore: {"toString":1}\n');
  const { stdout } = await run(["task", "show", ID, "--json", "--server", failed.url]);
  expect(JSON.parse(stdout)).toMatchObject({ reason });
  expect(stdout.trimEnd()).not.toMatch(/\p{Cc}/u);
});

test("a newer server's refusal keeps its code", async () => {
  const answer = { code: "new_thing", detail: "Cannot do a new thing" };
  await using server = openScripted(() => Response.json(answer, { status: 409 }));
  const at = ["--server", server.url];
  const { stdout, stderr, exitCode } = await run(["n", "--json", ...at]);
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
  const type = "urn:fibserver:error:new_thing";
  expect(JSON.parse(stderr)).toEqual({ type, title: "The request is refused", exit: 1, ...answer });
  expect(await run(["n", ...at])).toEqual({
    stdout: "",
    stderr: "fibserver: Cannot do a new thing\n",
    exitCode: 1,
  });
});

test("whoever is to try again is told when", async () => {
  for (const [retryAfter, says] of [
    ["90", "Too much work is waiting; try again in 90 s"],
    ["9999999999", "Too much work is waiting; try again in 9999999999 s"],
    ["9".repeat(400), "Too much work is waiting; try again"],
  ] as const) {
    const answer = { code: "overloaded", detail: "Too much work is waiting; try again" };
    await using server = openScripted(() =>
      Response.json(answer, { status: 503, headers: { "retry-after": retryAfter } }),
    );
    expect(await run(["n", "--server", server.url])).toEqual({
      stdout: "",
      stderr: `fibserver: ${says}\n`,
      exitCode: 75,
    });
    expect(server.requests).toHaveLength(1);
  }
});

withScript("fibserver n whose server is silent says so on a terminal", async () => {
  using folder = temporaryFolder();
  const { promise, resolve } = Promise.withResolvers<Response>();
  await using server = openScripted(() => promise);
  await using child = spawnInShell(
    `script -qec "$FIBSERVER n --server ${server.url}" /dev/null`,
    folder.path,
  );
  let screen = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    screen += chunk;
    if (screen.includes("it does not answer; Ctrl-C to stop"))
      resolve(Response.json({ index: "7", value: "13" }));
  }
  expect(screen).toBe(`fibserver: Waiting for ${server.url}: it does not answer; Ctrl-C to stop\r\n13\r\n`);
});

test("a server that sends elsewhere is named, with where it leads to", async () => {
  await using moved = openScripted(() => Response.redirect("https://other.example/v1/cursor?secret=1", 302));
  const { stdout, stderr, exitCode } = await run(["n", "--server", moved.url]);
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 69 });
  expect(stderr).toContain("redirects to https://other.example, and redirects are not followed");
  expect(stderr).toContain("Name one with --server URL");
  expect(moved.requests).toHaveLength(1);
});

test("fibserver n --server sends the password of the URL", async () => {
  await using server = openScripted(() => Response.json({ index: "7", value: "13" }));
  const { stdout, exitCode } = await run(["n", "--server", server.url.replace("//", "//me:secret%20@")]);
  expect({ stdout, exitCode }).toEqual({ stdout: "13\n", exitCode: 0 });
  expect(server.requests[0]!.headers.get("authorization")).toBe(`Basic ${btoa("me:secret ")}`);
});

test("a password in --server is in no line to paste", async () => {
  await using server = openTaskServer(() => new Response("", { status: 404 }));
  const address = server.url.replace("//", "//user:secret@");
  const { stderr, exitCode } = await run(["task", "run", "fibonacci", "10", "--server", address]);
  expect({ stderr, exitCode }).toEqual({
    stderr: expect.stringContaining(`--server ${server.url}`),
    exitCode: 69,
  });
  expect(stderr).not.toContain("secret");
});

test("the lines that go on later can be pasted into a shell, whatever the server's address", async () => {
  await using server = openTaskServer(
    () => new Response("away", { status: 503, headers: { "retry-after": "90" } }),
  );
  const address = `${server.url}/?a=1&b='x y'`;
  const { stderr } = await run(["task", "run", "fibonacci", "10", "--server", address]);
  const line = /To go on later: (fibserver task watch .*), then /.exec(stderr)![1]!;
  using folder = temporaryFolder();
  const { stdout } = await runInShell(`fibserver() { printf '%s\\n' "$@"; }; ${line}`, folder.path);
  expect(stdout.split("\n")).toEqual(["task", "watch", ID, "--server", address, ""]);
});

test("^C before the server has answered says so; it cancels then, and a second one ends at once", async () => {
  for (const isPatient of [true, false]) {
    let cancelled = 0;
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    let asked = false;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      routes: {
        "/v1/tasks": async () => {
          asked = true;
          await answered;
          return new Response(statusOf("queued", 0), { status: 202 });
        },
        [`/v1/tasks/${ID}/cancel`]: () => {
          cancelled++;
          return new Response(statusOf("cancelled", 0));
        },
      },
    });
    await using child = spawn(["task", "run", "fibonacci", "10", "--server", server.url.origin]);
    await until("it has asked", () => asked);
    let said = "";
    void (async () => {
      for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) said += chunk;
    })();
    child.kill("SIGINT");
    // Behind the word that the server does not answer, if that took a second.
    const waiting = /^fibserver: Waiting for the server's answer, .*\n/m;
    await until("it says what it waits for", () => waiting.test(said));
    if (isPatient) answer();
    else child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(child.signalCode).toBe("SIGINT");
    expect(cancelled).toBe(isPatient ? 1 : 0);
    answer();
    await server.stop(true);
  }
});

test("^C while nobody answers ends it in some seconds, and waiting with --json is silent", async () => {
  const nowhere = "http://127.0.0.1:1";
  // Of the silent one nobody but who it asks knows that it has begun, and heeds a signal.
  await using proxy = await startProxy(nowhere, () => ({}));
  const args = ["task", "run", "fibonacci", "10", "--server"];
  await using child = spawn([...args, nowhere]);
  await using silent = spawn([...args, proxy.url, "--json"]);
  const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  expect((await stderr.read()).value).toMatch(/^fibserver: Waiting for http:\/\/127\.0\.0\.1:1: /);
  await until("the silent one waits, too", () => proxy.connectionCount() > 0);
  for (const each of [child, silent]) each.kill("SIGINT");
  expect([await child.exited, await silent.exited]).toEqual([130, 130]);
  expect(await new Response(silent.stderr).text()).toMatch(
    /^fibserver: Cannot tell whether a task was started[^\n]*\n$/,
  );
});

test("task run under nohup goes on when its terminal is closed", async () => {
  await using server = await openServer(LONG_ALLOWED);
  await using child = spawn(["task", "run", ...LONG, "--server", server.url], { under: ["nohup"] });
  await until("the task is there", async () => (await listed(server)).length === 1);
  child.kill("SIGHUP");
  const [{ id }] = (await listed(server)) as [TaskView];
  await fetch(`${server.url}/v1/tasks/${id}/cancel`, { method: "POST" });
  expect(await child.stderr.text()).toEndWith(`fibserver: Task ${id} was cancelled\n`);
  expect(await child.exited).toBe(1);
});

withScript("fibserver task run draws a bar on a terminal, and takes it away", async () => {
  using folder = temporaryFolder();
  let screen = "";
  const isDrawn = () => /fibonacci 10 \[=+-+\] +50%/.test(screen);
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

const ID = "01a21b25-1309-719e-8a36-c54fc6a05e1b";

/** What the shell says about how to go on with a task. */
function later(id: string, server?: Target): string {
  const at = server === undefined ? "" : ` --server ${server.url}`;
  return `fibserver task watch ${id}${at}, then fibserver task result ${id}${at}`;
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
  return openTaskServer(
    () => new Response(slowEvents(isDrawn), { headers: { "content-type": "text/event-stream" } }),
  );
}

/** A server of one task, which is F(10). */
function openTaskServer(eventsOf: () => Response, { hostname = "127.0.0.1", port = 0 } = {}): Target {
  const server = Bun.serve({
    hostname,
    port,
    routes: {
      "/v1/tasks": () => new Response(statusOf("queued", 0), { status: 202 }),
      [`/v1/tasks/${ID}`]: () => new Response(statusOf("running", 0)),
      [`/v1/tasks/${ID}/events`]: eventsOf,
      [`/v1/tasks/${ID}/result`]: () => new Response("55"),
    },
  });
  return { url: server.url.origin, [Symbol.asyncDispose]: () => server.stop(true) };
}

function awayAnswer(): Response {
  return new Response("away", { status: 503 });
}

function events(...statuses: string[]): Response {
  const text = statuses.map((status) => `data: ${status}\n\n`).join("");
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
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
  return JSON.stringify({ ...TASK, id: ID, state, progress });
}

function done(stdout: string): Result {
  return { stdout, stderr: "", exitCode: 0 };
}
