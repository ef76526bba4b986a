/** Answers that nobody reads take little memory; method: see `unread.ts`. */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import { requireTool } from "../binary.ts";

setDefaultTimeout(120_000);

const withNetwork = requireTool(
  ["unshare", "--net", "ip", "link", "set", "lo", "up"],
  "it takes root, unshare (util-linux) and ip (iproute2)",
);
const SMALL_BUFFERS = `ip link set lo up
  for limit in rmem wmem; do echo 4096 16384 16384 >/proc/sys/net/ipv4/tcp_$limit; done
  exec "$@"`;

for (const [what, ...request] of [
  ["a body that is whole", "/v1/fibonacci/150000?format=text"],
  ["a body that is streamed", "/v1/fibonacci/1250000?format=text"],
  ["a long value of the cursor", "/api0/current", "4000000"],
  ["a long value of the cursor as JSON", "/v1/cursor", "4000000"],
] as const) {
  withNetwork(`1,500 clients that do not read ${what} leave the server below 200 MB`, async () => {
    const program = [process.execPath, path.join(import.meta.dir, "unread.ts"), ...request];
    await using child = Bun.spawn(["unshare", "--net", "sh", "-c", SMALL_BUFFERS, "sh", ...program], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect(stderr).toBe("");
    expect((JSON.parse(stdout) as { residentBytes: number }).residentBytes).toBeWithin(30e6, 200e6);
  });
}
