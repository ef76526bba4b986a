/**
 * The span of a request, by OpenTelemetry's semantic conventions for HTTP. Loaded with the server, called only while
 * somebody traces.
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 * @module
 */
import type { Span, Tracer } from "../tracing.ts";
import { withoutTokens } from "../token.ts";
import { pathOf } from "./asker.ts";

/** A request that is being traced. */
export interface RequestSpan {
  readonly span: Span;
  /** Its answer has begun; a body may still be under way. */
  readonly end: (status: number) => void;
}

/**
 * Begins it, as the child of what the caller names by `traceparent`. Neither the query nor a header is told: a token
 * may have been pasted into one.
 *
 * @param route - Its pattern; "none" for no route.
 */
export function beginRequestSpan(
  tracer: Tracer,
  request: Request,
  route: string,
  requestId: string | undefined,
): RequestSpan {
  const { method } = request;
  const span = tracer.start(route === "none" ? method : `${method} ${route}`, {
    parent: request.headers.get("traceparent") ?? undefined,
    kind: "server",
    attributes: {
      "http.request.method": method,
      "url.path": withoutTokens(pathOf(request)),
      "url.scheme": request.url.startsWith("https:") ? "https" : "http",
      ...(route !== "none" && { "http.route": route }),
      ...(requestId !== undefined && { "fibserver.request_id": requestId }),
    },
  });
  const end = (status: number) => {
    span.tell({ "http.response.status_code": status });
    span.end(status >= 500 ? String(status) : undefined);
  };
  return { span, end };
}
