/** Sequences and the cursor's values on an x64 CPU without AVX (no-avx.test.ts): the adder is the one without vectors. */
import { expect, setDefaultTimeout } from "bun:test";
import { createHash } from "node:crypto";
import path from "node:path";
import { fibonacciValues, requireTool, requires, run, startServer, temporaryFolder } from "./binary.ts";
import reference from "./vectors/reference.json";

setDefaultTimeout(60_000);

const qemu =
  process.arch === "x64"
    ? requireTool(["qemu-x86_64-static", "--version"], "apt-get install qemu-user-static")
    : requires(false, "this machine is no x64");
const under = ["qemu-x86_64-static", "-cpu", "Nehalem"];

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function sequenceOf(from: number, count: number) {
  return reference.sequences.list.find((row) => row.from === from && row.count === count)!;
}

qemu("fibserver seq without AVX writes what GMP does, from the start and from far on", async () => {
  expect(await run(["seq", "3"], { under })).toEqual({ stdout: "0\n1\n1\n", stderr: "", exitCode: 0 });
  for (const [from, count] of [
    [0, 10_000],
    [99_990, 10],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(["seq", `${from}..${from + count - 1}`], { under });
    expect([stderr, exitCode]).toEqual(["", 0]);
    expect(sha256(stdout.replaceAll("\n", " "))).toBe(sequenceOf(from, count).sha256);
  }
});

qemu("a server without AVX writes sequences in each of its ways, and steps from value to value", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--max-index", "1000"], {
    under,
  });
  const get = async (route: string) => await (await fetch(server.url + route)).text();
  expect(await get("/v1/sequence?from=9&count=2&format=csv")).toBe("n,value\n9,34\n10,55\n");
  expect(JSON.parse(await get("/v1/sequence?count=1000&format=json"))).toEqual(fibonacciValues(1000));
  expect(sha256(await get("/?sn=10000"))).toBe(sequenceOf(0, 10_000).sha256);
  expect((JSON.parse(await get("/fib/300")) as { result: string }).result).toBe(
    fibonacciValues(300).join(" "),
  );
  // Its first two terms come from a thread.
  for (const [from, count] of [
    [123_456, 200],
    [1_000_000, 5],
  ] as const) {
    const text = await get(`/v1/sequence?from=${from}&count=${count}`);
    expect(sha256(text.replaceAll("\n", " "))).toBe(sequenceOf(from, count).sha256);
  }
  const body = JSON.stringify({ index: "500" });
  expect((await fetch(`${server.url}/v1/cursor`, { method: "PUT", body })).status).toBe(200);
  const values = fibonacciValues(510);
  for (const [move, index] of [
    ["next", 501],
    ["next", 502],
    ["previous", 501],
    ["next", 502],
    ["previous", 501],
  ] as const) {
    expect(JSON.parse(await get(`/api0/${move}`))).toEqual({ value: values[index]!, status: "200" });
  }
});
