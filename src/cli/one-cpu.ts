/**
 * `-t`: the whole process on one CPU, as GOMAXPROCS(1) meant it for the Go server.
 * @see sched_setaffinity(2)
 * @module
 */
import fs from "node:fs";
import { openLibc } from "../libc.ts";
import { FibError } from "../errors.ts";

/** Bytes of a kernel CPU mask: 1,024 CPUs. */
const MASK_BYTES = 128;

const TASKS = "/proc/self/task";

/**
 * Keeps every thread of this process, and every one that they start, on the first CPU that it may use.
 *
 * @throws {@link FibError} `system_failed`, when the kernel refuses.
 */
export function useOneCpu(): void {
  const symbols = openLibc({
    sched_getaffinity: { args: ["i32", "u64", "ptr"], returns: "i32" },
    sched_setaffinity: { args: ["i32", "u64", "ptr"], returns: "i32" },
  });
  const mask = new Uint8Array(MASK_BYTES);
  if (symbols.sched_getaffinity(0, MASK_BYTES, mask) < 0) throw refusal();
  const byte = mask.findIndex((bits) => bits !== 0);
  const lowest = mask[byte]! & -mask[byte]!;
  mask.fill(0)[byte] = lowest;
  // The runtime has started threads already. A new one inherits the mask of the one that starts it, which may not have
  // had its turn: so until there is none that is new.
  const kept = new Set<string>();
  for (;;) {
    const others = fs.readdirSync(TASKS).filter((thread) => !kept.has(thread));
    if (others.length === 0) return;
    for (const thread of others) {
      const isKept = symbols.sched_setaffinity(Number(thread), MASK_BYTES, mask) === 0;
      // One that has ended by now is no refusal.
      if (!isKept && fs.existsSync(`${TASKS}/${thread}`)) throw refusal();
      kept.add(thread);
    }
  }
}

function refusal(): FibError {
  return new FibError("system_failed", "Cannot stay on one CPU: the kernel refuses; start without -t");
}
