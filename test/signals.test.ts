/** What is registered for a signal is done once, the last first, and nothing is left behind when it is forgotten. */
import { expect, test } from "bun:test";
import path from "node:path";
import { onEnd } from "../src/signals.ts";

test("onEnd() leaves no handler behind when all of it is forgotten", () => {
  const before = process.listenerCount("SIGINT");
  const [first, second] = [onEnd(() => {}), onEnd(() => {})];
  expect(process.listenerCount("SIGINT")).toBe(before + 1);
  first();
  expect(process.listenerCount("SIGINT")).toBe(before + 1);
  second();
  expect(process.listenerCount("SIGINT")).toBe(before);
});

test("a signal has everything done, the last first, also after one that throws, and then ends the process", async () => {
  const ending = JSON.stringify(path.resolve(import.meta.dir, "../src/signals.ts"));
  const script = `import { onEnd } from ${ending};
    onEnd(async () => console.log("first"));
    onEnd(() => { throw new Error("no"); });
    onEnd(() => console.log("last"));
    setInterval(() => {}, 1000);
    process.kill(process.pid, process.argv.at(-1));`;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    const child = Bun.spawn([process.execPath, "-e", script, signal], { stdout: "pipe", stderr: "ignore" });
    const text = await new Response(child.stdout).text();
    await child.exited;
    expect([text, child.signalCode]).toEqual(["last\nfirst\n", signal]);
  }
});
