/**
 * Whatever goes wrong with Redis, the network and our own processes, what was promised is kept.
 *
 * Method: the compiled program as fronts and executors on a real Redis with a replica, clients that note what they were
 * answered, and faults that a seed chooses. When all is healed and done, the answers are held against each other and
 * against Redis. A round that fails prints its seed and its history.
 *
 * `CHAOS=3600` goes on for so many seconds, with other seeds in each round; `SEED=7` begins with the choices of that one.
 * Timing is not repeated, so what a seed has found may take it a few runs to find again.
 */
import { setDefaultTimeout } from "bun:test";
import { withRedis } from "../redis.ts";
import { happen, planFaults } from "./faults.ts";
import { heldBy, mustBeFlat, mustHold } from "./invariants.ts";
import { Random } from "./random.ts";
import { type Servers, startPair, startWatchedPair } from "./servers.ts";
import { work } from "./workload.ts";
import { World } from "./world.ts";

/** How long faults happen, in all and in one round. */
const CHAOS_SECONDS = Number(process.env["CHAOS"] ?? 30);
const ROUND_SECONDS = 15;
/** Rounds in each of the two worlds. */
const ROUND_COUNT = Math.max(1, Math.round(CHAOS_SECONDS / ROUND_SECONDS / 2));
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000));
/** A round, and what it takes to settle when it goes wrong: what is wrong is to be said before. */
setDefaultTimeout(ROUND_COUNT * 600_000 + 60_000);

async function round(world: World, seed: number): Promise<void> {
  const random = new Random(seed);
  const plan = planFaults(random.fork(), ROUND_SECONDS * 1000, world.linked);
  world.begin(`round ${seed}`, ROUND_SECONDS * 1000);
  const working = work(world, random.fork());
  try {
    await happen(world, plan);
    world.healed();
    await mustHold(world, await working, random.fork());
  } catch (error) {
    world.history.violation("", `this could not be looked at: ${String(error)}`);
  }
}

async function chaos(servers: Servers): Promise<void> {
  await using world = await World.open(servers);
  const before = heldBy(world);
  for (let seed = SEED; seed < SEED + ROUND_COUNT; seed++) {
    await round(world, seed);
    const { history } = world;
    if (history.violations.length === 0) mustBeFlat(world, before);
    if (seed === SEED + ROUND_COUNT - 1) await Promise.all(world.members.map((member) => member.stop()));
    if (history.violations.length > 0) throw new Error(`SEED=${seed} CHAOS=30\n${history.text()}`);
    if (ROUND_COUNT > 1) process.stderr.write(`${history.id}\n${history.summary()}\n`);
  }
}

withRedis(`a Redis whose address moves to another: chaos from seed ${SEED} keeps every promise`, async () => {
  await using servers = await startPair();
  await chaos(servers);
});

withRedis(`a Redis that Sentinel watches: chaos from seed ${SEED} keeps every promise`, async () => {
  await using servers = await startWatchedPair();
  await chaos(servers);
});
