/**
 * Traces, by OpenTelemetry's own packages, sent to a collector as OTLP over HTTP, in JSON.
 *
 * `openTraces` loads them, and only where the environment names a collector: 60 ms and 2.6 MB that nobody else pays. All
 * that can be set is what the packages read themselves: the standard's `OTEL_…` variables. Nothing waits for a
 * collector: spans that it does not take in time are dropped (`OTEL_BSP_MAX_QUEUE_SIZE`, 2048 wait at most), and the log
 * says so, now and then.
 *
 * Rejected: sdk-node (4.9 MB, and it patches what it finds); automatic instrumentation, which knows neither Bun.serve
 * nor a group commit; protobuf, which is smaller and needs generated code.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 * @module
 */
import {
  type Context,
  diag,
  DiagLogLevel,
  type HrTime,
  ROOT_CONTEXT,
  type Span as OtelSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer as OtelTracer,
} from "@opentelemetry/api";
import { parseTraceParent, setGlobalErrorHandler } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { version } from "../../package.json";
import type { Logger } from "../log.ts";
import { type Attributes, epochMs, type Span, type Tracer } from "../tracing.ts";

/** What is left at the end has so long to be sent. */
const FLUSH_MS = 1000;
/** A collector that is away is told of this often. */
const TELL_MS = 60_000;
/** More of what went wrong is not told. */
const REASON_CHARS_MAX = 200;

/** What the batch processor says when it begins to drop spans. */
const QUEUE_FULL = "maxQueueSize reached, dropping spans";

const KINDS = { server: SpanKind.SERVER, consumer: SpanKind.CONSUMER } as const;

const ignore = () => {};

/** Opens what makes spans and sends them. */
export function createTraces(log: Logger): { readonly tracer: Tracer; readonly close: () => Promise<void> } {
  const loses = teller(log, "Traces are lost: {reason}");
  setGlobalErrorHandler((error) => loses(reasonOf(error)));
  // Settings are read while all this is made: each is told.
  let warns = (reason: string) => log.warn("A setting of traces: {reason}", { reason });
  const hear = (...said: unknown[]) => warns(said.join(" "));
  // Of a queue that is full the packages tell at this level alone, until it is full no more.
  const look = (reason: string) => reason === QUEUE_FULL && loses("the collector takes them too slowly");
  const logger = { error: hear, warn: hear, info: ignore, debug: look, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.DEBUG, suppressOverrideMessage: true });
  const own = resourceFromAttributes({
    "service.name": "fibserver",
    "service.version": version,
    "service.instance.id": crypto.randomUUID(),
  });
  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(own)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  const otel = provider.getTracer("fibserver", version);
  warns = teller(log, "Traces: {reason}");
  const tracer: Tracer = {
    start: (name, { parent, kind, attributes, startedAtMs }) =>
      begin(otel, contextOf(parent), name, KINDS[kind], attributes, startedAtMs),
  };
  const close = async () => {
    // What goes wrong with it is told by the error handler.
    const sent = provider.shutdown().then(
      () => true,
      () => true,
    );
    if (await Promise.race([sent, Bun.sleep(FLUSH_MS)])) return;
    log.warn("Traces are lost: the collector has not taken the last ones within {seconds} s", {
      seconds: FLUSH_MS / 1000,
    });
  };
  return { tracer, close };
}

function begin(
  otel: OtelTracer,
  context: Context,
  name: string,
  kind: SpanKind,
  attributes: Attributes = {},
  startedAtMs?: number,
): Span {
  const span = otel.startSpan(name, { kind, attributes, startTime: timeOf(startedAtMs) }, context);
  return {
    get traceparent() {
      return traceparentOf(span);
    },
    child: (childName, ...rest) =>
      begin(otel, trace.setSpan(ROOT_CONTEXT, span), childName, SpanKind.INTERNAL, ...rest),
    tell: (more) => void span.setAttributes(more),
    end: (failure, endedAtMs) => {
      if (!span.isRecording()) return;
      if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      span.end(timeOf(endedAtMs));
    },
  };
}

function contextOf(traceparent: string | undefined): Context {
  const parent = traceparent === undefined ? null : parseTraceParent(traceparent);
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}

function traceparentOf(span: OtelSpan): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

// As a pair: of a number the packages believe that it counts from the start of the process when it is before that.
function timeOf(atMs = epochMs()): HrTime {
  return [Math.trunc(atMs / 1000), Math.round((atMs % 1000) * 1e6)];
}

/** Says what is wrong, but not for each batch. */
function teller(log: Logger, message: string): (reason: string) => void {
  let toldAtMs = -Infinity;
  return (reason) => {
    if (performance.now() - toldAtMs < TELL_MS) return;
    toldAtMs = performance.now();
    log.warn(message, { reason: reason.slice(0, REASON_CHARS_MAX) });
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of an answer of the collector: its status.
  const status = "code" in error && typeof error.code === "number" ? `${error.code} ` : "";
  return status + (error.message || error.name);
}
