/** What is registered for a signal is done once, the last first, and nothing is left behind when it is forgotten. */
import { expect, test } from "bun:test";
import path from "node:path";

const ENDING = JSON.stringify(path.resolve(import.meta.dir, "../src/signals.ts"));

/** How many listen for SIGINT before, while two, one, and none are registered, in a process that begins so. */
async function listening(command: readonly string[]): Promise<unknown> {
  const script = `import { onEnd } from ${ENDING};
    const counts = [];
    const count = () => counts.push(process.listenerCount("SIGINT"));
    count();
    const [first, second] = [onEnd(() => {}), onEnd(() => {})];
    count();
    first();
    count();
    second();
    count();
    console.log(JSON.stringify(counts));`;
  return Bun.spawn([...command, process.execPath, "-e", script]).stdout.json();
}

test("onEnd() leaves no handler behind when all of it is forgotten", async () => {
  expect(await listening([])).toEqual([0, 1, 1, 0]);
});

test("onEnd() leaves a signal ignored that was when the process was started, as by a script's `&`", async () => {
  expect(await listening(["sh", "-c", `trap "" INT; exec "$@"`, "sh"])).toEqual([0, 0, 0, 0]);
});

test("a signal has everything done, the last first, also after one that throws, and then ends the process", async () => {
  const script = `import { onEnd } from ${ENDING};
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
