/**
 * One who follows a cursor and reads nothing for a while, beside one who reads; prints what each got. A program, as it
 * runs in a network of its own, whose buffers are small: elsewhere the kernel takes all events of some minutes.
 * @module
 */
import net from "node:net";
import path from "node:path";
import { startServer, temporaryFolder, until } from "../binary.ts";
import { requestBytes } from "../wire.ts";

/** As many as the one who reads gets in 8 seconds. */
const EVENTS = 150;
/** F(4780) has 999 digits. */
const INDEX = "4780";

using folder = temporaryFolder();
await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--max-index", "5000"]);
await fetch(`${server.url}/v1/cursor`, { method: "PUT", body: JSON.stringify({ index: INDEX }) });

function follow() {
  const follower = { received: "", socket: net.connect(Number(new URL(server.url).port), "127.0.0.1") };
  follower.socket.on("data", (bytes) => (follower.received += bytes.toString("latin1")));
  follower.socket.write(requestBytes("GET /v1/cursor/events", { Connection: "keep-alive" }));
  return follower;
}

const countOf = ({ received }: { received: string }) => received.split("event: position").length - 1;
const [quick, slow] = [follow(), follow()];
await until("both follow", () => countOf(quick) === 1 && countOf(slow) === 1);
slow.socket.pause();
let etag: string | null = null;
for (let isUp = true; countOf(quick) < EVENTS; isUp = !isUp) {
  const move = isUp ? "next" : "previous";
  etag = (await fetch(`${server.url}/v1/cursor/${move}`, { method: "POST" })).headers.get("etag");
}
slow.socket.resume();
const last = `id: ${etag?.slice(1, -1)}\n`;
await until("both have the last", () => quick.received.includes(last) && slow.received.includes(last));
const isLast = slow.received.lastIndexOf("id: ") === slow.received.indexOf(last);
process.stdout.write(JSON.stringify({ quickCount: countOf(quick), slowCount: countOf(slow), isLast }));
for (const { socket } of [quick, slow]) socket.destroy();
