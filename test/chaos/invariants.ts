/**
 * What must be true once everything is healed and done.
 * @module
 */
import { until } from "../binary.ts";
import { Asker } from "./asking.ts";
import { keptBytes, leftKeys } from "./keys.ts";
import type { Held, Member } from "./member.ts";
import { walkPages } from "./pages.ts";
import type { Random } from "./random.ts";
import type { Work } from "./workload.ts";
import { RESULT_TTL_MS, type World } from "./world.ts";

/** All have found Redis again within this, and do what they are there for: on an idle machine within a tenth of it. */
const SERVING_SECONDS = 60;
/** Whatever was accepted is computed within this. */
const SETTLED_SECONDS = 120;
/** F(n) that takes a thread some 0.3 s: two at the same time need two executors. */
const OVERLAPPING = 30_000_000;
/** Everything is forgotten so long after it has expired: a front looks every few seconds. */
const PURGE_SECONDS = RESULT_TTL_MS / 1000 + 60;
/** What a process may hold more than when it had begun. */
const GROWTH_MAX: Held = { descriptors: 8, memoryMb: 150 };
const PAUSE_MS = 50;

/** Each front takes requests, and moves the cursor. */
async function mustServe(world: World, { moves }: Work, random: Random): Promise<void> {
  await Promise.all(
    world.fronts.map(async (front) => {
      // One that has just gone on may end a connection.
      const ready = () => fetch(`${front.program!.url}/readyz`).catch(() => undefined);
      const isReady = async () => (await ready())?.status === 200;
      const moved = moves.moveOnce(new Asker(front.name, world, random.fork(), [front]));
      try {
        await until("it is ready", isReady, SERVING_SECONDS);
        await until("it moves", () => Bun.peek.status(moved) !== "pending", SERVING_SECONDS);
      } catch (error) {
        const { message } = error as Error;
        world.history.violation(front.name, `does not serve though all is healed: ${message}`);
      }
      await moved;
    }),
  );
}

/** Checks all that a round has done. */
export async function mustHold(world: World, { moves, tasks }: Work, random: Random): Promise<void> {
  const client = (name: string) => new Asker(name, world, random.fork());
  await mustServe(world, { moves, tasks }, random.fork());
  await moves.check(client("the last reader"));
  await mustBeFree(world, { moves, tasks }, client("slots"));
  await mustCountRight(world);
  world.history.sum(`tasks: ${tasks.summary()}`);
  // While they expire, some are gone and some are not: pages must be whole then.
  const lastMs = Math.max(...tasks.expiresAtMs.values());
  await walkPages(client("lister"), tasks, () => Date.now() > lastMs);
  await mustBeEmpty(world);
  await mustCountRight(world);
  for (const member of world.members) mustHaveLoggedWell(world, member);
}

/** Two long tasks are under way at the same time: both executors take them. */
async function mustBeFree(world: World, { tasks }: Work, asker: Asker): Promise<void> {
  const deadlineMs = performance.now() + SERVING_SECONDS * 1000;
  for (;;) {
    const n = OVERLAPPING + 2 * asker.random.between(0, 1_000_000);
    const [one, two] = await Promise.all([tasks.mustFinish(asker, n), tasks.mustFinish(asker, n + 1)]);
    if (one === undefined || two === undefined) return;
    // RFC 3339 sorts as text.
    if (one.startedAt! < two.finishedAt! && two.startedAt! < one.finishedAt!) return;
    const said = `two long tasks were computed one after the other: ${JSON.stringify([one, two])}`;
    if (performance.now() > deadlineMs) return world.history.violation("slots", said);
    world.history.note("slots", said);
  }
}

async function mustBeEmpty(world: World): Promise<void> {
  let left: string[] = [];
  const primary = await world.servers.primary();
  try {
    await until(
      "nothing is left",
      async () => {
        await Bun.sleep(PAUSE_MS);
        left = await leftKeys(primary);
        return left.length === 0;
      },
      PURGE_SECONDS,
    );
  } catch {
    world.history.violation(
      "",
      `everything has expired, and ${left.length} keys are left: ${left.slice(0, 20).join(" ")}`,
    );
  }
}

async function mustCountRight(world: World): Promise<void> {
  const primary = await world.servers.primary();
  // Some were accepted without an answer, and nobody waits for them.
  let now = await keptBytes(primary);
  await until("none waits or runs", async () => (now = await keptBytes(primary)).open === 0, SETTLED_SECONDS);
  const { counted, found, orphans } = now;
  if (counted !== found) {
    world.history.violation("", `Redis counts ${counted} bytes of finished tasks, and there are ${found}`);
  }
  if (orphans > 0) world.history.violation("", `${orphans} results are there without a task`);
}

function mustHaveLoggedWell(world: World, member: Member): void {
  for (const line of member.logs().split("\n")) {
    if (/"level":"(ERROR|FATAL)"|\bbug\b|panic|Segmentation/i.test(line))
      world.history.violation(member.name, `has logged: ${line}`);
  }
}

/** What each process holds. */
export function heldBy(world: World): Held[] {
  return world.members.map((member) => member.held());
}

/** No process holds much more than those that had just begun. */
export function mustBeFlat(world: World, before: readonly Held[]): void {
  const now = heldBy(world);
  world.history.sum(`the processes hold ${JSON.stringify(now)}, and held ${JSON.stringify(before)}`);
  for (const [at, member] of world.members.entries()) {
    for (const what of ["descriptors", "memoryMb"] as const) {
      if (now[at]![what] > before[at]![what] + GROWTH_MAX[what]) {
        world.history.violation(
          member.name,
          `holds ${now[at]![what]} ${what}, and ${before[at]![what]} at first`,
        );
      }
    }
  }
}
