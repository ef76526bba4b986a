/**
 * The lines of the log, as the program writes them: for people on a terminal, for programs elsewhere, and nothing that
 * comes from outside can forge one. `script` brings the terminal.
 */
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { BINARY, requireTool, startProgram, startServer, temporaryFolder, until } from "./binary.ts";

const onTerminal = requireTool(["script", "--version"], "apt-get install bsdutils");

/** A name that would write a line of its own, in red. */
const FORGED = "c\n12:00:00.000 error it burns\u001B[31m";

test("in the text what comes from outside stays in its line, and moves no cursor", async () => {
  using folder = temporaryFolder();
  const args = ["-p", "0", "--log-format", "text", "-f", path.join(folder.path, FORGED)];
  await using server = await startProgram(args, /(Serving) .*\n/);
  const line = String.raw`c\01212:00:00.000 error it burns\033[31m at http`;
  expect(server.log()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info Serving /);
  expect(server.log()).toContain(line);
  expect(
    server
      .log()
      .trimEnd()
      .split("\n")
      .filter((each) => each.includes("burns")),
  ).toHaveLength(1);
  expect(server.log()).not.toContain("\u001B");
});

test("a request ends its line in the text with its client and its id", async () => {
  using folder = temporaryFolder();
  const args = ["-p", "0", "-d", "--log-format", "text", "-f", path.join(folder.path, "c")];
  await using server = await startProgram(args, / at (http:\S+)/);
  await fetch(`${server.said}v1/cursor?q=1`, { headers: { "x-request-id": "mine" } });
  const line = /debug GET \/v1\/cursor 200 in [\d.]+ ms for 127\.0\.0\.1 \[mine\]\n/;
  await until("the request is logged", () => line.test(server.log()));
});

test("a request that waits for more than a second is warned of, with its id, at the level of every day", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "c");
  await using server = await startServer(["-f", file, "--lock-timeout", "60"]);
  await fetch(`${server.url}/api0/next`);
  const holder = Bun.spawn(["flock", "--no-fork", file, "sh", "-c", "echo held; read end"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await holder.stdout.getReader().read();
  const moved = fetch(`${server.url}/v1/cursor/next`, {
    method: "POST",
    headers: { "x-request-id": "mine" },
  });
  const waiting = async () => (await (await fetch(`${server.url}/metrics`)).text()).includes("in_flight 2\n");
  await until("it waits", waiting);
  const startMs = performance.now();
  await until("it is slow", () => performance.now() - startMs > 1500);
  await holder.stdin.end();
  expect((await moved).status).toBe(200);
  // On a busy machine others may be slow as well.
  const slow = () => /^.*"Slow: .*"mine".*\n/m.exec(server.log())?.[0];
  await until("it is warned of", () => slow() !== undefined);
  expect(JSON.parse(slow()!)).toMatchObject({ level: "WARN", path: "/v1/cursor/next", requestId: "mine" });
});

test("by default the log is JSON where no terminal is", async () => {
  using folder = temporaryFolder();
  await using server = await startProgram(["-p", "0", "-f", path.join(folder.path, "c")], /(Serving)/);
  server.kill("SIGTERM");
  await server.ended();
  const lines = server.log().trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: "INFO" });
});

onTerminal("a terminal gets colours, unless NO_COLOR or TERM=dumb says no", async () => {
  using folder = temporaryFolder();
  for (const [env, coloured] of [
    [{ TERM: "xterm" }, true],
    [{ TERM: "xterm", NO_COLOR: "" }, true],
    [{ TERM: "xterm", NO_COLOR: "1" }, false],
    [{ TERM: "dumb" }, false],
  ] as const) {
    const line = `exec ${BINARY} -p 0 -f ${path.join(folder.path, "c")}`;
    const child = Bun.spawn(["script", "-qefc", line, "/dev/null"], {
      env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let [said, isEnded] = ["", false];
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += chunk;
      if (!said.includes(" Serving ") || isEnded) continue;
      isEnded = true;
      // The only child of `script`: the shell has made way for it.
      const pid = fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
      process.kill(Number(pid), "SIGTERM");
    }
    await child.exited;
    expect([env, said.includes("\u001B[")]).toEqual([env, coloured]);
    expect(said).toContain(" Serving ");
  }
});
