/** Answers that nobody reads take little memory; method: see `unread.ts`. */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import { requireTool } from "../binary.ts";

setDefaultTimeout(900_000);

const withNetwork = requireTool(
  ["unshare", "--net", "ip", "link", "set", "lo", "up"],
  "it takes root, unshare (util-linux) and ip (iproute2)",
);
const SMALL_BUFFERS = `ip link set lo up
  for limit in rmem wmem; do echo 4096 16384 16384 >/proc/sys/net/ipv4/tcp_$limit; done
  exec "$@"`;

/** Runs a program of this folder in a network with small buffers. @returns What it prints, as JSON. */
async function runInNetwork(name: string, ...args: string[]): Promise<unknown> {
  const program = [process.execPath, path.join(import.meta.dir, name), ...args];
  await using child = Bun.spawn(["unshare", "--net", "sh", "-c", SMALL_BUFFERS, "sh", ...program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

for (const [what, path_, index = "0"] of [
  ["a body that is whole", "/v1/fibonacci/150000?format=text"],
  ["a body that is streamed", "/v1/fibonacci/1250000?format=text"],
  ["the description of the API", "/openapi.json"],
  ["the script of its page", "/docs"],
  ["a long value of the cursor", "/api0/current", "4000000"],
  ["a long value of the cursor as JSON", "/v1/cursor", "4000000"],
] as const) {
  withNetwork(`1,500 clients that do not read ${what} leave the server below 220 MB`, async () => {
    const settled = await runInNetwork("unread.ts", path_, index, "220e6");
    expect((settled as { residentBytes: number }).residentBytes).toBeWithin(30e6, 220e6);
  });
}

withNetwork("who follows a cursor and does not read misses events, but not the last", async () => {
  const { quickCount, slowCount, isLast } = (await runInNetwork("slow-follower.ts")) as {
    quickCount: number;
    slowCount: number;
    isLast: boolean;
  };
  expect(isLast).toBe(true);
  expect(quickCount).toBeGreaterThanOrEqual(150);
  // 32 KB of buffers, and an event of 1.1 KB.
  expect(slowCount).toBeLessThan(100);
});
