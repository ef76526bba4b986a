/**
 * What clients do in a round, all at the same time.
 * @module
 */
import { Asker } from "./asking.ts";
import { Moves } from "./moves.ts";
import { walkPages } from "./pages.ts";
import type { Random } from "./random.ts";
import { Tasks } from "./tasks.ts";
import type { World } from "./world.ts";

const KEYED_MOVERS = 4;
const TASK_CLIENTS = 6;

/** What was asked for in a round. */
export interface Work {
  readonly moves: Moves;
  readonly tasks: Tasks;
}

/** Does all of it; ends when the round is over, and everything that was begun has ended. */
export async function work(world: World, random: Random): Promise<Work> {
  const moves = new Moves(world);
  const tasks = new Tasks(world);
  const client = (name: string) => new Asker(name, world, random.fork());
  await moves.begin(client("the first reader"));
  await Promise.all([
    ...Array.from({ length: KEYED_MOVERS }, (_, at) =>
      moves.moveWithKeys(client(`mover ${at}`), at, KEYED_MOVERS),
    ),
    ...Array.from({ length: TASK_CLIENTS }, (_, at) => tasks.use(client(`task client ${at}`))),
    moves.moveWithout(client("mover without keys")),
    moves.read(client("reader")),
    walkPages(client("lister"), tasks, () => world.isOver()),
  ]);
  return { moves, tasks };
}
