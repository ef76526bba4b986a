/**
 * A client that goes through all tasks, page by page, and misses none.
 * @module
 */
import type { Asker } from "./asking.ts";
import type { TaskJson, Tasks } from "./tasks.ts";

/** Pause between two walks. */
const PAUSE_MS = 250;
/** Redis and this process read one clock, but an answer is under way for a while. */
const SLACK_MS = 200;

/** Walks until this says that it is enough. */
export async function walkPages(asker: Asker, tasks: Tasks, isEnough: () => boolean): Promise<void> {
  while (!isEnough()) {
    const known = [...tasks.expiresAtMs];
    const seen = await walk(asker, asker.random.between(5, 40));
    if (seen !== undefined) {
      // Forgotten by nobody, and not due when the walk was over.
      const endMs = Date.now() + SLACK_MS;
      const missed = known.filter(([id]) => !seen.has(id) && (tasks.expiresAtMs.get(id) ?? 0) > endMs);
      if (missed.length > 0) {
        asker.violation(`the pages of ${seen.size} tasks miss ${missed.length}, such as ${missed[0]![0]}`);
        return;
      }
    }
    await Bun.sleep(PAUSE_MS);
  }
}

/** All ids, or undefined when a page has no answer. */
async function walk(asker: Asker, limit: number): Promise<Set<string> | undefined> {
  const seen = new Set<string>();
  for (let after = ""; ;) {
    const answer = await asker.ask("GET", `/v1/tasks?limit=${limit}${after && `&after=${after}`}`);
    if (answer?.status !== 200) return undefined;
    const page = JSON.parse(answer.text()) as { tasks: TaskJson[]; next?: string };
    for (const { id } of page.tasks) {
      if (id <= after || seen.has(id)) asker.violation(`the pages have ${id} behind ${after}`);
      seen.add(id);
    }
    if (page.next === undefined) return seen;
    after = page.next;
  }
}
