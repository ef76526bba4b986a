/**
 * `--reuse-port`: a second server takes over the port of a first one, and no client notices.
 * Method: two programs on one cursor, connections of every age over the end of the first, and moves that must each be made
 * once.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import path from "node:path";
import { run, startServer, strace, temporaryFolder, until, withStrace } from "./binary.ts";
import { startMoves, startSecond } from "./hand-over.ts";
import { connect, exchange, headersOf, requestBytes, statusOf } from "./wire.ts";

setDefaultTimeout(300_000);

test("without --reuse-port on both sides the port is in use", async () => {
  using folder = temporaryFolder();
  const file = ["-f", path.join(folder.path, "cursor")];
  for (const [first, second] of [
    [[], []],
    [["--reuse-port"], []],
    [[], ["--reuse-port"]],
  ]) {
    await using server = await startServer([...file, ...first!]);
    const refused = await run([...file, ...second!, "-p", new URL(server.url).port]);
    expect(refused).toMatchObject({ stdout: "", exitCode: 69 });
    expect(refused.stderr).toContain("it is in use");
  }
});

test("--reuse-port: no connection is refused or cut in a hand-over, and each move is made once", async () => {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--reuse-port", "--max-index", "1000000"];
  let server = await startServer(args);
  await using moves = startMoves(Number(new URL(server.url).port));
  try {
    for (let round = 0; round < 3; round++) {
      const second = await startSecond(server, args);
      await moves.goOn();
      server.kill("SIGTERM");
      expect(await server.ended()).toBe(0);
      server = second;
    }
    await moves.goOn();
    await moves.expectEachOnce();
  } finally {
    await server[Symbol.asyncDispose]();
  }
});

test("--reuse-port: new connections are the second server's; the first answers on those it has, and closes them", async () => {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--reuse-port", "-d"];
  await using first = await startServer(args);
  const port = Number(new URL(first.url).port);
  const connections = [await connect(port), await connect(port)];
  const kept = connections[1]!;
  kept.socket.write("GET /api0/next HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until("it is answered", () => kept.received().endsWith('{"value":"1","status":"200"}'));
  await using second = await startSecond(first, args);
  // At once: who has been silent for half a minute is cut.
  const asked = Array.from({ length: 40 }, () => exchange(port, requestBytes("GET /api0/current")));
  for (const answer of await Promise.all(asked)) expect(statusOf(answer)).toBe(200);
  expect(first.log()).not.toContain("/api0/current");
  await until("its log has come", () => second.log().split("/api0/current").length > 40);
  const stoppedMs = performance.now();
  first.kill("SIGTERM");
  await until("the first one stops", () => first.log().includes("Stopping"));
  for (const [line, { socket, ended, received }] of [
    ["GET /livez", connections[0]!],
    ["GET /api0/next", kept],
  ] as const) {
    const before = received().length;
    socket.write(`${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const answer = (await ended).slice(before);
    // It goes on for a second: a test that was stopped for so long may find the connection closed.
    if (answer === "" && performance.now() - stoppedMs > 1000) continue;
    expect(statusOf(answer)).toBe(200);
    expect(headersOf(answer, "connection")).toEqual(["close"]);
  }
  expect(await first.ended()).toBe(0);
  expect(await exchange(port, requestBytes("GET /api0/current"))).toEndWith('{"value":"1","status":"200"}');
});

test("--reuse-port: the second server has the tasks when the first one has ended", async () => {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--reuse-port"];
  await using first = await startServer(args);
  const body = JSON.stringify({ kind: "fibonacci", n: "30000000" });
  const accepted = await fetch(`${first.url}/v1/tasks`, { method: "POST", body });
  const { id } = (await accepted.json()) as { id: string };
  await using _second = await startSecond(first, args);
  first.kill("SIGTERM");
  expect(await first.ended()).toBe(0);
  // The first time it may be asked on a connection that the first server has just ended.
  const shown = async () =>
    fetch(`${first.url}/v1/tasks/${id}`).then(
      (response) => response.text(),
      () => "",
    );
  await until("the task is ready", async () => (await shown()).includes('"state":"ready"'));
});

withStrace("--reuse-port: a kernel that does not steer connections is told of, and served with", async () => {
  using folder = temporaryFolder();
  const trace = path.join(folder.path, "trace");
  // The first four are Bun's, which makes the socket with them.
  const under = strace(trace, "setsockopt", "setsockopt:error=EPERM:when=5+");
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file, "--reuse-port"], { under });
  expect(server.log()).toMatch(/Connections may be cut .*EPERM/);
  expect(statusOf(await exchange(Number(new URL(server.url).port), requestBytes("GET /livez")))).toBe(200);
});
