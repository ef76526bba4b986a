/**
 * An x64 CPU without AVX, as Nehalem was: JavaScriptCore has no WASM SIMD there. qemu runs the program on one, 10 to 20
 * times as slowly.
 */
import { expect, setDefaultTimeout } from "bun:test";
import { createHash } from "node:crypto";
import path from "node:path";
import { requireTool, requires, run, startServer, temporaryFolder, until } from "./binary.ts";
import reference from "./vectors/reference.json";

setDefaultTimeout(60_000);

const qemu =
  process.arch === "x64"
    ? requireTool(["qemu-x86_64-static", "--version"], "apt-get install qemu-user-static")
    : requires(false, "this machine is no x64");
const under = ["qemu-x86_64-static", "-cpu", "Nehalem"];

const NOTICE = /This CPU has no AVX[^\n"]+/g;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const fibonacciSha256 = (n: number) => reference.fibonacci.find((row) => row.n === n)!.sha256;
const factorialSha256 = (n: number) => reference.factorials.list.find((row) => row.n === n)!.sha256;

qemu("long numbers are right without AVX, and one line says that they take longer", async () => {
  for (const [line, digest] of [
    ["fib 1000000", fibonacciSha256(1_000_000)],
    ["fact 10000", factorialSha256(10_000)],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(line.split(" "), { under });
    expect({ line, digest: sha256(stdout.trimEnd()), exitCode }).toEqual({ line, digest, exitCode: 0 });
    expect(stderr.match(NOTICE)).toHaveLength(1);
    expect(stderr.split("\n")).toHaveLength(2);
  }
});

qemu("short numbers without AVX are as everywhere, and nothing is said", async () => {
  for (const [line, stdout] of [
    ["fib 100", "354224848179261915075\n"],
    ["fact 20", "2432902008176640000\n"],
    ["ack 3 10", "8189\n"],
    ["index 6765", "20\n"],
  ] as const) {
    expect(await run(line.split(" "), { under })).toEqual({ stdout, stderr: "", exitCode: 0 });
  }
});

qemu("what big integers cannot hold is refused before it is computed", async () => {
  for (const line of ["fib 1600000000", "fact 50000000", "ack 3 1100000000"]) {
    const { stdout, stderr, exitCode } = await run(line.split(" "), { under });
    expect({ line, stdout, exitCode }).toEqual({ line, stdout: "", exitCode: 1 });
    expect(stderr).toMatch(
      /Cannot compute [^\n]* (323000000; a CPU with AVX computes more|MB are available)\n$/,
    );
  }
});

qemu("a server without AVX says so once, and answers everything", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")], { under });
  const get = async (route: string) => {
    const response = await fetch(server.url + route);
    return [response.status, await response.text()] as const;
  };
  for (const [route, text] of [
    ["/readyz", "ok\n"],
    ["/api0/next", `{"value":"1","status":"200"}`],
    ["/v1/fibonacci/100?format=text", "354224848179261915075"],
    ["/v1/ackermann/3/10?format=text", "8189"],
    ["/v1/index/6765?format=text", "20"],
  ] as const) {
    expect([route, ...(await get(route))]).toEqual([route, 200, text]);
  }
  // On a thread, which has no kernel either.
  for (const n of [100_000, 1_000_000]) {
    const [status, digits] = await get(`/v1/fibonacci/${n}?format=text`);
    expect([status, sha256(digits)]).toEqual([200, fibonacciSha256(n)]);
  }
  const [, factorial] = await get("/v1/factorial/10000?format=text");
  expect(sha256(factorial)).toBe(factorialSha256(10_000));
  const body = JSON.stringify({ kind: "fibonacci", n: "1000000" });
  const task = (await (await fetch(`${server.url}/v1/tasks`, { method: "POST", body })).json()) as {
    id: string;
  };
  const result = `/v1/tasks/${task.id}/result`;
  await until("the task is ready", async () => (await get(result))[0] === 200, 30);
  expect(sha256((await get(result))[1])).toBe(fibonacciSha256(1_000_000));
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  expect(server.log().match(/"message":"[^\n]*This CPU has no AVX/g)).toHaveLength(1);
});
