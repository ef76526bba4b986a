/**
 * Where the files of threads are.
 * @module
 */

/**
 * The URL to start a thread from. Compiled, each such file is an entry point of the binary, laid out like `src/`, and
 * this one is at the root, as it is in `src/`.
 *
 * @param file - Its path in `src/`, such as `numbers/worker.ts`.
 */
export function threadUrl(file: string): URL {
  return new URL(file, import.meta.url);
}
