/**
 * Memory that ends: how much a computation will need is predicted beside each, and what happens when a prediction
 * does not hold, or nobody has asked for it, is here.
 * @module
 */
import { FibError } from "../errors.ts";

/** What JavaScript's own heap grows by beside the multiplier's memory, whatever is computed. */
export const HEAP_BYTES = 16e6;

/**
 * Computes what may not fit.
 *
 * @param what - Names it in the error.
 * @throws {@link FibError} `result_too_large` in place of the RangeError by which JavaScript says that there is no room.
 */
export function withinMemory<Result>(what: string, compute: () => Result): Result {
  try {
    return compute();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const message = `Cannot compute ${what}: it needs more memory than this machine gives`;
    throw new FibError("result_too_large", message, { cause });
  }
}
