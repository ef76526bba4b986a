/** HTTP as bytes on real sockets: what `fetch` hides or smooths over. @module */
import { onTestFinished } from "bun:test";
import { PORTS } from "./binary.ts";
import { watchAnswer } from "./description.ts";

/** A connection, and all that comes back on it until its end. It is gone with the test. */
export async function connect(port: number) {
  let received = "";
  const ended = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, bytes) => void (received += bytes.toString("latin1")),
      end: () => ended.resolve(received),
      close: () => ended.resolve(received),
      // A refusal may come with a reset while the rest is still being sent.
      error: () => ended.resolve(received),
    },
  });
  onTestFinished(() => socket.terminate());
  return { socket, ended: ended.promise, received: () => received };
}

/** Sends bytes, and returns all that the server answers until it closes. */
export async function exchange(port: number, bytes: string): Promise<string> {
  const { socket, ended } = await connect(port);
  socket.write(bytes);
  const answer = await ended;
  const basePath = PORTS.get(String(port));
  if (basePath !== undefined) watchBytes(bytes, answer, basePath);
  return answer;
}

/** Holds the head of the first answer against the API's description, as `fetch` does for what it gets. */
function watchBytes(bytes: string, answer: string, basePath: string): void {
  const [method = "", target = ""] = bytes.split(" ", 2);
  const status = statusOf(answer);
  if (!(status >= 200) || !target.startsWith("/")) return;
  const lines = answer.slice(0, answer.indexOf("\r\n\r\n")).split("\r\n").slice(1);
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  watchAnswer(
    method,
    String(new URL(`http://server${target}`)),
    new Response(null, { status, headers }),
    basePath,
  );
}

/** A request whose answer is the last on its connection. */
export function requestBytes(line: string, headers: Record<string, string> = {}, body = ""): string {
  const all = { Host: "127.0.0.1", Connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** The status of an answer. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

/** All values of a header in an answer: one that comes twice is a fault that `fetch` would hide. */
export function headersOf(answer: string, name: string): string[] {
  const head = answer.slice(0, answer.indexOf("\r\n\r\n"));
  const lines = head.split("\r\n").filter((line) => line.toLowerCase().startsWith(`${name}:`));
  return lines.map((line) => line.slice(name.length + 1).trim());
}
