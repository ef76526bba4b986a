/**
 * nginx, Caddy and HAProxy before servers that fail, as `deploy/` has them with several: what is sent again, and what never.
 *
 * Method: two servers of sockets, which count what reaches them and break the connection in the middle of a move; what the
 * real server does then, one request that came twice is a move too many. And the real one: gone, back, and handed over.
 */
import { expect, setDefaultTimeout } from "bun:test";
import net from "node:net";
import path from "node:path";
import { requireTool, startProgram, startServer, temporaryFolder, until } from "../binary.ts";
import { exchange } from "./behind.ts";
import { type Kind, KINDS, startProxy } from "./proxies.ts";

setDefaultTimeout(300_000);

/** A server that answers all but what has `next`, `fibo?` or `tasks` in its first line: of that it closes the connection. */
interface Front extends AsyncDisposable {
  readonly port: number;
  /** The first lines of what has reached it, without what asks for its health. */
  readonly asked: string[];
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

async function startFront(): Promise<Front> {
  const asked: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    let received = "";
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
      if (!received.includes("\r\n\r\n")) return;
      const line = received.slice(0, received.indexOf("\r\n"));
      received = "";
      if (!line.includes("/readyz")) asked.push(line);
      if (/next|fibo\?|tasks/.test(line)) {
        socket.destroy();
        return;
      }
      // Three times what an impatient proxy gives a client.
      setTimeout(() => socket.write(OK), line.includes("/slow") ? 3000 : 0);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: (server.address() as net.AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** What moves or makes something: once, whatever happens. */
const ONCE = [
  ["GET", "/api0/next"],
  ["GET", "/fibo?sn=1000"],
  ["POST", "/v1/cursor/next"],
  ["POST", "/v1/cursors/alice/next"],
  ["POST", "/v1/tasks"],
  ["GET", "/fib/api0/next"],
  ["POST", "/fib/v1/cursor/next"],
] as const;

/** Without a meaning here: Go takes it for a promise that to repeat is harmless. */
const KEYED = { "X-Idempotency-Key": "a" };

for (const kind of KINDS) {
  const test = requireTool(kind.probe, kind.install);
  const title = (what: string) => `${kind.name}: ${what}`;

  test(
    title("a server that dies in a move is asked once, on a used connection as well, and no other one"),
    () => askOnce(kind),
  );

  test(
    title("a long answer is waited for, by a client that is silent for longer than it may send nothing"),
    async () => {
      await using front = await startFront();
      await using proxy = await startProxy(kind, [front.port, 1], kind.impatient);
      // Whoever takes a second to ask is refused, and asks again: what is meant here begins when the server is asked.
      const isAsked = () => front.asked.length > 0;
      let told = "";
      await until("the server is asked", async () => {
        told = await proxy.fetch("/slow").then(
          (answer) => answer.text(),
          (error: unknown) => {
            if (isAsked()) throw error;
            return "";
          },
        );
        return isAsked();
      });
      expect(told).toBe("ok\n");
    },
  );

  test(
    title("of two servers the one that is gone is left out, and no move fails or is made twice"),
    async () => {
      await using front = await startFront();
      await using gone = await startFront();
      await using proxy = await startProxy(kind, [gone.port, front.port], [...kind.several, ...kind.patient]);
      await gone[Symbol.asyncDispose]();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, at) => proxy.fetch(`/v1/fibonacci/${at}`)),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      expect(front.asked.toSorted()).toEqual(
        answers.map((_, at) => `GET /v1/fibonacci/${at} HTTP/1.1`).toSorted(),
      );
    },
  );

  test(title("while its server is gone it says so, and it goes on when that is back"), () =>
    goAndComeBack(kind),
  );

  test(title("below a path, as its head says"), () => belowPath(kind));

  test(title("a hand-over under load: each move is made once, and none fails"), () => handOver(kind));
}

async function askOnce(kind: Kind): Promise<void> {
  await using one = await startFront();
  await using two = await startFront();
  // More fail here than nginx allows a server in ten seconds.
  const soon = kind.name === "nginx" ? ([["fail_timeout=10s", "fail_timeout=1s"]] as const) : [];
  await using proxy = await startProxy(
    kind,
    [one.port, two.port],
    [...kind.several, ...kind.patient, ...soon],
  );
  // HAProxy ends the connection without an answer, as its head says, and it is the client that asks again.
  const once = ONCE.filter(([method]) => kind.name !== "haproxy" || method === "POST");
  const sent = [
    ...once.map(([method, target]) => [method, target, {}] as const),
    ["POST", "/v1/cursor/next", KEYED] as const,
  ];
  for (const [method, target, headers] of sent) {
    // Connections that are used again: the way on which Go's transport sends a GET once more.
    await Promise.all(Array.from({ length: 8 }, () => proxy.fetch("/api0/current")));
    await Promise.all(Array.from({ length: 8 }, () => proxy.fetch("/v1/cursor")));
    for (const front of [one, two]) front.asked.length = 0;
    const broken = kind.name === "haproxy" ? () => ({ status: 502 }) : undefined;
    const { status } = await proxy.fetch(target, { method, headers }).catch(broken);
    const asked = [...one.asked, ...two.asked];
    expect({ target, status, asked }).toEqual({
      target,
      status: 502,
      asked: [`${method} ${target} HTTP/1.1`],
    });
    // It may be taken for one that is gone, for a moment.
    await until("both are asked again", async () => (await proxy.fetch("/v1/cursor")).status === 200);
  }
}

async function goAndComeBack(kind: Kind): Promise<void> {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--trust-proxy", "127.0.0.1"];
  const first = await startServer(args);
  const { port } = new URL(first.url);
  await using proxy = await startProxy(kind, [Number(port), 1]);
  expect(await (await proxy.fetch("/api0/next")).json()).toEqual({ value: "1", status: "200" });
  await first[Symbol.asyncDispose]();
  const { status } = await proxy.fetch("/api0/next");
  expect([502, 503]).toContain(status);
  await using back = await startProgram(["-p", port, ...args], /"url":"(http:[^"]*)\/"/);
  expect(back.said).toContain(port);
  // The second move is F(2), whatever was asked while it was gone.
  const after = await proxy.fetch("/v1/cursor/next", { method: "POST" });
  expect(await after.json()).toEqual({ index: "2", value: "1" });
}

