/**
 * `--reuse-port`: a server that starts gets the connections of one that will end.
 *
 * Two that listen on a port share what comes, by a hash, and what the older one has accepted and not yet read, or not yet
 * accepted, is reset when it ends: a third of the connections that are open at that moment (87 of 29,961 in eight
 * hand-overs with 32 clients on loopback; more where a request comes later than its connection). So the newer one has
 * the kernel give every new connection to the second of the group, which it is; the older one goes on with those that it
 * has, asks for new ones by `Connection: close`, and ends when it is told to. Where there is no second one, alone at the
 * start or at the end, the kernel shares by the hash again.
 *
 * Rejected: `net.ipv4.tcp_migrate_req`, which is the whole machine's and root's; to close only the listening socket, which
 * Bun cannot, and which resets what waits in it. A third server at the same time gets nothing until the first has ended.
 * @see socket(7), SO_ATTACH_REUSEPORT_CBPF; net/core/sock_reuseport.c
 * @module
 */
import { FFIType, ptr } from "bun:ffi";
import fs from "node:fs";
import { lastError, openLibc } from "../libc.ts";

const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const SO_ATTACH_REUSEPORT_CBPF = 51;
/** BPF_RET with BPF_K: a program that answers with a number. */
const RETURN = 0x06;
/** Counted from 0, in the order in which they began to listen. */
const SECOND = 1;

/**
 * Has the kernel give new connections to this process, when another one listens on its port as well.
 *
 * @param notice - Told when the kernel, or a sandbox, does not do that.
 */
export function takeOver(notice: (message: string) => void): void {
  try {
    const { i32, ptr: pointer, u32 } = FFIType;
    const calls = openLibc({
      getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
      setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
    });
    const listens = (fd: number): boolean => {
      const [value, size] = [new Int32Array(1), new Uint32Array([4])];
      return calls.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, size) === 0 && value[0] === 1;
    };
    const program = new Uint8Array(16 + 8);
    const view = new DataView(program.buffer);
    // struct sock_fprog, with the number of its instructions and where they are: behind it, in memory that lives as long.
    view.setUint16(0, 1, true);
    view.setBigUint64(8, BigInt(ptr(program, 16)), true);
    // struct sock_filter.
    view.setUint16(16, RETURN, true);
    view.setUint32(20, SECOND, true);
    // Bun does not tell which one it is.
    for (const fd of fs.readdirSync("/proc/self/fd").map(Number).filter(listens)) {
      if (calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program, 16) !== 0)
        throw lastError("setsockopt");
    }
  } catch (error) {
    const reason = (error as Error).message;
    notice(`Connections may be cut when this server takes over, or hands over: ${reason}`);
  }
}
