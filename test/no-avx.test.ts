/**
 * An x64 CPU without AVX, as Nehalem was: JavaScriptCore has no WASM SIMD there, so long numbers are multiplied by
 * BigInt, and the adder is the one without vectors. qemu runs the program on one, 10 to 20 times as slowly: a start
 * takes half a second, so that commands run side by side.
 */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import { requireTool, requires, run, startServer, temporaryFolder, until } from "./binary.ts";
import { bigTerms, sha256 } from "./oracle.ts";
import reference from "./vectors/reference.json";

setDefaultTimeout(300_000);

const qemu =
  process.arch === "x64"
    ? requireTool(["qemu-x86_64-static", "--version"], "apt-get install qemu-user-static")
    : requires(false, "this machine is no x64");
const under = ["qemu-x86_64-static", "-cpu", "Nehalem"];

const NOTICE = /This CPU has no AVX[^\n"]+/g;

const fibonacciSha256 = (n: number) => reference.fibonacci.find((row) => row.n === n)!.sha256;
const factorialSha256 = (n: number) => reference.factorials.list.find((row) => row.n === n)!.sha256;
const sequenceSha256 = (from: number, count: number) =>
  reference.sequences.list.find((row) => row.from === from && row.count === count)!.sha256;

/** Runs commands side by side. */
const runAll = (lines: readonly string[]) =>
  Promise.all(lines.map(async (line) => ({ line, ...(await run(line.split(" "), { under })) })));

qemu("long numbers are right without AVX, and one line says that they take longer", async () => {
  const results = await runAll(["fib 1000000", "fact 10000"]);
  const digests = results.map(({ stdout, exitCode }) => [sha256(stdout.trimEnd()), exitCode]);
  expect(digests).toEqual([
    [fibonacciSha256(1_000_000), 0],
    [factorialSha256(10_000), 0],
  ]);
  for (const { stderr } of results) {
    expect(stderr.match(NOTICE)).toHaveLength(1);
    expect(stderr.split("\n")).toHaveLength(2);
  }
});

qemu(
  "what cannot be held without AVX is refused before it is computed, by what big integers take",
  async () => {
    const lines = ["fib 20000000000", "lucas 20000000000"];
    for (const { stderr, exitCode } of await runAll(lines)) {
      // 13 bytes a digit; with vectors it would be 15,391 MB.
      expect(stderr).toMatch(/^fibserver: Cannot compute .\(20000000000\): it needs 54,337 MB of memory/);
      expect(exitCode).toBe(1);
    }
  },
);

qemu("short numbers and sequences without AVX are as everywhere, and nothing is said", async () => {
  const texts = {
    "fib 100": "354224848179261915075\n",
    "fact 20": "2432902008176640000\n",
    "ack 3 10": "8189\n",
    "index 6765": "20\n",
    "seq 3": "0\n1\n1\n",
  };
  expect(await runAll(Object.keys(texts))).toEqual(
    Object.entries(texts).map(([line, stdout]) => ({ line, stdout, stderr: "", exitCode: 0 })),
  );
});

qemu("fibserver seq without AVX writes what GMP does, from the start and from far on", async () => {
  const results = await runAll(["seq 0..9999", "seq 99990..99999"]);
  expect(
    results.map(({ stdout, stderr, exitCode }) => [sha256(stdout.replaceAll("\n", " ")), stderr, exitCode]),
  ).toEqual([
    [sequenceSha256(0, 10_000), "", 0],
    [sequenceSha256(99_990, 10), "", 0],
  ]);
});

qemu("what big integers cannot hold is refused before it is computed", async () => {
  for (const { line, stdout, stderr, exitCode } of await runAll([
    "fib 1600000000",
    "fact 50000000",
    "ack 3 1100000000",
  ])) {
    expect({ line, stdout, exitCode }).toEqual({ line, stdout: "", exitCode: 1 });
    expect(stderr).toMatch(
      /Cannot compute [^\n]* (323000000; a CPU with AVX computes more|MB are available)(\. Try: [^\n]+)?\n$/,
    );
  }
});

qemu("a server without AVX says so once, and answers everything", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--max-index", "1000"], {
    under,
  });
  const get = async (route: string) => {
    const response = await fetch(server.url + route);
    return [response.status, await response.text()] as const;
  };
  const textOf = async (route: string) => {
    const [status, text] = await get(route);
    expect([route, status]).toEqual([route, 200]);
    return text;
  };
  for (const [route, text] of [
    ["/readyz", "ok\n"],
    ["/api0/next", `{"value":"1","status":"200"}`],
    ["/v1/fibonacci/100?format=text", "354224848179261915075"],
    ["/v1/ackermann/3/10?format=text", "8189"],
    ["/v1/index/6765?format=text", "20"],
  ] as const) {
    expect([route, await textOf(route)]).toEqual([route, text]);
  }
  // On a thread, which has no kernel either.
  for (const n of [100_000, 1_000_000])
    expect(sha256(await textOf(`/v1/fibonacci/${n}?format=text`))).toBe(fibonacciSha256(n));
  expect(sha256(await textOf("/v1/factorial/10000?format=text"))).toBe(factorialSha256(10_000));
  const body = JSON.stringify({ kind: "fibonacci", n: "1000000" });
  const task = (await (await fetch(`${server.url}/v1/tasks`, { method: "POST", body })).json()) as {
    id: string;
  };
  const result = `/v1/tasks/${task.id}/result`;
  await until("the task is ready", async () => (await get(result))[0] === 200);
  expect(sha256(await textOf(result))).toBe(fibonacciSha256(1_000_000));
  await expectSequences(textOf);
  await expectSteps(textOf, server.url);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  expect(server.log().match(/"message":"[^\n]*This CPU has no AVX/g)).toHaveLength(1);
});

/** Sequences in each of the ways that a server writes them. */
async function expectSequences(textOf: (route: string) => Promise<string>): Promise<void> {
  expect(await textOf("/v1/sequence?from=9&count=2&format=csv")).toBe("n,value\n9,34\n10,55\n");
  expect(JSON.parse(await textOf("/v1/sequence?count=1000&format=json"))).toEqual(bigTerms(0, 1000));
  expect(sha256(await textOf("/?sn=10000"))).toBe(sequenceSha256(0, 10_000));
  const { result } = JSON.parse(await textOf("/fib/300")) as { result: string };
  expect(result).toBe(bigTerms(0, 300).join(" "));
  // Its first two terms come from a thread.
  for (const [from, count] of [
    [123_456, 200],
    [1_000_000, 5],
  ] as const) {
    const text = await textOf(`/v1/sequence?from=${from}&count=${count}`);
    expect(sha256(text.replaceAll("\n", " "))).toBe(sequenceSha256(from, count));
  }
}

/** From value to value, by the adder. */
async function expectSteps(textOf: (route: string) => Promise<string>, url: string): Promise<void> {
  const body = JSON.stringify({ index: "500" });
  expect((await fetch(`${url}/v1/cursor`, { method: "PUT", body })).status).toBe(200);
  for (const [move, index] of [
    ["next", 501],
    ["next", 502],
    ["previous", 501],
    ["next", 502],
    ["previous", 501],
  ] as const) {
    const [value] = bigTerms(index, 1);
    expect(JSON.parse(await textOf(`/api0/${move}`))).toEqual({ value, status: "200" });
  }
}
