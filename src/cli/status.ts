/**
 * `fibserver status`: how a server is, once, again and again, or as an exit status.
 * @module
 */
import { defineCommand } from "citty";
import { FibClient, FibClientError, type ServerStatus } from "../client/client.ts";
import { resolveServerUrl } from "../config/config.ts";
import { FibError } from "../errors.ts";
import { jsonLine } from "../shell-word.ts";
import { CLIENT_FLAGS } from "./flags.ts";
import { pageOf } from "./help.ts";
import { usageError } from "./hints.ts";
import { isReaderGone, print } from "./output.ts";
import { asking, noticeOf, openClient, shownOf } from "./remote.ts";
import { statusLine, statusScreen, unknownLine, unknownScreen } from "./status-screen.ts";

/** How often it is looked at; a server takes 0.1 ms for it. */
const INTERVAL_MS = 2000;
/** Whoever looks on sees at once that nobody answers, and that it is asked again. */
const LOOKING = { retriesMax: 0, timeoutMs: 5000 };
/** What asks for an exit status has a limit of its own, often a few seconds. */
const QUIET_MS = 2000;

export const status = defineCommand({
  meta: {
    name: "status",
    description: "Show how a server is, what it does, who may use it",
    examples: [
      "fibserver status",
      "fibserver status --watch --server https://fib.example.org",
      "fibserver status --quiet  # for health checks: ends with 0 or 1",
    ],
    notes:
      "--quiet asks /readyz within two seconds, which needs no token, also that of a worker with --metrics: 0 when it can take requests, else 1. Without it 69 when nobody answers, 77 for a server that wants a token, in FIBSERVER_TOKEN.",
  },
  args: {
    watch: { type: "boolean", alias: "w", description: "Show it again every two seconds, until ^C" },
    json: { type: "boolean", description: "Print JSON; with --watch an object a line" },
    quiet: { type: "boolean", alias: "q", description: "Print nothing, and end with 0 or 1" },
    ...CLIENT_FLAGS,
  },
  async run({ args }) {
    const url = resolveServerUrl(args.server, process.env);
    const { watch = false, json = false } = args;
    if (args.quiet) {
      if (watch || json)
        throw usageError("fibserver status", "--quiet prints nothing", "fibserver status --quiet");
      // No error of another kind: 1 is what health checks know.
      if (!(await isReady(url))) process.exitCode = 1;
      return;
    }
    const client = openClient(url, noticeOf(json));
    const ask = (options = {}) => askFor(url, () => client.status(options));
    // Whoever watches waits for a server that is started again, but not for one that was never there.
    const first = await ask();
    if (watch) await keepShowing(first, () => ask(LOOKING), shownOf(url), json);
    else if (json) print(`${jsonLine(first)}\n`);
    else print(`${statusScreen(first, shownOf(url), pageOf(process.stdout, process.env)).join("\n")}\n`);
  },
});

async function isReady(url: URL): Promise<boolean> {
  try {
    return await new FibClient(url).isReady({ signal: AbortSignal.timeout(QUIET_MS) });
  } catch (error) {
    if (error instanceof FibClientError || (error as Error).name === "TimeoutError") return false;
    throw error;
  }
}

async function askFor(url: URL, work: () => Promise<ServerStatus>): Promise<ServerStatus> {
  try {
    return await asking(url, work);
  } catch (error) {
    if (!(error instanceof FibError) || error.code !== "not_found") throw error;
    // It says itself where it is.
    if (error.message.includes("--base-path")) throw error;
    const instead = "a worker is asked with --quiet, and an older server, too";
    throw new FibError("not_found", `There is no /v1/status at ${shownOf(url)}: ${instead}`, {
      cause: error,
    });
  }
}

/** Shows it until a signal ends the process, or the reader of a pipe has seen enough. */
async function keepShowing(
  first: ServerStatus,
  ask: () => Promise<ServerStatus>,
  at: string,
  json: boolean,
): Promise<void> {
  const show = canRedraw() && !json ? openScreen(at) : (shown: Shown) => print(`${lineOf(shown, json)}\n`);
  try {
    for (let shown: Shown = first; ; shown = await ask().catch(asShown)) {
      show(shown);
      await Bun.sleep(INTERVAL_MS);
    }
  } catch (error) {
    if (!(error instanceof FibError && isReaderGone(error))) throw error;
  }
}

/** What is shown: how a server is, or why that is not known. */
type Shown = ServerStatus | FibError;

function asShown(error: unknown): FibError {
  if (error instanceof FibError) return error;
  throw error;
}

function canRedraw(): boolean {
  return process.stdout.isTTY && process.env["TERM"] !== "dumb";
}

function lineOf(shown: Shown, json: boolean): string {
  const time = new Date().toISOString();
  if (!(shown instanceof FibError))
    return json ? jsonLine({ time, ...shown }) : `${time} ${statusLine(shown)}`;
  const { code, message: detail } = shown;
  return json ? jsonLine({ time, ready: false, code, detail }) : `${time} ${unknownLine(shown)}`;
}

/**
 * Draws over what it has drawn, from the top of the terminal. Nothing is switched, neither screen nor cursor, so that
 * whatever ends the process leaves the terminal in order: the last screen, and the prompt below it.
 *
 * @returns Draws what it is told.
 */
function openScreen(at: string): (shown: Shown) => void {
  let last: Shown | undefined;
  let seenMs = performance.now();
  const draw = () => {
    if (last === undefined) return;
    const columns = process.stdout.columns || 80;
    const page = { ...pageOf(process.stdout, process.env), columns, cutAt: columns };
    const lines =
      last instanceof FibError
        ? unknownScreen(last, at, (performance.now() - seenMs) / 1000, page)
        : statusScreen(last, at, page);
    // The last row is for the cursor: a line there would scroll all others away.
    const room = (process.stdout.rows || lines.length + 1) - 1;
    print(
      `\u001B[H${lines
        .slice(0, room)
        .map((line) => `${line}\u001B[K\n`)
        .join("")}\u001B[J`,
    );
  };
  process.stdout.on("resize", draw);
  // What the terminal has shown before goes up, where it can be scrolled to.
  print("\n".repeat((process.stdout.rows || 1) - 1));
  return (shown) => {
    last = shown;
    if (!(shown instanceof FibError)) seenMs = performance.now();
    draw();
  };
}
