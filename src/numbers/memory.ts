/**
 * Memory that ends: how much a computation will need is predicted beside each. What does not fit is refused here, before
 * it begins or, where a prediction does not hold or nobody has asked for it, when there is no more.
 * @module
 */
import { FibError } from "../errors.ts";

/** What JavaScript's own heap grows by beside the multiplier's memory, whatever is computed. */
export const HEAP_BYTES = 16e6;

/** A lack of memory that can say how much; others are a plain RangeError. */
export class Shortage extends RangeError {
  /** @param limit - What is exceeded. */
  constructor(neededBytes: number, limit: string, options?: ErrorOptions) {
    super(`it needs ${megabytes(neededBytes)} of memory, ${limit}`, options);
  }
}

/**
 * Refuses a computation that does not fit into what is available.
 *
 * @param what - Names it in the error.
 * @param neededBytes - Its peak.
 * @throws {@link FibError} `result_too_large`, with both figures.
 */
export function checkMemory(what: string, neededBytes: number): void {
  const availableBytes = process.availableMemory();
  if (neededBytes > availableBytes)
    throw refusal(what, new Shortage(neededBytes, `and ${megabytes(availableBytes)} are available`));
}

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
    throw cause instanceof RangeError ? refusal(what, cause) : cause;
  }
}

/** @returns As `1,234 MB`. */
export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString("en-US")} MB`;
}

function refusal(what: string, cause: RangeError): FibError {
  const reason = cause instanceof Shortage ? cause.message : "it needs more memory than this machine gives";
  return new FibError("result_too_large", `Cannot compute ${what}: ${reason}`, { cause });
}
