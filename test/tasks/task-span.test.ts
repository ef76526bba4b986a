/** The span of a task, with clocks that differ. */
import { expect, test } from "bun:test";
import { beginTaskSpan } from "../../src/tasks/task-span.ts";
import { epochMs, type Span, type Tracer } from "../../src/tracing.ts";
import { aTask } from "./a-task.ts";

test("a task that was accepted by a clock that is ahead has a span that begins no later than now", () => {
  const starts: (number | undefined)[] = [];
  const tracer: Tracer = {
    start: (_, { startedAtMs }) => {
      starts.push(startedAtMs);
      return {} as Span;
    },
  };
  const nowMs = epochMs();
  for (const createdAtMs of [nowMs - 5000, nowMs + 600_000]) beginTaskSpan(tracer, aTask({ createdAtMs }));
  expect(starts[0]).toBe(nowMs - 5000);
  expect(starts[1]).toBeWithin(nowMs, epochMs() + 1);
});
