/**
 * What goes wrong: each fault begins, lasts, and is healed, and the history has both.
 *
 * A seed chooses which, when, to whom and for how long. All kinds are dealt like cards, so that each comes in one
 * round or the next; what is broken already is left alone, and everything else may overlap.
 * @module
 */
import { until } from "../binary.ts";
import type { Redis } from "../redis.ts";
import { loseQueue } from "./keys.ts";
import type { Member } from "./member.ts";
import type { Random } from "./random.ts";
import type { Servers } from "./servers.ts";
import { RESULT_BUDGET_MB, type World } from "./world.ts";

/** A front that is paused does not answer at all. */
const READY_MS_MAX = 1000;

/** What fills Redis up: somebody else's. */
const BALLAST = "ballast";
/** More than all tasks take: Redis stays full, however many of them expire. */
const FILLED_BEYOND_BYTES = RESULT_BUDGET_MB * 2 ** 20;

/** It is filled, and emptied, within this. */
const FILL_SECONDS = 60;

/** One that has begun. */
interface Fault {
  /** What it does, for the history. */
  readonly text: string;
  readonly heal: () => void | Promise<void>;
}

/** Begins a fault. */
type Begin<Victim> = (victim: Victim, random: Random, world: World) => Fault | Promise<Fault>;

const onRedis: Readonly<Record<string, Begin<Redis>>> = {
  kill: async (primary, _, { servers }) => {
    await primary.crash();
    return { text: "killed", heal: () => back(primary, servers) };
  },
  stop: async (primary, _, { servers }) => {
    await primary.end("SIGTERM");
    return { text: "stopped", heal: () => back(primary, servers) };
  },
  pause: (primary, _, { servers }) => {
    primary.kill("SIGSTOP");
    const heal = async () => {
      primary.kill("SIGCONT");
      await servers.settle();
    };
    return { text: "paused", heal };
  },
  full: async (_primary, random, world) => {
    const { servers } = world;
    // Either nothing fits any more, or what is short still does.
    const isFull = random.chance(0.5);
    const left = isFull ? -FILLED_BEYOND_BYTES : random.between(200_000, 1_000_000);
    let filled: Redis;
    // A Sentinel may have another one become the primary at any time: a slow one is a dead one to it.
    await until(
      "there is ballast",
      async () => {
        filled = await servers.primary();
        const memory = await filled.cli("INFO", "memory").catch(() => "");
        const [used, most] = ["used_memory", "maxmemory"].map((name) =>
          Number(new RegExp(`^${name}:(\\d+)`, "m").exec(memory)?.[1]),
        );
        // A string has no more than 512 MB.
        return await isDone(filled, "SETRANGE", BALLAST, String(most! - used! - left), "x");
      },
      FILL_SECONDS,
    );
    const heal = async () => {
      // Another one that has become the primary meanwhile may have nothing of it.
      if (isFull) await mustNotBeReady(world, async () => (await servers.primary()) === filled);
      const empty = async () => isDone(await servers.primary(), "DEL", BALLAST);
      await servers.settle();
      await until("the ballast is gone", empty, FILL_SECONDS);
    };
    return { text: isFull ? "full" : `full but for ${left} bytes`, heal };
  },
  failover: async (_primary, _random, { servers }) => {
    await servers.failover();
    return { text: "its replica has become the primary", heal: () => servers.settle() };
  },
  disconnect: async (primary, random) => {
    const type = random.pick(["normal", "pubsub"]);
    await primary.cli("CLIENT", "KILL", "TYPE", type);
    return { text: `disconnected everybody ${type}`, heal: () => {} };
  },
  lose: async (primary) => {
    await loseQueue(primary);
    return { text: "has lost the queue", heal: () => {} };
  },
};

async function back(server: Redis, servers: Servers): Promise<void> {
  await server.restart();
  await servers.settle();
}

/** Whether a command that is answered with a number has been done; a replica refuses it, and may end the connection. */
async function isDone(redis: Redis, ...command: string[]): Promise<boolean> {
  return /^\d+\n$/.test(await redis.cli(...command).catch(() => ""));
}

/** A front that cannot write says so to whoever sends it requests. */
async function mustNotBeReady({ fronts, history }: World, isFull: () => Promise<boolean>): Promise<void> {
  for (const { name, program } of fronts) {
    const signal = AbortSignal.timeout(READY_MS_MAX);
    const answer = program && (await fetch(`${program.url}/readyz`, { signal }).catch(() => undefined));
    if (answer?.status === 200 && (await isFull()))
      history.violation(name, "/readyz says 200 while Redis is full");
  }
}

