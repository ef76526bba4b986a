/** Commands that compute are refused before they begin where the memory is too small: in-process, so that it can be. */
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { runCommandLine } from "../../src/cli/commands.ts";

const AVAILABLE_BYTES = 1_000_000;
let available: { mockRestore(): void };

beforeEach(() => {
  available = spyOn(process, "availableMemory").mockReturnValue(AVAILABLE_BYTES);
});
afterEach(() => available.mockRestore());

test("each command that computes asks for the memory first, and names both figures", async () => {
  for (const line of [
    "fib 1000000",
    "fib 1000000 --stats",
    "lucas 1000000",
    "fact 100000",
    "ack 3 1000000",
    "seq 1000000..1000001",
    "seq 1000000..1000001 --start 2,1",
    `zeck 1${"0".repeat(10_000)}`,
  ]) {
    const error = await runCommandLine([...line.split(" "), "-q"]).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect({ line, error }).toMatchObject({
      line,
      error: {
        code: "result_too_large",
        message: expect.stringMatching(/ needs [\d,]+ MB of memory, and 1 MB are available/),
      },
    });
  }
});