async function belowPath(kind: Kind): Promise<void> {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--base-path", "/fib", "--trust-proxy", "127.0.0.1"];
  await using server = await startServer([...args, "--allow-host", "localhost"]);
  await using proxy = await startProxy(kind, [Number(new URL(server.url).port), 1], kind.below);
  expect(proxy.complaints).toBe("");
  const moved = await proxy.fetch("/fib/v1/cursor/next", { method: "POST" });
  expect(await moved.json()).toEqual({ index: "1", value: "1" });
  expect((await proxy.fetch("/fib/", { headers: { Accept: "text/html" } })).status).toBe(200);
  expect((await proxy.fetch("/v1/cursor")).status).toBe(404);
  const paths = ["/metrics", "/fib/metrics", "/fib/%6detrics", "/fib/..\\metrics", "/fib/x/..\\..\\metrics"];
  const encoded = ["/fib/x/%2e%2e/metrics", "/fib/%2e%2e\\metrics", "/fib//metrics"];
  for (const to of [...paths, ...encoded, "/fib/x/../metrics", "/fib/x/..\\metrics"]) {
    const answer = await exchange(
      proxy,
      `GET ${to} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    expect([to, answer]).toEqual([to, expect.stringMatching(/^HTTP\/1\.1 (400|403|404|301|308) /)]);
  }
}

async function handOver(kind: Kind): Promise<void> {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  // Two of them have the file: neither gives up what waits for the other one.
  const patient = ["--max-index", "1000000", "--lock-timeout", "240"];
  const args = ["-f", file, "--reuse-port", "--trust-proxy", "127.0.0.1", ...patient];
  const first = await startServer(args);
  const { port } = new URL(first.url);
  await using proxy = await startProxy(kind, [Number(port), 1]);
  const indexes: number[] = [];
  const over = new AbortController();
  const move = async () => {
    while (!over.signal.aborted) {
      const response = await proxy.fetch("/v1/cursor/next", { method: "POST" });
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
      indexes.push(Number(((await response.json()) as { index: string }).index));
    }
  };
  // Its failure is that of the test, at the end.
  const moving = Promise.all(Array.from({ length: 8 }, move));
  moving.catch(() => over.abort());
  const moves = async (count: number) => {
    const before = indexes.length;
    await until("moves are made", () => over.signal.aborted || indexes.length >= before + count);
  };
  await moves(50);
  await using second = await startProgram(["-p", port, ...args], /"url":"(http:[^"]*)\/"/);
  expect(second.said).toContain(port);
  await moves(50);
  first.kill("SIGTERM");
  expect(await first.ended()).toBe(0);
  await moves(50);
  over.abort();
  await moving;
  expect(indexes.toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: indexes.length }, (_, at) => at + 1),
  );
}
