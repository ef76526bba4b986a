/**
 * `make bench`: every question in turn, or those that are named: `make bench ONLY="cursor shell"`.
 * @module
 */
import { benchCursor } from "./cursor.ts";
import { benchShell } from "./shell.ts";

const QUESTIONS = {
  cursor: benchCursor,
  shell: benchShell,
  record: async () => {
    await import("./record.ts");
  },
} as const;

const rounds = Number(process.env["ROUNDS"] ?? 5);
const wanted = (process.env["ONLY"] ?? Object.keys(QUESTIONS).join(" ")).split(" ");
for (const name of wanted) {
  const question = (QUESTIONS as Record<string, (rounds: number) => Promise<void>>)[name];
  if (question === undefined)
    throw new Error(`No benchmark ${name}: there are ${Object.keys(QUESTIONS).join(", ")}`);
  await question(rounds);
}
