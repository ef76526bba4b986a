/**
 * What systemd is told of this process (sd_notify): that it is ready, what it does, that it stops, and that it lives.
 *
 * Datagrams to the socket that NOTIFY_SOCKET names, a path or `@` and an abstract name, by native calls: node:dgram has
 * no Unix sockets. Where the variable is not set nothing is loaded or called. Nothing here ever waits for systemd: a
 * socket that is full or away costs a line in the log. Only that it is ready is sent again until it is taken, since a
 * service that never was ready is ended.
 *
 * The watchdog is fed from the event loop, twice in each of its periods: so it says that the loop turns, which is what a
 * new start puts right. It does not say that the disk or Redis answers: a stalled disk stalls the next process as well,
 * while this one still answers what needs no disk; `/readyz` tells of those. A cursor that has failed ends the process by
 * itself, within the time of a stop, during which the watchdog is still fed.
 * @see sd_notify(3), sd_watchdog_enabled(3)
 * @module
 */
import { FFIType } from "bun:ffi";
import { lastError, openLibc } from "../libc.ts";
import { visible } from "../shell-word.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
/** MSG_DONTWAIT and MSG_NOSIGNAL. */
const SEND_FLAGS = 0x40 | 0x4000;
/** `sun_path`. */
const ADDRESS_BYTES_MAX = 108;
const AGAIN_MS = 1000;

/** Who is told; where there is no systemd, nobody. */
export interface ServiceManager {
  /** It serves. The status is one line for `systemctl status`. */
  readonly ready: (status: string) => void;
  /** A stop has begun. */
  readonly stopping: (status: string) => void;
}

/**
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
 *
 * @param notice - Told once when systemd cannot be told.
 */
export function openServiceManager(
  env: Readonly<Record<string, string | undefined>>,
  notice: (message: string) => void,
): ServiceManager {
  const address = env["NOTIFY_SOCKET"];
  if (!address) return { ready() {}, stopping() {} };
  let isNoticed = false;
  let send: ((state: string) => void) | undefined;
  const attempt = (state: string): boolean => {
    try {
      send ??= openSocket(address);
      send(state);
      return true;
    } catch (error) {
      if (!isNoticed) notice(`Cannot tell systemd at ${visible(address)}: ${(error as Error).message}`);
      isNoticed = true;
      return false;
    }
  };
  const watchdogMs = watchdogOf(env);
  return {
    ready(status) {
      const state = `READY=1\nSTATUS=${visible(status)}`;
      if (!attempt(state)) {
        const timer = setInterval(() => attempt(state) && clearInterval(timer), AGAIN_MS).unref();
      }
      if (watchdogMs !== undefined) setInterval(() => attempt("WATCHDOG=1"), watchdogMs / 2).unref();
    },
    stopping: (status) => void attempt(`STOPPING=1\nSTATUS=${visible(status)}`),
  };
}

/** The period within which systemd wants to hear of this process; undefined when it does not. */
function watchdogOf(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const { WATCHDOG_USEC: period = "", WATCHDOG_PID: pid } = env;
  // Inherited from a parent, it is the parent's.
  if (pid !== undefined && pid !== String(process.pid)) return undefined;
  return /^[1-9]\d{3,12}$/.test(period) ? Number(period) / 1000 : undefined;
}

/**
 * @returns Sends a datagram.
 * @throws {@link Error}, as what it returns does, when that cannot be done.
 */
function openSocket(address: string): (state: string) => void {
  const { i32, u32, u64, ptr, i64_fast: size } = FFIType;
  const calls = openLibc({
    socket: { args: [i32, i32, i32], returns: i32 },
    sendto: { args: [i32, ptr, u64, i32, ptr, u32], returns: size },
  });
  const name = socketName(address);
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw lastError("socket");
  return (state) => {
    const bytes = new TextEncoder().encode(state);
    const sent = calls.sendto(fd, bytes, bytes.length, SEND_FLAGS, name, name.length);
    if (Number(sent) < 0) throw lastError("sendto");
  };
}

/** `struct sockaddr_un`: of a path with its NUL, of an abstract name with a NUL in front and none behind. */
function socketName(address: string): Uint8Array {
  const isAbstract = address.startsWith("@");
  if (!isAbstract && !address.startsWith("/")) throw new Error("it is neither a path nor an abstract name");
  const path = new TextEncoder().encode(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  if (path.length > ADDRESS_BYTES_MAX) throw new Error("the name is too long");
  const name = new Uint8Array(2 + path.length);
  new DataView(name.buffer).setUint16(0, AF_UNIX, true);
  name.set(path, 2);
  return name;
}
