/** What the log says of tasks. */
import { expect, test } from "bun:test";
import type { Logger } from "../../src/log.ts";
import { Registry } from "../../src/metrics.ts";
import { watchTaskEnds } from "../../src/serving/task-log.ts";

test("a line names what a task was asked for, and is not as long as 15,000 digits are", () => {
  const told: unknown[] = [];
  const tell = (message: string, facts: object) => void told.push({ message, ...facts });
  const onTaskEnd = watchTaskEnds(new Registry(), { warn: tell, debug: tell } as unknown as Logger);
  const task = { id: "a", attempts: 1, origin: {}, reason: "it is one", state: "failed" } as const;
  onTaskEnd({ ...task, request: "remainder 100 97" });
  onTaskEnd({ ...task, request: `remainder 1${"0".repeat(14_000)} 97` });
  onTaskEnd({ ...task, state: "ready", request: "pisano 10" });
  expect(told).toMatchObject([
    { request: "remainder 100 97", reason: "it is one" },
    { request: expect.stringMatching(/^remainder 10{20,40}…$/) },
    { request: "pisano 10" },
  ]);
});
