/**
 * The methods that routes have: for what is said of them, allowed and counted.
 * @module
 */

/** HEAD is wherever GET is, and no route's own. */
export const METHODS = ["GET", "PUT", "POST", "DELETE"] as const;

/** One of them. */
export type Method = (typeof METHODS)[number];
