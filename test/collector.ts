/** A collector of traces (OTLP over HTTP, JSON) on loopback, gone with the test. @module */
import { onTestFinished } from "bun:test";

/** A span, as far as the tests look at it. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly service: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly failure: string | undefined;
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}

type Pairs = readonly { readonly key: string; readonly value: Value }[];

interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Pairs };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly name: string;
        readonly kind: number;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes: Pairs;
        readonly status: { readonly code?: number; readonly message?: string };
      }[];
    }[];
  }[];
}

/**
 * Starts one.
 *
 * @param answer - What it says to each export, once that was read; 200 by default.
 */
export function startCollector(
  answer: () => Response | Promise<Response> = () => Response.json({ partialSuccess: {} }),
) {
  const spans: CollectedSpan[] = [];
  const requests: Request[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      requests.push(request);
      spans.push(...spansOf((await request.json()) as Exported));
      return answer();
    },
  });
  onTestFinished(() => server.stop(true));
  const url = server.url.origin;
  /** What makes a server send its traces here, at once. */
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: "50" };
  return { url, env, spans, requests };
}

function spansOf({ resourceSpans }: Exported): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        ...span,
        parentSpanId: span.parentSpanId || undefined,
        service: String(record(resource.attributes)["service.name"]),
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
        attributes: record(span.attributes),
        failure: span.status.code === 2 ? (span.status.message ?? "") : undefined,
      })),
    ),
  );
}

function record(pairs: Pairs): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
}
