/**
 * The network between one process and Redis: a TCP proxy that can be cut, delayed, stalled and made to lie.
 * @module
 */
import { once } from "node:events";
import net from "node:net";

/** The types of RESP whose next bytes are a length or a number. */
const COUNTED = new Set(["$", "*", ":"].map((type) => type.charCodeAt(0)));
const TYPES = new Set([...COUNTED, ..."+-_#".split("").map((type) => type.charCodeAt(0))]);
const CR = 0x0d;

/** One such network; what goes through it is passed on byte by byte until somebody interferes. */
export class Link implements AsyncDisposable {
  /** Added to each piece that passes, in either direction. */
  delayMs = 0;

  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #refuses = false;
  #flow: PromiseWithResolvers<void> | undefined;
  #bytesToCut: number | undefined;
  #headerBytesToSpoil: number | undefined;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /** @param target - The port where Redis is; asked for each connection. */
  static async open(target: () => Promise<number>): Promise<Link> {
    const server = net.createServer();
    const link = new Link(server);
    server.on("connection", (client) => void link.#connect(client, target));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return link;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  /** Ends what is connected, now or once so many more bytes have come from Redis, and takes nobody until {@link mend}. */
  cut(afterBytes = 0): void {
    if (afterBytes > 0) this.#bytesToCut = afterBytes;
    else {
      this.#refuses = true;
      this.#endAll();
    }
  }

  /** Nothing passes any more, and nobody is told, until {@link mend}. */
  stall(): void {
    this.#flow ??= Promise.withResolvers();
  }

  /**
   * Spoils one byte of the next reply's type or length: the one at this place in its first line.
   *
   * RESP has no checksum: a digit that becomes another digit can be noticed by nobody, so it is not asked for. Nor can
   * a type that becomes another type, as `*` becomes `+` with one bit: then the reply's parts are taken for the next
   * replies. So the highest bit of the byte is set, and what results is no type and no digit. Requests are left alone: Redis takes
   * a broken one for several lines that somebody typed, and answers each.
   */
  spoil(place: number): void {
    this.#headerBytesToSpoil = place;
  }

  /** All is well again, for who connects and for who is connected. */
  mend(): void {
    this.delayMs = 0;
    this.#refuses = false;
    this.#bytesToCut = undefined;
    this.#headerBytesToSpoil = undefined;
    this.#flow?.resolve();
    this.#flow = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.mend();
    this.#endAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #endAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #connect(client: net.Socket, target: () => Promise<number>): Promise<void> {
    // It waits until there is somewhere to lead to.
    client.pause().on("error", () => client.destroy());
    const port = await target().catch(() => undefined);
    if (this.#refuses || port === undefined) return void client.destroy();
    const redis = net.connect({ port, host: "127.0.0.1", noDelay: true });
    client.setNoDelay(true);
    const end = () => {
      for (const socket of [client, redis]) {
        this.#sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, redis]) this.#sockets.add(socket.on("error", end).on("close", end));
    void this.#pass(client, redis, (bytes) => bytes).finally(end);
    let isLineStart = true;
    const answers = (bytes: Buffer) => {
      const passed = this.#spoilt(this.#cutIn(bytes), isLineStart);
      isLineStart = bytes.at(-1) === 0x0a;
      return passed;
    };
    void this.#pass(redis, client, answers).finally(end);
  }

  async #pass(from: net.Socket, to: net.Socket, change: (bytes: Buffer) => Buffer): Promise<void> {
    try {
      for await (const bytes of from as AsyncIterable<Buffer>) {
        if (this.delayMs > 0) await Bun.sleep(this.delayMs);
        await this.#flow?.promise;
        if (to.destroyed) return;
        const changed = change(bytes);
        if (!to.write(changed)) await Promise.race([once(to, "drain"), once(to, "close")]);
        if (changed.length < bytes.length) return;
      }
    } catch {
      // One of the two has ended; so does the other.
    }
  }

  #cutIn(bytes: Buffer): Buffer {
    if (this.#bytesToCut === undefined) return bytes;
    const rest = this.#bytesToCut;
    this.#bytesToCut -= bytes.length;
    if (rest > bytes.length) return bytes;
    this.#bytesToCut = undefined;
    return bytes.subarray(0, rest - 1);
  }

  // A value holds no line end, so what follows one, and is a type, is the first byte of a reply or of its part.
  #spoilt(bytes: Buffer, isLineStart: boolean): Buffer {
    if (this.#headerBytesToSpoil === undefined || !isLineStart || !TYPES.has(bytes[0] ?? 0)) return bytes;
    const headerBytes = COUNTED.has(bytes[0]!) ? bytes.indexOf(CR) : 1;
    if (headerBytes < 1) return bytes;
    const spoilt = Buffer.from(bytes);
    spoilt[this.#headerBytesToSpoil % headerBytes]! |= 0x80;
    this.#headerBytesToSpoil = undefined;
    return spoilt;
  }
}
