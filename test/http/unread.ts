/**
 * 1,500 clients that ask and read nothing; prints how much memory the server has then, once that has settled: what it had
 * to make the answers, up to 60 MB, may wait for a collection for some seconds. A program, as it runs in a network of its
 * own: there the kernel's buffers can be made small, which elsewhere would take all for the server.
 * @module
 */
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { startServer, temporaryFolder, until } from "../binary.ts";
import { requestBytes } from "../wire.ts";

const CLIENTS = 1500;

const [asked = "", index = "0", maxBytes = ""] = process.argv.slice(2);
using folder = temporaryFolder();
await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--max-index", "10000000"]);
await fetch(`${server.url}/v1/cursor`, { method: "PUT", body: JSON.stringify({ index }) });
// The largest file of that page, which alone knows its name.
const script =
  asked === "/docs" && /docs\/swagger-ui\.\w+\.js/.exec(await (await fetch(`${server.url}/docs`)).text());
const target = script ? `/${script[0]}` : asked;
const sockets = Array.from({ length: CLIENTS }, () => {
  const socket = net.connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(requestBytes(`GET ${target}`, { Connection: "keep-alive" }));
  return socket;
});
await until("all are connected", () => sockets.every(({ connecting }) => !connecting));
// All have been dealt with when one that comes later is, and no answer is being computed.
let [before, now] = [-1, 0];
await until(`the memory stays as it is, below ${maxBytes} bytes`, async () => {
  await Bun.sleep(200);
  [before, now] = [now, residentBytes(server.pid)];
  const response = await fetch(`${server.url}/livez`);
  return response.ok && Math.abs(now - before) < 1e6 && now < Number(maxBytes);
});
process.stdout.write(JSON.stringify({ residentBytes: now }));
for (const socket of sockets) socket.destroy();

function residentBytes(pid: number): number {
  return 1024 * Number(/VmRSS:\s*(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, "latin1"))![1]);
}
