/**
 * The part Server: what it does now, over the last minutes, whether it is well, and who can use it. It asks `/v1/status`
 * every two seconds while it can be seen; what it has seen is kept as long as the page is open, up to ten minutes.
 * @module
 */
import { FibClientError, type ServerStatus } from "@fibserver/client";
import { useState } from "hono/jsx/dom";
import { Chart } from "../chart.tsx";
import { longTime } from "../measures.ts";
import { isForbidden, type Server, token } from "../server.ts";
import { FORBIDDEN_PAUSE_MS, usePolling } from "../visible.ts";
import { type Figure, figuresOf } from "./figures.ts";

const PAUSE_MS = 2000;
const SAMPLES_MAX = 300;
const SPAN_MS_MIN = 60_000;
/** Three polls: less is a slow answer. */
const GAP_MS = 3 * PAUSE_MS;

/** How it was, and when; undefined when it did not say. */
interface Sample {
  readonly atMs: number;
  readonly status: ServerStatus | undefined;
}

/** The part. */
export function ServerPart({ server }: { readonly server: Server }) {
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const [isRefused, setRefused] = useState(false);
  usePolling(
    async (signal) => {
      let refusal: unknown;
      const asked = server.client.status({ signal, retriesMax: 0 });
      const status = await asked.catch((error: unknown) => void (refusal = error));
      if (signal.aborted) return 0;
      if (refusal !== undefined && !(refusal instanceof FibClientError)) throw refusal;
      setRefused(isForbidden(refusal));
      setSamples((before) => [...before.slice(1 - SAMPLES_MAX), { atMs: performance.now(), status }]);
      return isForbidden(refusal) ? FORBIDDEN_PAUSE_MS : PAUSE_MS;
    },
    [server],
  );
  const known = samples.findLast(({ status }) => status !== undefined)?.status;
  return (
    <>
      <div class="head">
        <h2>Server</h2>
        <p>{isRefused ? "This token does not show how the server is." : known && describe(known)}</p>
      </div>
      {known && <Problems status={known} />}
      {isRefused ? null : (
        <dl class="figures">
          {figuresOf(known).map((figure) => (
            <Shown figure={figure} samples={samples} key={figure.name} />
          ))}
        </dl>
      )}
      <p class="links">
        <a href="docs">API</a>
        <a href="openapi.json">OpenAPI</a>
        {token.get() === undefined && <a href="metrics">Metrics</a>}
      </p>
    </>
  );
}

/** A figure as it is now, and as it was. */
function Shown({ figure, samples }: { readonly figure: Figure; readonly samples: readonly Sample[] }) {
  const { name, value: read, p99: readMost, write } = figure;
  const points = samples.map(({ atMs, status }) => ({ atMs, value: (status && read(status)) ?? undefined }));
  const status = samples.at(-1)?.status;
  const [now, most] = [points.at(-1)?.value, status && readMost?.(status)];
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{now === undefined ? "–" : write(now)}</b>
        {typeof most === "number" && <span class="note">99&nbsp;% within {write(most)}</span>}
        <Chart points={points} title={name} write={write} gapMs={GAP_MS} spanMsMin={SPAN_MS_MIN} />
      </dd>
    </div>
  );
}

const PARTS: Readonly<Record<string, string>> = {
  cursor: "The cursor cannot be moved",
  cursors: "Cursors with names cannot be used",
  tasks: "Tasks cannot be used",
};

/** What is not well. */
function Problems({ status: { ready, problems } }: { readonly status: ServerStatus }) {
  return (
    <div role="status">
      {!ready && problems.length === 0 && (
        <p class="notice">
          <strong>The server is about to end</strong>
        </p>
      )}
      {problems.map(({ part, code, detail }) => (
        <p class="notice" key={part}>
          <strong>{PARTS[part] ?? part}</strong>{" "}
          <span>
            {detail} ({code})
          </span>
        </p>
      ))}
    </div>
  );
}

/** Which it is, since when, where it keeps what it keeps, and for whom. */
function describe({ version, uptimeSeconds, storage, access }: ServerStatus): string {
  const kept = storage === "redis" ? "kept in Redis" : "kept in files";
  const whom = access.from === "machine" ? "open to this machine" : "open to the network";
  const how = [access.tls && "by TLS", access.tokens ? "with a token" : "without a token"];
  const parts = [
    `Version ${version}`,
    `up for ${longTime(uptimeSeconds)}`,
    kept,
    [whom, ...how].filter(Boolean).join(" "),
  ];
  return `${parts.join(", ")}.`;
}
