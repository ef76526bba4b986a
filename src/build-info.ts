/**
 * What this program was built from.
 * @module
 */
import { version } from "../package.json";

/** Set by the build; uncompiled there is none. */
declare const BUILD_COMMIT: string;

/** Its version, the commit that it was built from, and the Bun that is in it. */
export const BUILD_INFO = {
  version,
  commit: typeof BUILD_COMMIT === "string" ? BUILD_COMMIT : "unknown",
  bun: Bun.version,
} as const;
