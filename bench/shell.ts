/**
 * What does a shell command cost, sync included, whatever flags it has? Against a compiled program that does nothing.
 *
 * A fresh copy of a binary starts up to 1 ms faster than one that has lain there, so both are copied first, onto the
 * file system that is measured. Each sample is one process.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { fibonacci } from "../src/numbers/fibonacci.ts";
import { type Contender, interleave, mustBe, publish, type Row } from "./measure.ts";
import { media, type Medium, newFolder } from "./servers.ts";

/** A single start of 5 ms is mostly noise. */
const SAMPLES_A_ROUND = 10;
const EMPTY = "empty program";
const HEADLINE = "`fibserver n`, the whole process with its sync";
/** `n` and `p` in turn stay near it. */
const INDEX = 40;

type Env = Readonly<Record<string, string | undefined>>;

interface Trial {
  readonly name: string;
  /** In turn. */
  readonly letters: readonly string[];
  readonly flags?: readonly string[];
  readonly goal?: Row["goal"];
}

/** `fibserver n` without flags and with each that the cursor has, and `c`, as whole processes. */
export async function benchShell(rounds: number): Promise<void> {
  for (const medium of media()) {
    const folder = newFolder(medium);
    try {
      await compare(rounds * SAMPLES_A_ROUND, medium, folder);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  }
}

async function compare(rounds: number, medium: Medium, folder: string): Promise<void> {
  const { empty, fibserver } = await freshCopies(folder);
  // The state's folder: without flags the cursor's file is in it.
  const env = { ...process.env, XDG_STATE_HOME: folder };
  const shell = (...args: string[]) => run([fibserver, ...args], env);
  check(shell);

  const trials = trialsOn(path.join(folder, "fibserver", "cursor"));
  const contenders: Record<string, Contender> = { [EMPTY]: () => timeMs([empty], env) };
  for (const { name, letters, flags = [] } of trials) {
    let turn = 0;
    contenders[name] = () => timeMs([fibserver, letters[turn++ % letters.length]!, ...flags], env);
  }
  const samples = await interleave(rounds, contenders);

  const isNear = trials.some((_, step) => shell("c") === line(step));
  mustBe(isNear, true, "the position behind the moves");
  publish({
    title: `Shell, whole process, ${medium}`,
    rows: [
      { name: EMPTY, unit: "ms", samples: samples[EMPTY]! },
      ...trials.map(({ name, goal, flags }): Row => ({
        name,
        unit: "ms",
        samples: samples[name]!,
        against: EMPTY,
        goal,
        headline: medium === "disk" && goal && !flags ? HEADLINE : undefined,
      })),
    ],
  });
}

async function freshCopies(folder: string): Promise<{ empty: string; fibserver: string }> {
  const [source, empty, fibserver] = ["empty.ts", "empty", "copy"].map((name) => path.join(folder, name));
  fs.writeFileSync(source!, "export {};\n");
  // The same flags as the binary's, so that only the program differs.
  await Bun.$`${process.execPath} build --compile --minify --bytecode --format=esm ${source} --outfile ${empty}`.quiet();
  fs.copyFileSync("dist/fibserver", fibserver!);
  return { empty: empty!, fibserver: fibserver! };
}

function check(shell: (...args: string[]) => string): void {
  shell("cursor", "set", String(INDEX));
  const outputs = [shell("n"), shell("n", "--json"), shell("p", "p"), shell("c")];
  const json = `{"value":"${line(2).trim()}","status":"200"}\n`;
  mustBe(outputs, [line(1), json, line(1) + line(0), line(0)], "what the shell prints");
}

function trialsOn(file: string): Trial[] {
  const moves = ["n", "p"];
  const flags = [["--json"], ["--max-index", "1000"], ["--lock-timeout", "9"], ["-f", file]];
  return [
    { name: "fibserver n", letters: moves, goal: { ratio: 1.65, atMost: true } },
    ...flags.map((one) => ({
      name: `fibserver n ${one[0]}`,
      letters: moves,
      flags: one,
      goal: { ratio: 1.7, atMost: true },
    })),
    { name: "fibserver c", letters: ["c"] },
  ];
}

/** The line of the value `step` moves behind {@link INDEX}. */
const line = (step: number): string => `${Buffer.from(fibonacci(INDEX + step)).toString()}\n`;

function run(command: readonly string[], env: Env): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { env });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} exited with ${exitCode}: ${stderr.toString()}`);
  return stdout.toString();
}

// Without pipes: to read them takes longer than the program.
function timeMs(command: readonly string[], env: Env): number {
  const startMs = performance.now();
  const { exitCode } = Bun.spawnSync([...command], { env, stdout: "ignore", stderr: "ignore" });
  const ms = performance.now() - startMs;
  mustBe(exitCode, 0, `the exit status of ${command.join(" ")}`);
  return ms;
}
