/**
 * Whether somebody still reads what is printed: a command that prints seldom would not find out by printing. Apart from
 * system-calls.ts, because `fibserver n` has no use for it.
 * @module
 */
import { FFIType } from "bun:ffi";
import { openLibc } from "../libc.ts";

const { i32, ptr, u64 } = FFIType;
/** POLLERR: the other end of a pipe is closed; POLLHUP: that of a socket or a terminal. */
const POLL_GONE = 0x8 | 0x10;

/** Looks at an open file without waiting. @returns Whether its other end is there; always for a file on a disk. */
export function openReaderProbe(fd: number): () => boolean {
  const { poll } = openLibc({ poll: { args: [ptr, u64, i32], returns: i32 } });
  // struct pollfd: the descriptor, the events that are waited for, and those that there are.
  const pollfd = new Int16Array([fd & 0xffff, fd >> 16, 0, 0]);
  return () => {
    // What a signal interrupts has found nothing.
    pollfd[3] = 0;
    poll(pollfd, 1, 0);
    return (pollfd[3] & POLL_GONE) === 0;
  };
}
