/**
 * What does a token cost a move?
 *
 * The same server twice, on tmpfs, where the CPU of requests shows: one that takes everybody, and one that needs a token,
 * the last of so many as a large group has. What reading the header costs is in it.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { makeToken, tokenLine } from "../src/token.ts";
import { wrkMoves } from "./load.ts";
import { interleave, publish } from "./measure.ts";
import { newFolder, type Server, startFibserver } from "./servers.ts";

const INDEX = 5;
const CONNECTIONS = 64;
const TOKENS_COUNT = 20;
const WITHOUT = "without tokens";

/** The CPU of moves with a token and without: ten seconds. */
export async function benchTokens(rounds: number): Promise<void> {
  const folder = newFolder();
  const file = path.join(folder, "tokens");
  const tokens = Array.from({ length: TOKENS_COUNT }, makeToken);
  fs.writeFileSync(file, tokens.map((token, i) => `${tokenLine(`t${i}`, "write", token)}\n`).join(""), {
    mode: 0o600,
  });
  await using without = await startFibserver({ medium: "tmpfs" });
  await using open = await startFibserver({ medium: "tmpfs", args: ["--tokens", file] });
  const guarded = { ...open, headers: { authorization: `Bearer ${tokens.at(-1)}` } };
  const cpuUs = (of: Server) => async () => (await wrkMoves(of, INDEX, CONNECTIONS)).cpuUs;
  for (const of of [without, guarded]) await cpuUs(of)();
  const samples = await interleave(rounds, { without: cpuUs(without), guarded: cpuUs(guarded) });
  fs.rmSync(folder, { recursive: true });
  publish({
    title: `Moves with a token, ${CONNECTIONS} connections, CPU for each request`,
    rows: [
      { name: WITHOUT, unit: "µs", samples: samples.without },
      {
        name: `with one of ${TOKENS_COUNT} tokens`,
        unit: "µs",
        samples: samples.guarded,
        against: WITHOUT,
        goal: { ratio: 1.05, atMost: true },
      },
    ],
  });
}
