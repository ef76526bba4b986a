/**
 * A TCP proxy that breaks connections where a test wants it, and passes everything else on byte by byte.
 * @module
 */
import net from "node:net";

/** What happens to one connection. */
export interface Fate {
  /** The client is cut off once it was sent so many bytes of the server's answer. */
  readonly cutAfterBytes?: number;
  /** The client is cut off as soon as the server has sent all or some of its answer; it gets nothing of it. */
  readonly swallow?: boolean;
  /** After so many bytes of the answer nothing comes any more, and the connection stays open. */
  readonly silentAfterBytes?: number;
}

/** A proxy that runs. */
export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** Connections that were made so far. */
  readonly connectionCount: () => number;
  /** Those of them that were cut. */
  readonly cutCount: () => number;
  /** Those that are open. */
  readonly openCount: () => number;
  /** Those that have fallen silent. */
  readonly silentCount: () => number;
  /** Bytes of answers that were passed on. */
  readonly sentBytes: () => number;
  /** Cuts all that are open. */
  readonly cut: () => void;
}

/**
 * Starts a proxy on a free port of the loopback.
 *
 * @param target - The URL to which it leads; as a function, asked for each connection.
 * @param fateOf - Called for each connection with its number, from 0.
 */
export async function startProxy(
  target: string | (() => string),
  fateOf: (connection: number) => Fate,
): Promise<Proxy> {
  /** Each client with what cuts it off. */
  const sockets = new Map<net.Socket, () => void>();
  let connections = 0;
  let cuts = 0;
  let silences = 0;
  let sentBytesInAll = 0;
  const server = net.createServer((client) => {
    const fate = fateOf(connections++);
    const { hostname, port } = new URL(typeof target === "string" ? target : target());
    const upstream = net.connect(Number(port), hostname);
    let sentBytes = 0;
    const end = () => {
      sockets.delete(client);
      client.destroy();
      upstream.destroy();
    };
    const cut = () => {
      cuts++;
      end();
    };
    sockets.set(client, cut);
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    client.on("data", (bytes: Buffer) => void upstream.write(bytes));
    upstream.on("data", (bytes: Buffer) => {
      if (client.destroyed) return;
      const rest = (fate.silentAfterBytes ?? fate.cutAfterBytes ?? Number.POSITIVE_INFINITY) - sentBytes;
      if (fate.swallow === true) return cut();
      sentBytes += bytes.length;
      sentBytesInAll += bytes.length;
      const ends = bytes.length >= rest;
      const isFull = !client.write(ends ? bytes.subarray(0, rest) : bytes, () => {
        if (ends && fate.cutAfterBytes !== undefined && sockets.has(client)) cut();
      });
      if (ends) {
        upstream.pause();
        if (fate.silentAfterBytes !== undefined) silences++;
      } else if (isFull) {
        upstream.pause();
        client.once("drain", () => upstream.resume());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    connectionCount: () => connections,
    cutCount: () => cuts,
    openCount: () => sockets.size,
    silentCount: () => silences,
    sentBytes: () => sentBytesInAll,
    cut: () => {
      for (const cut of sockets.values()) cut();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.keys()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
