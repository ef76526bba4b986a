/** An executor of the compiled program. @module */
import { spawn, type Start, until } from "./binary.ts";

/** Starts one with one thread on a Redis, and waits until it says that it computes. */
export async function startWorker(url: string, start: Start = {}, flags: readonly string[] = []) {
  const child = spawn(["worker", "--redis", url, "--max-computations", "1", ...flags], start);
  let log = "";
  const logged = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) log += chunk;
  })();
  await until("the executor computes", () => {
    if (child.exitCode !== null) throw new Error(`The executor ended with ${child.exitCode}: ${log}`);
    return log.includes("Computing for");
  });
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await child.exited;
    await logged;
    return child.exitCode;
  };
  return { end, log: () => log, [Symbol.asyncDispose]: async () => void (await end("SIGKILL")) };
}
