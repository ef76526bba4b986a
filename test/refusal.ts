/** Refusals as values: a test looks at the code, and at what a person is told. @module */
import { FibError } from "../src/errors.ts";

/** The error that a call throws; fails when it throws none, or one that is a bug. */
export function thrown(call: () => unknown): FibError {
  try {
    call();
  } catch (error) {
    if (error instanceof FibError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** The error that a promise is rejected with; fails when it is not, or with one that is a bug. */
export async function rejected(promise: Promise<unknown>): Promise<FibError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof FibError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
