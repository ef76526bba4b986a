/**
 * Requests as Prometheus sees them, and `GET /metrics`.
 *
 * The labels of a request are few whatever is sent: the pattern of its route (`none` for what matches none), one of our
 * methods or `other`, and a status. A request is in flight until its answer begins, and that is its duration: of bodies
 * that are long afterwards `fibserver_streams` and `fibserver_watchers` tell.
 * @module
 */
import { type Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { CONTENT_TYPES, type TextFormat } from "../metrics-text.ts";
import type { Cell, Histogram, HistogramCell, Registry } from "../metrics.ts";
import { NO_STORE } from "./browser.ts";
import type { RequestWatch, Seen } from "./entry.ts";
import { METHODS } from "./methods.ts";
import { wholeBytes } from "./sent.ts";

/** Those that our routes have, and that browsers send on their own. */
const KNOWN_METHODS: ReadonlySet<string> = new Set([...METHODS, "HEAD", "OPTIONS"]);

/** Counts the requests of one port, or of several. */
export class RequestMetrics implements RequestWatch {
  /** For what makes streams. */
  readonly sentBytes: Cell;
  /** By method, route and status. */
  readonly durations: Histogram;
  /** The cells by method and route, then by status: found without making a text. */
  readonly #cells = new Map<string, Map<string, HistogramCell[]>>();
  #inFlightCount = 0;

  constructor(registry: Registry) {
    this.durations = registry.histogram(
      "http_request_duration_seconds",
      "How long requests took until their answers began, by the pattern of the route.",
      ["method", "route", "status"],
    );
    const help = "Requests whose answers have not begun.";
    registry.value("http_requests_in_flight", help, () => this.#inFlightCount);
    this.sentBytes = registry
      .counter("http_response_bytes_total", "Bytes of bodies that were sent, without headers.")
      .cell();
  }

  begin(): void {
    this.#inFlightCount++;
  }

  end({ method, route, status }: Seen, response: Response, durationMs: number, sizeBytes?: number): void {
    this.#inFlightCount--;
    this.#cellOf(method, route, status).observe(durationMs / 1000);
    if (method !== "HEAD") this.sentBytes.add(sizeBytes ?? wholeBytes(response));
  }

  #cellOf(method: string, route: string, status: number): HistogramCell {
    const known = KNOWN_METHODS.has(method) ? method : "other";
    let byRoute = this.#cells.get(known);
    if (byRoute === undefined) this.#cells.set(known, (byRoute = new Map()));
    let byStatus = byRoute.get(route);
    if (byStatus === undefined) byRoute.set(route, (byStatus = []));
    return (byStatus[status] ??= this.durations.cell(known, route, String(status)));
  }
}

/** `GET /metrics`, as OpenMetrics for who prefers it, else in Prometheus's own format. */
export function metricsRoutes(registry: Registry) {
  return new Hono().get("/metrics", async (c) => {
    const format = formatFor(c);
    const headers = { ...NO_STORE, "content-type": CONTENT_TYPES[format], vary: "Accept" };
    return c.body(await registry.text(format), 200, headers);
  });
}

/** Never a refusal: Prometheus asks for formats that we do not have, and takes what comes. */
function formatFor(c: Context): TextFormat {
  const open = "application/openmetrics-text";
  return accepts(c, {
    header: "Accept",
    supports: ["prometheus", "openmetrics"],
    default: "prometheus",
    match: (wanted) => {
      const qualityOf = (...types: string[]) =>
        types
          .map((type) => wanted.find((range) => range.type.toLowerCase() === type)?.q)
          .find((q) => q !== undefined) ?? 0;
      const openQ = qualityOf(open, "application/*", "*/*", "*");
      return openQ > qualityOf("text/plain", "text/*", "*/*", "*") ? "openmetrics" : "prometheus";
    },
  }) as TextFormat;
}
