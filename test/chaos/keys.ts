/**
 * What is left in Redis when every task has expired, and what it counts.
 *
 * The one place of these tests that knows names of keys.
 * @module
 */
import type { Redis } from "../redis.ts";

/** Keys that are there for good, however little there is to do. */
const FIXED = [
  /^fibserver:cursor(:keys|:ring)?$/,
  /^fibserver:stored-bytes$/,
  /^fibserver:round$/,
  /^fibserver:queue:(quick|long):(meta|id|events|marker|stalled-check)$/,
];
const COUNTER = "fibserver:stored-bytes";
const RESULTS = "fibserver:result:*";

/** Keys that should not be there any more. */
export async function leftKeys(redis: Redis): Promise<string[]> {
  const keys = lines(await redis.cli("--scan"));
  return keys.filter((key) => !FIXED.some((fixed) => fixed.test(key))).toSorted();
}

/** What the store says that it holds, and what it holds. */
export async function storedBytes(
  redis: Redis,
): Promise<{ readonly counted: number; readonly found: number }> {
  const sum = `local sum = 0
    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do sum = sum + redis.call('STRLEN', key) end
    return { tonumber(redis.call('GET', ARGV[2]) or 0), sum }`;
  const [counted, found] = lines(await redis.cli("EVAL", sum, "0", RESULTS, COUNTER)).map(Number);
  return { counted: counted!, found: found! };
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
