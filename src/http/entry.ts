/**
 * The way in: what each request passes before its handler, and its answer behind it, in one order.
 *
 * A name for the request, the Host, what a page of another origin may, the token, the handler; then whoever watches is
 * told. Each part is there only where somebody asked for it. It is around the app and around each hot handler, and no
 * middleware: one that only sets a header costs 10% of all requests a second.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Grant } from "../grant.ts";
import type { Tracer } from "../tracing.ts";
import {
  type Asked,
  type Finish,
  type Handler,
  type HotHandler,
  isWhole,
  type PortEnvironment,
  type RequestFacts,
} from "./asker.ts";
import { problem } from "./problem.ts";
import { beginRequestSpan } from "./request-span.ts";

/** Where a request leads. */
export interface Place {
  /** The pattern that it matches, such as `/v1/cursors/:name`; "none" for no route. */
  readonly route: string;
  /** Within the server, see base-path.ts. */
  readonly path: string;
}

/** Who may: the tokens of a server that has some. */
export interface TokenCheck {
  /**
   * What the token of a request allows.
   *
   * @returns The grant; undefined for what everybody may; else why it is refused, with the headers of the answer.
   */
  check(request: Request, place: Place): Grant | Refusal | undefined;
}

/** An answer in the place of the handler's. */
export interface Refusal {
  readonly error: FibError;
  readonly headers: Readonly<Record<string, string>>;
}

/** Pages of other origins that may ask (`--allow-origin`). */
export interface Origins {
  /** The answer to a preflight, or why there is none; undefined for any other request. */
  preflight(request: Request): Response | FibError | undefined;
  /** Whether a request comes from a page that may what a program may. */
  allows(request: Request): boolean;
  /** Lets the page read an answer, if it may. */
  open(request: Request, response: Response): void;
}

/** As nginx has it: the client has left, and what would be told to it is no failure of the server. */
const LEFT = 499;

/** One request, as those see it who watch. */
export interface Seen {
  readonly request: Request;
  readonly method: string;
  /** The pattern that it matched, such as `/v1/cursors/:name`; "none" for no route. */
  readonly route: string;
  readonly requestId: string | undefined;
  /** Since when, by `performance.now()`. */
  readonly startMs: number;
  /** What its token allows, once that was looked at. */
  grant: Grant | undefined;
  /** That of its answer, once there is one; {@link LEFT} when nobody waits for a refusal any more. */
  status: number;
  /** Whose it is, see {@link PortEnvironment}. */
  readonly holderOf: PortEnvironment["holderOf"];
}

/** Told of each request: metrics, log. It keeps nothing of one itself: all that it is told of is in what is seen. */
export interface RequestWatch {
  /** One has come. */
  begin?(seen: Seen): void;
  /**
   * It has its answer, the body of which may still be under way.
   *
   * @param sizeBytes - Of the body, where that is known.
   */
  end(seen: Seen, response: Response, durationMs: number, sizeBytes?: number): void;
}

/** What stands on the way. */
export interface EntryParts {
  /** Names a request: by what it says itself, or anew. A hot one may stay without. */
  readonly nameRequest?: ((request: Request, isHot: boolean) => string | undefined) | undefined;
  readonly refuseHost: (request: Request) => FibError | undefined;
  readonly origins?: Origins | undefined;
  readonly tokens?: TokenCheck | undefined;
  readonly watches?: readonly RequestWatch[] | undefined;
  /** Told of what is thrown on the way in, which has an answer all the same. */
  readonly onBug?: ((error: unknown, requestId?: string) => void) | undefined;
  /** Each request begins a span. */
  readonly tracer?: Tracer | undefined;
}

/**
 * Puts the way in before a handler, which finishes its answers itself; {@link finishing} makes one of any other.
 */
export function entry(
  answer: HotHandler,
  placeOf: (request: Request) => Place,
  { nameRequest, refuseHost, origins, tokens, watches = [], tracer, onBug }: EntryParts,
  port: PortEnvironment,
  isHot = false,
): (request: Request) => Response | Promise<Response> {
  return (request) => {
    const requestId = nameRequest?.(request, isHot);
    const place = placeOf(request);
    const { route } = place;
    const startMs = performance.now();
    // To ask a request takes 25 ns, and only a GET is hot.
    const method = isHot ? "GET" : request.method;
    const seen: Seen = {
      request,
      method,
      route,
      requestId,
      startMs,
      grant: undefined,
      status: 0,
      holderOf: port.holderOf,
    };
    for (const watch of watches) watch.begin?.(seen);
    const span = tracer && beginRequestSpan(tracer, request, route, requestId);
    // A function for each request: an object with this as its method, tried, saves 0.04 µs of a move's 12.
    const finish: Finish = (response, sizeBytes) => {
      if (requestId !== undefined) response.headers.set("x-request-id", requestId);
      if (seen.grant !== undefined) keepPrivate(response);
      origins?.open(request, response);
      const { status } = response;
      seen.status = status >= 400 && request.signal.aborted ? LEFT : status;
      const durationMs = endMsAfter(startMs) - startMs;
      for (const watch of watches) watch.end(seen, response, durationMs, sizeBytes);
      span?.end(seen.status);
      return response;
    };
    try {
      const wrongHost = refuseHost(request);
      if (wrongHost) return finish(problem(wrongHost, asked(request, requestId)));
      // Such as of CONNECT; a hot path is the path of an address.
      if (!isHot && !isWhole(request.url)) return finish(problem(NO_ADDRESS, asked(request, requestId)));
      const preflight = origins?.preflight(request);
      if (preflight instanceof FibError) return finish(problem(preflight, asked(request, requestId)));
      if (preflight) return finish(preflight);
      const grant = tokens?.check(request, place);
      if (grant && "error" in grant)
        return finish(problem(grant.error, asked(request, requestId), grant.headers));
      seen.grant = grant;
      const isAllowedPage = origins?.allows(request) ?? false;
      return answer(request, { ...port, requestId, grant, span: span?.span, isAllowedPage }, finish);
    } catch (error) {
      // Else Bun would answer, with a page of its own, and nobody would have counted it.
      onBug?.(error, requestId);
      return finish(problem(error, asked(request, requestId)));
    }
  };
}

/** Of what a token was needed for nobody keeps a copy but who has sent one: else a cache would give it to others. */
function keepPrivate({ headers }: Response): void {
  const kept = headers.get("cache-control");
  if (kept?.startsWith("public") !== true) return;
  headers.set("cache-control", kept.replace("public", "private"));
  headers.append("vary", "Authorization");
}

const NO_ADDRESS = new FibError("bad_argument", "Cannot answer: a request asks for a path");

/** A handler whose answers are finished when they are there. */
export function finishing(answer: Handler): HotHandler {
  return (request, environment, finish) => {
    const response = answer(request, environment);
    return response instanceof Promise ? response.then((late) => finish(late)) : finish(response);
  };
}

let lastEndMs: number | undefined;

/** The time, read once for all that are answered before the next microtask, as a group of moves is. */
function endMsAfter(startMs: number): number {
  if (lastEndMs === undefined || lastEndMs < startMs) {
    lastEndMs = performance.now();
    queueMicrotask(() => (lastEndMs = undefined));
  }
  return lastEndMs;
}

function asked(raw: Request, requestId: string | undefined): Asked {
  const facts: Partial<RequestFacts> = requestId === undefined ? {} : { requestId };
  return { env: facts, req: { raw } };
}
