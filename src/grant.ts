/**
 * What the bearer of a token may do.
 * @module
 */

/** What a token allows, by its line in the file of tokens. */
export interface Grant {
  /** Whose it is: for logs. */
  readonly name: string;
  /** `read`; `write`, which includes it; or `write` of those cursors alone whose name begins with `prefix`. */
  readonly scope: "read" | "write";
  /** Not empty; undefined for all cursors. */
  readonly prefix: string | undefined;
}
