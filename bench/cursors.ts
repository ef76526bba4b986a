/**
 * What do named cursors cost, beside the default one by the same routes, and those of clients beside `/api0`? All are
 * durable, and on tmpfs, where the CPU of requests shows.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { type Load, wrk, wrkMoves } from "./load.ts";
import { interleave, mustBe, publish, type Row } from "./measure.ts";
import { newFolder, type Server, startFibserver } from "./servers.ts";

const MOVES = "bench/moves.lua";
const INDEX = 40;
/** Cursors that are moved, of so many that there are. */
const MOVED_COUNT = 1000;
export const MANY_COUNT = 100_000;
/** Requests at a time while a server is filled. */
const FILL_COUNT = 200;

interface Trial {
  readonly name: string;
  readonly load: (connections: number) => Promise<Load>;
  readonly against?: string;
  readonly goal?: number;
}

/** Moves at 64 and 1,000 connections. */
export async function benchCursors(rounds: number): Promise<void> {
  await using few = await startFibserver({ medium: "tmpfs", args: ["--max-cursors", "1000000"] });
  await using many = await startFibserver({ medium: "tmpfs" });
  await using clients = await startFibserver({ medium: "tmpfs", args: ["--per-client"] });
  const folder = newFolder();
  const cookies = path.join(folder, "cookies");
  await fill(few, MOVED_COUNT);
  await fill(many, MANY_COUNT);
  fs.writeFileSync(cookies, (await fillClients(clients, MOVED_COUNT)).join("\n"));

  const trials: readonly Trial[] = [
    { name: DEFAULT, load: (connections) => wrk(few, MOVES, connections, 1, ["default"]) },
    { name: NAMED, load: named(few, MOVED_COUNT, 1), against: DEFAULT, goal: 0.65 },
    {
      name: "1,000 names, of 100,000",
      load: named(many, MOVED_COUNT, MANY_COUNT / MOVED_COUNT),
      against: NAMED,
      goal: 0.9,
    },
    { name: "100,000 names, at random", load: named(many, MANY_COUNT, 1), against: DEFAULT, goal: 0.4 },
    { name: HOT, load: (connections) => wrkMoves(few, INDEX, connections) },
    {
      name: "1,000 clients, /api0",
      load: (connections) => wrk(clients, MOVES, connections, 1, ["cookie", String(MOVED_COUNT), cookies]),
      against: HOT,
      goal: 0.65,
    },
  ];
  for (const connections of [64, 1000]) {
    for (const { load } of trials) await load(connections);
    await compare(rounds, connections, trials);
  }
  await checkMoved(few);
  fs.rmSync(folder, { recursive: true });
}

/** Moves of so many cursors, each a stride behind the one before. */
function named(server: Server, count: number, stride: number): Trial["load"] {
  return (connections) => wrk(server, MOVES, connections, 1, ["name", String(count), String(stride)]);
}

const DEFAULT = "the default cursor, /v1";
const NAMED = "1,000 names";
const HOT = "the default cursor, /api0";

async function compare(rounds: number, connections: number, trials: readonly Trial[]): Promise<void> {
  const samples = await interleave(
    rounds,
    Object.fromEntries(trials.map(({ name, load }) => [name, () => load(connections)])),
  );
  const title = `Named cursors, ${connections.toLocaleString("en-US")} connections`;
  const rows = (figure: (load: Load) => number, unit: string, goals: boolean): Row[] =>
    trials.map(({ name, against, goal }) => ({
      name,
      unit,
      samples: samples[name]!.map(figure),
      against,
      goal: goals && goal !== undefined ? { ratio: goal } : undefined,
    }));
  publish({ title, rows: rows(({ perSecond }) => perSecond, "/s", true) });
  publish({ title: `${title}, CPU for each request`, rows: rows(({ cpuUs }) => cpuUs, "µs", false) });
}

/** Makes that many cursors, n0 and on, at {@link INDEX}. */
export async function fill({ url }: Server, count: number): Promise<void> {
  const body = JSON.stringify({ index: String(INDEX) });
  const put = async (route: string) => {
    const { status } = await fetch(url + route, { method: "PUT", body });
    if (status !== 201 && status !== 200) throw new Error(`PUT ${route}: ${status}`);
  };
  await put("v1/cursor");
  await eachOf(count, (i) => put(`v1/cursors/n${i}`));
}

/** Makes a cursor for each of so many clients, some steps in. @returns their cookies. */
async function fillClients({ url }: Server, count: number): Promise<string[]> {
  const cookies: string[] = [];
  await eachOf(count, async () => {
    const first = await fetch(`${url}api0/next`);
    const cookie = first.headers.get("set-cookie")!.split(";")[0]!;
    for (let step = 1; step < INDEX; step++) await fetch(`${url}api0/next`, { headers: { cookie } });
    cookies.push(cookie);
  });
  return cookies;
}

export async function eachOf(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: FILL_COUNT }, worker));
}

/** Every cursor has been moved, and stands where moves to and fro lead. */
async function checkMoved({ url }: Server): Promise<void> {
  const list = async (after: string) =>
    (await (await fetch(`${url}v1/cursors?limit=1000&prefix=n&after=${after}`)).json()) as {
      cursors: { name: string; index: string }[];
    };
  const { cursors } = await list("");
  mustBe(cursors.length, MOVED_COUNT, "cursors in the list");
  const far = cursors.filter(({ index }) => Math.abs(Number(index) - INDEX) > 90);
  mustBe(far, [], "cursors that went astray");
}
