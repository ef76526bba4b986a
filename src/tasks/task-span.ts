/**
 * A task as a span: from its acceptance, by whichever process, to its result, and a child of the request that made it.
 * Who computes it makes the span; one whose process dies is made by the next.
 * @module
 */
import { epochMs, type Span, type Tracer } from "../tracing.ts";
import { kindOf, type Task } from "./task.ts";

/** Begins it, when the task is about to be computed; undefined where nobody traces. */
export function beginTaskSpan(tracer: Tracer | undefined, task: Task): Span | undefined {
  const { id, request, sizeBytes, createdAtMs, origin } = task;
  return tracer?.start(`task ${kindOf(request)}`, {
    parent: origin.traceparent,
    kind: "consumer",
    // Of another clock, Redis's or that of the wall: one that is ahead must not make a span that ends before it begins.
    startedAtMs: Math.min(createdAtMs, epochMs()),
    attributes: {
      "fibserver.task.id": id,
      "fibserver.digits": sizeBytes,
      ...(origin.requestId !== undefined && { "fibserver.request_id": origin.requestId }),
    },
  });
}
