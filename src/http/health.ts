/**
 * `/livez` and `/readyz`, for those who start and stop servers and executors: is it alive, can it take work.
 * @module
 */
import { Hono } from "hono";
import { FibError, isFault, toldOf } from "../errors.ts";
import { NO_STORE } from "./browser.ts";
import { problem } from "./problem.ts";

/** What is asked, and who hears of it. */
export interface HealthServices {
  readonly who: "server" | "executor";
  /** What has to work for that, by name; each throws a {@link FibError} when it does not. */
  readonly parts: Readonly<Record<string, () => Promise<void>>>;
  /** Aborted when a stop has begun: finish what is running, send nothing new. */
  readonly stopSignal: AbortSignal;
  /** Told of an error whose message clients do not see. */
  readonly onFault: (error: FibError) => void;
}

/** The two routes. */
export function healthRoutes({ who, parts, stopSignal, onFault }: HealthServices) {
  const takes = who === "server" ? "requests" : "tasks";
  return new Hono()
    .get("/livez", (c) => c.text("ok\n", 200, NO_STORE))
    .get("/readyz", async (c) => {
      if (stopSignal.aborted)
        throw new FibError("overloaded", `Cannot take ${takes}: the ${who} is stopping`);
      for (const [part, check] of Object.entries(parts)) {
        try {
          await check();
        } catch (error) {
          if (!(error instanceof FibError)) throw error;
          if (isFault(error)) onFault(error);
          // That is said of the whole, such as that it is starting.
          const isWhole = error.code === "overloaded";
          const detail = isWhole
            ? error.message
            : `Cannot take ${takes}, for want of the ${part}: ${toldOf(error)}`;
          return problem(new FibError(error.code, detail), c.req.path, {}, { detail, part });
        }
      }
      return c.text("ok\n", 200, NO_STORE);
    });
}
