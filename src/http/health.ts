/**
 * `/livez` and `/readyz`, for those who start and stop servers and executors: is it alive, can it take work.
 *
 * A part that does not answer within 1.5 s does not work: a disk or a Redis that hangs would keep who asks waiting, and
 * who asks often gives up after a second itself (Kubernetes does), and then knows less than a 503 with the `part` tells.
 * @module
 */
import { Hono } from "hono";
import { FibError, isFault, toldOf } from "../errors.ts";
import { LATE, promptly } from "../promptly.ts";
import { NO_STORE } from "./browser.ts";
import { problem } from "./problem.ts";

/** Looks at a part; throws a {@link FibError} when that does not work. */
type Check = () => Promise<void>;

/** What is asked, and who hears of it. */
export interface HealthServices {
  readonly who: "server" | "executor";
  /** What has to work for that, by name. */
  readonly parts: Readonly<Record<string, Check>>;
  /** Aborted when a stop has begun: finish what is running, send nothing new. */
  readonly stopSignal: AbortSignal;
  /** Told of an error whose message clients do not see. */
  readonly onFault: (error: FibError, requestId?: string) => void;
}

/** The two routes. */
export function healthRoutes({ who, parts, stopSignal, onFault }: HealthServices) {
  const takes = who === "server" ? "requests" : "tasks";
  const problemsOfAll = asksAll(parts);
  return new Hono()
    .get("/livez", (c) => c.text("ok\n", 200, NO_STORE))
    .get("/readyz", async (c) => {
      if (stopSignal.aborted)
        throw new FibError("overloaded", `Cannot take ${takes}: the ${who} is stopping`);
      const [first] = await problemsOfAll();
      if (first === undefined) return c.text("ok\n", 200, NO_STORE);
      const { part, error } = first;
      if (isFault(error)) onFault(error);
      // That is said of the whole, such as that it is starting.
      const isWhole = error.code === "overloaded" && error !== LATE;
      const detail = isWhole
        ? error.message
        : `Cannot take ${takes}, for want of the ${part}: ${toldOf(error)}`;
      return problem(new FibError(error.code, detail), c, {}, { detail, part });
    });
}

/** A part that has to work, and does not. */
interface Failing {
  readonly part: string;
  readonly error: FibError;
}

/** What asks all parts at once, and is told of those that do not work, or do not say so in time; in their order. */
export function asksAll(parts: HealthServices["parts"]): () => Promise<Failing[]> {
  const checks = Object.entries(parts).map(([part, check]) => [part, promptly(check)] as const);
  return async () => {
    const problems = checks.map(([part, check]) =>
      check().then(
        () => [],
        (error: unknown) => {
          if (!(error instanceof FibError)) throw error;
          return [{ part, error }];
        },
      ),
    );
    return (await Promise.all(problems)).flat();
  };
}
