/**
 * What does a shell command cost, sync included? Against a compiled program that does nothing.
 * @module
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { interleave, mustBe, publish } from "./measure.ts";

/** Runs that make one sample: a single start of 10 ms is mostly noise. */
const RUNS = 10;

/** `fibserver n` and `c` as whole processes. */
export async function benchShell(rounds: number): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-bench-"));
  try {
    const empty = path.join(folder, "empty");
    const source = path.join(folder, "empty.ts");
    fs.writeFileSync(source, "export {};\n");
    // The same flags as the binary's, so that only the program differs.
    await Bun.$`${process.execPath} build --compile --minify --bytecode --format=esm ${source} --outfile ${empty}`.quiet();
    const file = path.join(folder, "cursor");
    const fibserver = (letter: string) => [path.resolve("dist/fibserver"), letter, "-f", file];
    const outputs = ["n", "n", "n"].map((letter) => Bun.spawnSync(fibserver(letter)).stdout.toString());
    mustBe(outputs, ["1\n", "1\n", "2\n"], "what the shell prints");
    const samples = await interleave(rounds * 2, {
      empty: () => time([empty]),
      next: () => time(fibserver("n")),
      current: () => time(fibserver("c")),
    });
    publish({
      title: "Shell, whole process",
      rows: [
        { name: "empty program", unit: "ms", samples: samples.empty },
        {
          name: "fibserver n",
          unit: "ms",
          samples: samples.next,
          against: "empty program",
          goal: { ratio: 2, atMost: true },
        },
        { name: "fibserver c", unit: "ms", samples: samples.current, against: "empty program" },
      ],
    });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function time(command: string[]): number {
  const startMs = performance.now();
  for (let run = 0; run < RUNS; run++) {
    const { exitCode } = Bun.spawnSync(command, { stdin: "ignore", stdout: "ignore" });
    // At the end of the sequence `n` fails; the check above left room for every run.
    if (exitCode !== 0 && exitCode !== 1) throw new Error(`${command.join(" ")} exited with ${exitCode}`);
  }
  return (performance.now() - startMs) / RUNS;
}
