/**
 * The smallest program that makes durable moves: what Bun itself leaves to be had.
 *
 * Its routes answer with the cursor's two headers, and each move has a promise, which is settled when the block of its
 * group is written and synced, on a thread. It has no lock, no second process, no checks, no ends, and knows no error.
 * @module
 */
import fs from "node:fs";

const BLOCK_BYTES = 4096;
const BODY_COUNT = 128;

const headers = new Headers({
  "content-type": "application/json; charset=utf-8",
  "cache-control": "no-store",
});
const init = { headers };
const bodies = [`{"value":"0","status":"200"}`];
for (
  let [value, successor] = [1n, 1n];
  bodies.length < BODY_COUNT;
  [value, successor] = [successor, value + successor]
)
  bodies.push(`{"value":"${value}","status":"200"}`);

const file = fs.openSync(process.argv[2]!, "w");
const block = Buffer.alloc(BLOCK_BYTES);
let index = 5;
let slot = 0;
let steps: number[] = [];
let resolves: ((response: Response) => void)[] = [];
let gatheredCount = 0;
let isRunning = false;

function move(step: 1 | -1): Promise<Response> {
  return new Promise((resolve) => {
    steps.push(step);
    resolves.push(resolve);
    if (!isRunning) setImmediate(commit);
    isRunning = true;
  });
}

function commit(): void {
  // As long as a turn of the loop brings more, the group waits.
  if (steps.length > gatheredCount) {
    gatheredCount = steps.length;
    setImmediate(commit);
    return;
  }
  gatheredCount = 0;
  const group = { steps, resolves };
  [steps, resolves] = [[], []];
  const reached = group.steps.map((step) => (index += step));
  block.writeUInt32BE(index);
  slot = BLOCK_BYTES - slot;
  fs.writeSync(file, block, 0, BLOCK_BYTES, slot);
  fs.fdatasync(file, () => {
    isRunning = resolves.length > 0;
    if (isRunning) setImmediate(commit);
    for (let i = 0; i < reached.length; i++) group.resolves[i]!(new Response(bodies[reached[i]!], init));
  });
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: {
    "/api0/next": () => move(1),
    "/api0/previous": () => move(-1),
    "/api0/current": () => new Response(bodies[index], init),
    "/v1/cursor": {
      PUT: async (request) => {
        index = Number(((await request.json()) as { index: string }).index);
        return new Response();
      },
    },
  },
});
console.log(String(server.url));
