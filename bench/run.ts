/**
 * `make bench`: every question in turn, or those that are named: `make bench ONLY="cursor shell"`.
 *
 * With `--question NAME` this process measures that one; with `--write` nothing is measured, and the documents are written
 * from what is kept.
 * @module
 */
import { describeCommit, describeMachine } from "./machine.ts";
import { QUESTIONS } from "./questions.ts";
import { checkWanted, measureQuestion, writeDocuments } from "./session.ts";

/** The longest takes two minutes with five rounds; one that hangs must not hold up the others for ever. */
const QUESTION_MS_MAX = 1_800_000;

const session = { root: ".", questions: QUESTIONS, rounds: Number(process.env["ROUNDS"] ?? 5) };
const [how, name = ""] = process.argv.slice(2);

if (how === "--write") writeDocuments(session.root);
else if (how === "--question") {
  const place = { commit: describeCommit(), bun: Bun.version, machine: describeMachine() };
  await measureQuestion({ ...session, place }, name);
} else await measureEach();

/** Each in a process of its own: what one leaves in the heap, and which CPUs it keeps to, must not slow the next. */
async function measureEach(): Promise<void> {
  const only = process.env["ONLY"]?.trim() ?? "";
  const wanted = only === "" ? Object.keys(QUESTIONS) : only.split(/\s+/);
  checkWanted(session, wanted);
  const failed: string[] = [];
  for (const one of wanted) {
    const command = [process.execPath, import.meta.path, "--question", one];
    const child = Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"], timeout: QUESTION_MS_MAX });
    if ((await child.exited) !== 0) failed.push(one);
  }
  if (failed.length > 0) console.error(`\nFailed, and their tables stay as they were: ${failed.join(", ")}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
