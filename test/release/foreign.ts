/**
 * What a program that was made for another machine has to do, from outside: started by {@link Start.under} an emulator,
 * or with libraries of its own by {@link Start.env}. The same for each, and compared with references and with the
 * program of this machine.
 * @module
 */
import { expect } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { makeCertificates } from "../certificates.ts";
import {
  mustRequest,
  output,
  run,
  type Server,
  type Start,
  startServer,
  temporaryFolder,
  until,
} from "../binary.ts";
import { bigTerms, sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json";

/** How a test is declared. */
type Test = (title: string, body: () => Promise<void>, timeoutMs?: number) => void;

/** Without vectors, as on a CPU that has none: by the runtime's own setting. */
const NO_VECTORS = { BUN_JSC_useWasmSIMD: "0" };

const fibonacciSha256 = (n: number) => reference.fibonacci.find((row) => row.n === n)!.sha256;
const factorialSha256 = (n: number) => reference.factorials.list.find((row) => row.n === n)!.sha256;
const sequenceSha256 = (from: number, count: number) =>
  reference.sequences.list.find((row) => row.from === from && row.count === count)!.sha256;

/** Declares the tests of a program. @param start - How it is started. */
export function testProgram(test: Test, name: string, start: Start): void {
  test(`${name}: letters move cursors in a file, with names too, and errors have their exit codes`, async () => {
    using folder = temporaryFolder();
    const at = ["-f", path.join(folder.path, "cursor")];
    expect(await output(["n", "n", "n", "p", "c", ...at], start)).toBe("1\n1\n2\n1\n1\n");
    expect(await output(["n", "--cursor", "other", ...at], start)).toBe("1\n");
    expect(await output(["-i", ...at], { ...start, stdin: "n\nc\nq\n" })).toContain("2");
    expect(await output(["cursor", "list", ...at], start)).toMatch(/^default\t3\t.*\nother\t1\t/);
    const wrong = await run(["n", "--no-such-flag", ...at], start);
    expect(wrong).toMatchObject({ stdout: "", exitCode: 2 });
    // What it has written is read by this machine's own, and the other way round.
    expect(await output(["n", ...at])).toBe("3\n");
    expect(await output(["c", ...at], start)).toBe("3\n");
  });

  test(`${name}: numbers are right to the digit, with vectors and without`, async () => {
    const sums = {
      "fib 1000000": fibonacciSha256(1_000_000),
      "fact 10000": factorialSha256(10_000),
      "seq 99990..99999": sequenceSha256(99_990, 10),
    };
    const lines = [
      "lucas 54321",
      "ack 4 2",
      "zeck 1000000000000",
      "pisano 1000000007",
      "fib 1000000000000000000 --mod 1000000007",
    ];
    // Side by side: under an emulator most of the time of each goes by in its start.
    const digests = Object.entries(sums).map(async ([line, sum]) => {
      const text = await output(line.split(" "), start);
      // The reference has a space behind each term of a sequence.
      const terms = line.startsWith("seq") ? text.replaceAll("\n", " ") : text.trimEnd();
      expect([line, sha256(terms)]).toEqual([line, sum]);
    });
    const texts = lines.map(async (line) => {
      const words = line.split(" ");
      expect([line, await output(words, start)]).toEqual([line, await output(words)]);
    });
    await Promise.all([...digests, ...texts]);
    const scalar = { ...start, env: { ...start.env, ...NO_VECTORS } };
    const [long, steps] = await Promise.all([
      run(["fib", "1000000"], scalar),
      run(["seq", "0..9999"], scalar),
    ]);
    expect(long.stderr).toContain("no AVX");
    expect([sha256(long.stdout.trimEnd()), long.exitCode]).toEqual([fibonacciSha256(1_000_000), 0]);
    expect(sha256(steps.stdout.replaceAll("\n", " "))).toBe(sequenceSha256(0, 10_000));
  });

  test(`${name}: a server keeps what it answered through kill -9, and serves numbers, page and events`, async () => {
    using folder = temporaryFolder();
    const args = ["-f", path.join(folder.path, "cursor"), "--max-index", "1000"];
    {
      await using server = await startServer(args, start);
      for (let index = 1; index <= 20; index++) expect((await mustRequest(server, "next")).index).toBe(index);
      server.kill("SIGKILL");
    }
    await using server = await startServer(args, start);
    expect((await mustRequest(server, "current")).index).toBe(20);
    await expectAnswers(server);
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
  });

  test(`${name}: tasks are computed on threads, and survive kill -9`, async () => {
    using folder = temporaryFolder();
    const args = ["-f", path.join(folder.path, "cursor")];
    const accepted: string[] = [];
    {
      await using server = await startServer(args, start);
      for (const n of [1_000_000, 100_000]) accepted.push(await acceptTask(server, n));
      server.kill("SIGKILL");
    }
    await using server = await startServer(args, start);
    const textOf = async (id: string) => {
      const at = `${server.url}/v1/tasks/${id}/result?format=text`;
      await until("the task is ready", async () => (await fetch(at, { method: "HEAD" })).ok);
      return (await fetch(at)).text();
    };
    expect(sha256(await textOf(accepted[0]!))).toBe(fibonacciSha256(1_000_000));
    expect(sha256(await textOf(accepted[1]!))).toBe(fibonacciSha256(100_000));
    const printed = await output(["task", "run", "factorial", "10000", "-q", "--server", server.url], start);
    expect(sha256(printed.trimEnd())).toBe(factorialSha256(10_000));
  });

  test(`${name}: a copy of cursors and tasks is put back by this machine's program`, async () => {
    using folder = temporaryFolder();
    const at = (file: string) => path.join(folder.path, file);
    await output(["n", "n", "n", "-f", at("cursor")], start);
    await output(["n", "n", "--cursor", "other", "-f", at("cursor")], start);
    // Where both are, and how many, goes to stdout.
    for (const [how, from, to] of [
      [start, "cursor", "there"],
      [{}, "there", "back"],
    ] as const) {
      expect(await run(["backup", at(`${to}.copy`), "-f", at(from)], how)).toMatchObject({ exitCode: 0 });
      expect(await run(["restore", at(`${to}.copy`), "-f", at(to)], how)).toMatchObject({ exitCode: 0 });
    }
    for (const how of [start, {}]) {
      expect(await output(["c", "-f", at("back")], how)).toBe("2\n");
      expect(await output(["c", "--cursor", "other", "-f", at("back")], how)).toBe("1\n");
    }
  });

  test(`${name}: its lock and this machine's exclude one another, so that each index comes once`, async () => {
    using folder = temporaryFolder();
    const args = ["-f", path.join(folder.path, "cursor"), "--max-index", "1000"];
    // Nobody is refused here for a disk or a process that takes its time while it has the lock.
    const patient = [...args, "--lock-timeout", "240"];
    await using foreign = await startServer(patient, start);
    await using native = await startServer(patient);
    const moves = [foreign, native].flatMap((server) =>
      Array.from({ length: 60 }, () => mustRequest(server, "next")),
    );
    const indexes = (await Promise.all(moves)).map(({ index }) => index);
    expect(indexes.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
    // While another process has it, a move waits as long as it may, and is then refused.
    const holder = Bun.spawn(["flock", "--no-fork", args[1]!, "sh", "-c", "echo held; exec sleep infinity"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      await holder.stdout.getReader().read();
      const { stdout, exitCode } = await run(["n", "--lock-timeout", "0.1", ...args], start);
      expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 75 });
    } finally {
      holder.kill("SIGKILL");
      await holder.exited;
    }
  });
}

/** Declares the test of what openssl is needed for. */
export function testTls(test: Test, name: string, start: Start): void {
  test(`${name}: it serves https to those who have a token`, async () => {
    using folder = temporaryFolder();
    const at = await makeCertificates(folder.path);
    const made = JSON.parse(await output(["token", "app", "--scope", "write", "--json"], start)) as {
      token: string;
      line: string;
    };
    fs.writeFileSync(at("tokens"), `${made.line}\n`, { mode: 0o600 });
    const files = ["--tls-cert", at("good.crt"), "--tls-key", at("good.key"), "--tokens", at("tokens")];
    await using server = await startServer(["-f", at("cursor"), ...files], start);
    const env = { ...start.env, NODE_EXTRA_CA_CERTS: at("ca.crt") };
    const ask = (more: Record<string, string>) =>
      run(["n", "--server", server.url], { ...start, env: { ...env, ...more } });
    expect(await ask({ FIBSERVER_TOKEN: made.token })).toMatchObject({ stdout: "1\n", exitCode: 0 });
    expect(await ask({})).toMatchObject({ stdout: "", exitCode: 77 });
  });
}

/** Numbers, ranges, sequences, the page, events and metrics of a server whose cursor is at 20. */
async function expectAnswers({ url }: Server): Promise<void> {
  const textOf = async (route: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url + route, { headers });
    expect([route, response.ok]).toEqual([route, true]);
    return response.text();
  };
  const whole = await textOf("/v1/fibonacci/1000000?format=text");
  expect(sha256(whole)).toBe(fibonacciSha256(1_000_000));
  const part = await textOf("/v1/fibonacci/1000000?format=text", { range: "bytes=100000-100099" });
  expect(part).toBe(whole.slice(100_000, 100_100));
  expect(JSON.parse(await textOf("/v1/sequence?count=1000&format=json"))).toEqual(bigTerms(0, 1000));
  const page = await textOf("/", { accept: "text/html" });
  const [, script] = /src="(page\/[^"]+\.js)"/.exec(page)!;
  expect(await textOf(`/${script}`)).toContain("function");
  const events = await fetch(`${url}/v1/cursor/events`, { headers: { accept: "text/event-stream" } });
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  let told = "";
  const reads = (async () => {
    while (!told.includes('"index":"21"')) {
      const { value, done } = await reader.read();
      if (done) break;
      told += value;
    }
  })();
  expect((await fetch(`${url}/v1/cursor/next`, { method: "POST" })).status).toBe(200);
  await reads;
  expect(told).toContain('"index":"21"');
  await reader.cancel();
  expect(await textOf("/metrics")).toMatch(
    /^fibserver_cursor_moves_total\{operation="next",outcome="ok"\} 1$/m,
  );
  // What is slow for a moment is told there as well.
  let problems: unknown;
  await until("its status has no problem", async () => {
    ({ problems } = JSON.parse(await textOf("/v1/status")) as { problems: unknown });
    return Bun.deepEquals(problems, []);
  });
  expect(problems).toEqual([]);
}

/** Has F(n) computed as a task. @returns Its id. */
async function acceptTask({ url }: Server, n: number): Promise<string> {
  const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
  const response = await fetch(`${url}/v1/tasks`, { method: "POST", body });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}
