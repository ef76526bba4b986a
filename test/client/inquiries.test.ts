/** What can be found out about numbers, by a client: asked for as the server takes it, and checked before it is handed out. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { FibClient, FibClientError } from "../../src/client/client.ts";
import { openScripted, openServer, TASK } from "./server.ts";

setDefaultTimeout(300_000);

test("FibClient finds out about numbers", async () => {
  await using server = await openServer();
  const fib = new FibClient(server.url);
  expect(await fib.lucas(100)).toBe(792_070_839_848_372_253_127n);
  expect(await fib.lucas(30_000n, { as: "text" })).toHaveLength(6270);
  expect(await fib.remainder(1000, 97)).toBe(72n);
  expect(await fib.remainder(5, 1n)).toBe(0n);
  expect(await fib.ends(10n ** 18n, { first: 10, last: 12 })).toEqual({
    digits: 208_987_640_249_978_734n,
    first: "2628978818",
    last: "299560546875",
  });
  // Zeros are digits, and more than there are gives all.
  expect(await fib.ends(44, { last: 8 })).toEqual({ digits: 9n, last: "01408733" });
  expect(await fib.ends(10, { first: 1000 })).toEqual({ digits: 2n, first: "55" });
  expect(await fib.ends(0, { first: 1, last: 1 })).toEqual({ digits: 1n, first: "0", last: "0" });
  expect(await fib.zeckendorf(100)).toEqual([11, 6, 4]);
  expect(await fib.zeckendorf("0")).toEqual([]);
  expect(await fib.pisano(1000)).toBe(1500n);
  expect(await fib.pisano(1n)).toBe(1n);
  const counts = [1, 3, 3, 1, 3, 3, 1, 2, 2, 2];
  expect(await fib.digitCounts(100)).toEqual({ digits: 21, sum: 93, counts });
});

test("paths and queries are as long as the server takes them", async () => {
  await using server = await openServer();
  const fib = new FibClient(server.url);
  // An address of 15,000 digits, and cheap to answer.
  expect(await fib.remainder(10n ** 14_979n, 10n ** 19n)).toBe(
    // Beyond 10^19 powers of ten are the same modulo its period, 1.5 times as much.
    await fib.remainder(10n ** 20n, 10n ** 19n),
  );
  const value = 10n ** 9999n;
  expect((await fib.zeckendorf(value))[0]).toBe((await fib.zeckendorf(String(value)))[0]);
  expect((await fib.ends(10n ** 1000n - 1n, { last: 1000 })).last).toHaveLength(1000);
  expect(await refusal(fib.remainder(10n ** 8000n, 10n ** 8000n))).toMatchObject({
    code: "bad_argument",
    status: 400,
  });
});

test("FibClient.sequence() begins with two other terms", async () => {
  await using server = await openServer();
  const fib = new FibClient(server.url);
  expect(await Array.fromAsync(fib.sequence({ start: [2, 1n], count: 6 }))).toEqual([
    2n,
    1n,
    3n,
    4n,
    7n,
    11n,
  ]);
  const deep = await Array.fromAsync(fib.sequence({ start: [2, 1], from: 30_000, to: 30_000, as: "text" }));
  expect(deep).toEqual([await fib.lucas(30_000, { as: "text" })]);
  for (const start of [[2], [1, 2, 3], "2,1", 5, null]) {
    expect(() => fib.sequence({ start: start as never })).toThrow(TypeError);
  }
  for (const start of [
    [-1, 2],
    [0.5, 1],
    ["2", "1"],
  ]) {
    expect(() => fib.sequence({ start: start as never })).toThrow(RangeError);
  }
});

test("tasks are of these kinds, too; statistics have digitCounts() in the place of result()", async () => {
  await using server = await openServer();
  const { tasks } = new FibClient(server.url);
  expect(await (await tasks.create({ kind: "lucas", n: 100 })).result()).toBe(792_070_839_848_372_253_127n);
  const remainder = await tasks.create({ kind: "remainder", n: 1000, mod: 97n });
  expect(remainder.status).toMatchObject({ kind: "remainder", n: "1000", mod: "97" });
  expect(await remainder.result()).toBe(72n);
  expect(await (await tasks.create({ kind: "pisano", m: 1000 })).result({ as: "text" })).toBe("1500");
  const statistics = await tasks.create({ kind: "statistics", n: 100 });
  const counts = [1, 3, 3, 1, 3, 3, 1, 2, 2, 2];
  expect(await statistics.digitCounts()).toEqual({ digits: 21, sum: 93, counts });
  const long = await tasks.create({ kind: "statistics", n: 5_000_000 });
  expect(long.status.state).not.toBe("ready");
  expect(await long.digitCounts()).toMatchObject({ digits: 1_044_938 });
  expect(await (await tasks.get(statistics.id)).digitCounts({ wait: false })).toMatchObject({ digits: 21 });
  for (const as of ["bigint", "text", "stream"] as const) {
    expect(await failure(statistics.result({ as }))).toBeInstanceOf(TypeError);
  }
  expect(await failure(remainder.digitCounts())).toBeInstanceOf(TypeError);
});

test("a task of a sequence has a start, unless that is Fibonacci's", async () => {
  await using server = await openServer();
  const { tasks } = new FibClient(server.url);
  const lucas = await tasks.create({ kind: "sequence", count: 4, start: [2, 1] });
  expect(lucas.status.start).toBe("2,1");
  expect(await Array.fromAsync(lucas.terms())).toEqual([2n, 1n, 3n, 4n]);
  const plain = await tasks.create({ kind: "sequence", count: 4, start: [0n, 1n] });
  expect(plain.status.start).toBeUndefined();
  expect(plain.id).toBe((await tasks.create({ kind: "sequence", count: 4 })).id);
});

test("what is wrong in a call is refused, and nothing is asked", async () => {
  await using server = openScripted(() => Response.json({}));
  const fib = new FibClient(server.url);
  for (const call of [
    () => fib.remainder(5, 0),
    () => fib.remainder(-1, 5),
    () => fib.remainder(1.5, 5),
    () => fib.ends(5, { first: 0 }),
    () => fib.ends(5, { last: -1 }),
    () => fib.ends(5, { first: 2.5 }),
    () => fib.pisano(0n),
    () => fib.zeckendorf(-1),
    () => fib.zeckendorf("x"),
    () => fib.digitCounts(2 ** 53),
    () => fib.lucas(-1),
  ]) {
    expect([String(call), await failure(call())]).toEqual([String(call), expect.any(RangeError)]);
  }
  for (const none of [fib.ends(5, {}), fib.ends(5)]) {
    expect(await failure(none)).toMatchObject({
      name: "TypeError",
      message: expect.stringMatching(/^Cannot find the ends/),
    });
  }
  expect(server.requests).toHaveLength(0);
});

test("what cannot be the answer is none", async () => {
  const statistics = { digits: 3, sum: 6, counts: [0, 1, 1, 1, 0, 0, 0, 0, 0, 0] };
  for (const [answer, call] of [
    // Remainders and periods that are too large, and what is no number.
    ["97", (fib) => fib.remainder(1000, 97)],
    ["x", (fib) => fib.remainder(1000, 97)],
    ["", (fib) => fib.remainder(1000, 97)],
    ["6001", (fib) => fib.pisano(1000)],
    ["0", (fib) => fib.pisano(1000)],
    ["0003", (fib) => fib.remainder(1000, 97)],
    ["0".repeat(20_000_000), (fib) => fib.remainder(1000, 97)],
    // Ends of another length, with zeros before, with other characters, or missing.
    ["{}", (fib) => fib.ends(1000, { first: 3 })],
    ["5", (fib) => fib.ends(1000, { first: 3 })],
    ['{"n":"1000","digits":209,"first":"434"}', (fib) => fib.ends(1000, { first: 3 })],
    ['{"n":"1000","digits":"209","last":"434"}', (fib) => fib.ends(1000, { first: 3 })],
    ['{"n":"1000","digits":"209","first":"4346"}', (fib) => fib.ends(1000, { first: 3 })],
    ['{"n":"1000","digits":"209","first":"034"}', (fib) => fib.ends(1000, { first: 3 })],
    [`{"n":"1000","digits":"1${"0".repeat(1000)}","first":"434"}`, (fib) => fib.ends(1000, { first: 3 })],
    ['{"n":"1000","digits":"0","first":""}', (fib) => fib.ends(1000, { first: 3 })],
    ['{"n":"1000","digits":"2","first":"434"}', (fib) => fib.ends(1000, { first: 3 })],
    [String.raw`{"n":"1000","digits":"209","last":"\u001b[2J"}`, (fib) => fib.ends(1000, { last: 4 })],
    ['{"n":"1001","digits":"209","first":"434"}', (fib) => fib.ends(1000, { first: 3 })],
    // Of another number of digits; whole, and not the same.
    ['{"n":"1000","digits":"211","first":"434"}', (fib) => fib.ends(1000, { first: 3 })],
    ['{"n":"1000","digits":"207","first":"434"}', (fib) => fib.ends(1000, { first: 3 })],
    ['{"n":"10","digits":"2","first":"55","last":"56"}', (fib) => fib.ends(10, { first: 3, last: 3 })],
    ['{"n":"10","digits":"2","first":"55","last":"6"}', (fib) => fib.ends(10, { first: 3, last: 1 })],
    ['{"n":"10","digits":"2","first":"6","last":"55"}', (fib) => fib.ends(10, { first: 1, last: 3 })],
    ['{"n":"1000","digits":"0209","first":"434"}', (fib) => fib.ends(1000, { first: 3 })],
    // Neighbours, the wrong order, what is below F(2), none, and no indices.
    ['{"value":"100","indices":["11","10"]}', (fib) => fib.zeckendorf(100)],
    ['{"value":"100","indices":["4","6"]}', (fib) => fib.zeckendorf(100)],
    ['{"value":"100","indices":["4","1"]}', (fib) => fib.zeckendorf(100)],
    ['{"value":"100","indices":[]}', (fib) => fib.zeckendorf(100)],
    ['{"value":"0","indices":["2"]}', (fib) => fib.zeckendorf(0)],
    ['{"value":"100","indices":["99999999","4"]}', (fib) => fib.zeckendorf(100)],
    ['{"value":"100","indices":["2"]}', (fib) => fib.zeckendorf(100)],
    [`{"value":"100","indices":[${'"9",'.repeat(20)}"4"]}`, (fib) => fib.zeckendorf(100)],
    // Deeper than JSON can be written.
    [`{"value":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, (fib) => fib.zeckendorf(100)],
    ['{"value":"100","indices":["011","6","4"]}', (fib) => fib.zeckendorf(100)],
    ['{"value":"101","indices":["11","6","4"]}', (fib) => fib.zeckendorf(100)],
    ['{"value":"100","indices":[11,6,4]}', (fib) => fib.zeckendorf(100)],
    ['{"value":"100","indices":"11"}', (fib) => fib.zeckendorf(100)],
    ["null", (fib) => fib.zeckendorf(100)],
    // Counts that do not add up.
    [JSON.stringify({ ...statistics, digits: 4 }), (fib) => fib.digitCounts(5)],
    [JSON.stringify({ ...statistics, sum: 7 }), (fib) => fib.digitCounts(5)],
    [JSON.stringify({ ...statistics, counts: [0, 1, 1, 1] }), (fib) => fib.digitCounts(5)],
    [JSON.stringify({ ...statistics, counts: [4, -1, 0, 0, 0, 0, 0, 0, 0, 0] }), (fib) => fib.digitCounts(5)],
    [JSON.stringify({ digits: 0, sum: 0, counts: Array(10).fill(0) }), (fib) => fib.digitCounts(5)],
    ["[]", (fib) => fib.digitCounts(5)],
  ] as const satisfies readonly (readonly [string, (fib: FibClient) => Promise<unknown>])[]) {
    await using server = openScripted(() => new Response(answer));
    const error = await failure(call(new FibClient(server.url, { retriesMax: 0 })));
    expect([answer, String(call), (error as FibClientError).code]).toEqual([
      answer,
      String(call),
      "bad_answer",
    ]);
  }
});

test("the result of a task is no number that it cannot be", async () => {
  for (const [status, result] of [
    [{ kind: "remainder", n: "5", mod: "7" }, "1000"],
    [{ kind: "remainder", n: "5", mod: "7" }, "0".repeat(20_000_000)],
    [{ kind: "remainder", n: "5", mod: "0" }, "0"],
    [{ kind: "pisano", m: "10" }, "61"],
    [{ kind: "pisano", m: "10" }, "0"],
  ] as const) {
    const { n: _, digits: __, ...task } = TASK;
    await using server = openScripted(
      () => Response.json({ ...task, state: "ready", ...status }),
      () => new Response(result),
    );
    const ready = await new FibClient(server.url).tasks.get(task.id);
    for (const as of ["bigint", "text"] as const) {
      const told = [status, result.length, as] as const;
      expect([...told, await refusal(ready.result({ as }))]).toEqual([
        ...told,
        expect.objectContaining({ code: "bad_answer" }),
      ]);
    }
  }
});

test("every right answer passes: ends and tops of small numbers, and of long ones", async () => {
  await using server = await openServer();
  const fib = new FibClient(server.url);
  for (let n = 0; n < 60; n++) {
    const whole = String(await fib.fibonacci(n));
    expect(await fib.ends(n, { first: 3, last: 30 })).toEqual({
      digits: BigInt(whole.length),
      first: whole.slice(0, 3),
      last: whole,
    });
    expect(await fib.zeckendorf(whole)).toEqual(n === 0 ? [] : [Math.max(n, 2)]);
    expect((await fib.zeckendorf(BigInt(whole) + 1n)).length).toBeGreaterThan(0);
  }
  for (const digits of [100, 1000, 9999]) {
    for (const value of [10n ** BigInt(digits) - 1n, 10n ** BigInt(digits)])
      expect((await fib.zeckendorf(value)).length).toBeGreaterThan(10);
  }
  for (const n of [10n ** 15n, 10n ** 17n + 1n, 10n ** 100n, 10n ** 999n])
    expect((await fib.ends(n, { last: 1 })).digits).toBeGreaterThan(n / 5n);
});

test("a task whose modulus is none is no answer", async () => {
  for (const mod of ["-1", 97, "97\u001B[2J", undefined]) {
    await using server = openScripted(() => Response.json({ ...TASK, kind: "remainder", n: "5", mod }));
    const found = new FibClient(server.url).tasks.get(TASK.id);
    expect([mod, await refusal(found)]).toEqual([mod, expect.objectContaining({ code: "bad_answer" })]);
  }
});

test("a task whose start is none, or another than was asked for, is no answer", async () => {
  const sequence = { ...TASK, kind: "sequence", from: "0", count: "4", bytes: 8 };
  for (const start of ["1,3", "2", 2, "2,1\u001b[2J", undefined]) {
    await using server = openScripted(() => Response.json({ ...sequence, start }));
    const { tasks } = new FibClient(server.url);
    const created = tasks.create({ kind: "sequence", count: 4, start: [2, 1] });
    expect([start, await refusal(created)]).toEqual([start, expect.objectContaining({ code: "bad_answer" })]);
  }
  for (const start of ["2", 2, "2,1\u001B[2J"]) {
    await using server = openScripted(() => Response.json({ ...sequence, start }));
    const found = new FibClient(server.url).tasks.get(sequence.id);
    expect([start, await refusal(found)]).toEqual([start, expect.objectContaining({ code: "bad_answer" })]);
  }
  await using server = openScripted(() => Response.json({ ...sequence, start: "2,1" }));
  const plain = new FibClient(server.url).tasks.create({ kind: "sequence", count: 4 });
  expect(await refusal(plain)).toMatchObject({ code: "bad_answer" });
});

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function refusal(call: Promise<unknown>): Promise<FibClientError> {
  const error = await failure(call);
  expect(error).toBeInstanceOf(FibClientError);
  return error as FibClientError;
}
