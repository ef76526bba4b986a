/**
 * A list as JSON, one element after the other.
 * @module
 */
import type { Put } from "./result.ts";

/** Writes an array of which nobody has to hold more than one element. */
export async function putArray<T>(
  put: Put,
  elements: AsyncIterable<T>,
  toJson: (element: T) => string,
): Promise<void> {
  let separator = "[";
  for await (const element of elements) {
    await put(Buffer.from(separator + toJson(element)));
    separator = ",";
  }
  await put(Buffer.from(separator === "[" ? "[]\n" : "]\n"));
}
