/**
 * Whether there are traces: the environment says so, by the standard's variables.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Tracer } from "../tracing.ts";

/** What makes spans, if anybody wants them. */
export interface Traces {
  readonly tracer: Tracer | undefined;
  /** Sends what is left, for a second at most. */
  readonly close: () => Promise<void>;
}

const ENDPOINTS = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/** As the variable names what the exporter speaks. */
const PROTOCOL = "http/json";

/**
 * Loads OpenTelemetry's packages where a collector is named.
 *
 * @throws {@link FibError} `bad_argument`, when that is no URL: the packages would send to localhost instead.
 */
export async function openTraces(env: NodeJS.ProcessEnv, log: Logger): Promise<Traces> {
  const isOff = env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || env["OTEL_TRACES_EXPORTER"] === "none";
  if (isOff || !ENDPOINTS.some((name) => env[name])) return { tracer: undefined, close: async () => {} };
  for (const name of ENDPOINTS) checkUrl(name, env[name]);
  const protocol = env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] || env["OTEL_EXPORTER_OTLP_PROTOCOL"];
  if (protocol !== undefined && protocol !== "" && protocol !== PROTOCOL)
    log.warn("A setting of traces: {protocol} is not spoken, they are sent as {ours}", {
      protocol,
      ours: PROTOCOL,
    });
  return (await import("./traces.ts")).createTraces(log);
}

/** Shows none of it: it may hold a password. */
function checkUrl(name: string, value: string | undefined): void {
  // The package adds its path to the text as it is.
  if (!value || (!/\s/.test(value) && /^https?:$/.test(URL.parse(value)?.protocol ?? ""))) return;
  throw new FibError("bad_argument", `${name} is no URL of a collector, such as http://127.0.0.1:4318`);
}
