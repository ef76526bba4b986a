/** An executor: the compiled program as `fibserver worker`. @module */
import { spawn, until } from "./binary.ts";

/** An executor that has said that it computes. */
export async function startWorker(url: string, start: Parameters<typeof spawn>[1] = {}) {
  const child = spawn(["worker", "--redis", url, "--max-computations", "1"], start);
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