const onLink: Readonly<Record<string, Begin<Member>>> = {
  cut: ({ link }) => {
    link.cut();
    return { text: "is cut off from Redis", heal: () => link.mend() };
  },
  cutInside: ({ link }, random) => {
    const bytes = random.ofAnySize(1, 500_000);
    link.cut(bytes);
    return { text: `is cut off from Redis after ${bytes} bytes`, heal: () => link.mend() };
  },
  delay: ({ link }, random) => {
    link.delayMs = random.ofAnySize(2, 200);
    return { text: `is ${link.delayMs} ms away from Redis`, heal: () => link.mend() };
  },
  stall: ({ link }) => {
    link.stall();
    return { text: "hears nothing from Redis", heal: () => link.mend() };
  },
  spoil: ({ link }, random) => {
    const place = random.between(0, 3);
    link.spoil(place);
    return { text: `gets a reply with byte ${place} spoilt`, heal: () => link.mend() };
  },
};

const onProcess: Readonly<Record<string, Begin<Member>>> = {
  kill: async (member) => {
    await member.crash();
    return { text: "is killed", heal: () => member.start() };
  },
  stop: async (member) => {
    await member.stop();
    return { text: "is asked to end", heal: () => member.start() };
  },
  pause: (member) => {
    // Another one may have killed it by the time it is to go on.
    const { program } = member;
    program?.kill("SIGSTOP");
    return { text: "is paused", heal: () => program?.kill("SIGCONT") };
  },
};

/** A kind of fault, and to whom it will happen. */
interface Card {
  /** Names what is broken, and keeps others away from it. */
  readonly victim: string;
  readonly name: string;
  readonly begin: (world: World) => Promise<Fault>;
}

/** A fault of a round. */
interface Planned extends Card {
  readonly atMs: number;
  readonly lastsMs: number;
}

/**
 * Chooses the faults of a round.
 *
 * @param linked - Which fronts and executors have a network of their own.
 */
export function planFaults(random: Random, roundMs: number, linked: readonly number[]): Planned[] {
  const plan: Planned[] = [];
  let deck: Card[] = [];
  for (let atMs = 500; atMs < roundMs; atMs += random.ofAnySize(50, 1500)) {
    if (deck.length === 0) deck = random.shuffled(newDeck(random, linked));
    plan.push({ atMs, lastsMs: Math.min(random.ofAnySize(100, 4000), roundMs - atMs), ...deck.pop()! });
  }
  return plan;
}

function newDeck(random: Random, linked: readonly number[]): Card[] {
  const onRedisCards = Object.entries(onRedis).map(([name, begin]): Card => {
    const choices = random.fork();
    return {
      victim: "Redis",
      name,
      begin: async (world) => begin(await world.servers.primary(), choices, world),
    };
  });
  const cardsOn = (
    role: "fronts" | "executors",
    part: string,
    faults: Readonly<Record<string, Begin<Member>>>,
    numbers: readonly number[],
  ) =>
    Object.entries(faults).map(([name, begin]): Card => {
      const choices = random.fork();
      const at = choices.pick(numbers);
      return {
        victim: `${role} ${at} ${part}`,
        name,
        begin: async (world) => begin(world[role][at]!, choices, world),
      };
    });
  const both = [0, 1];
  return [
    ...onRedisCards,
    ...cardsOn("fronts", "link", onLink, linked),
    ...cardsOn("fronts", "process", onProcess, both),
    ...cardsOn("executors", "link", onLink, linked),
    ...cardsOn("executors", "process", onProcess, both),
  ];
}

/** Lets the faults of a plan happen; all of them are healed when it ends. */
export async function happen(world: World, plan: readonly Planned[]): Promise<void> {
  const { history } = world;
  const broken = new Set<string>();
  const happenOne = async ({ victim, name, lastsMs, begin }: Planned) => {
    if (broken.has(victim)) return history.world(`${victim}: no ${name}, it is broken already`);
    broken.add(victim);
    try {
      history.world(`${victim}: ${name} for ${lastsMs} ms`);
      const fault = await begin(world);
      history.world(`${victim}: ${fault.text}`);
      // A fault lasts for a time, and not until something happens.
      await Bun.sleep(lastsMs);
      await fault.heal();
      history.world(`${victim}: ${name} is over`);
    } catch (error) {
      history.violation(victim, `cannot ${name}: ${String(error)}`);
    }
    broken.delete(victim);
  };
  const happening: Promise<void>[] = [];
  for (const planned of plan) {
    await Bun.sleep(Math.max(0, planned.atMs - history.nowMs()));
    happening.push(happenOne(planned));
  }
  await Promise.all(happening);
}
