/**
 * The promises of cursors, for each that keeps them: contract.ts has the suite.
 */
import { onTestFinished, setDefaultTimeout, test } from "bun:test";
import path from "node:path";
import { Cursor } from "../../src/cursor/cursor.ts";
import { EmbeddedCursors } from "../../src/cursor/embedded.ts";
import { Cursors } from "../../src/cursor/named.ts";
import { startStore } from "../../src/cursor/store-thread.ts";
import { CursorStore } from "../../src/cursor/store.ts";
import { runOnThreads } from "../../src/cursor/threads.ts";
import { DEFAULT_NAME } from "../../src/cursor-name.ts";
import { type Calls, callsOf } from "../../src/thread.ts";
import { startRedis, withRedis } from "../redis.ts";
import { temporaryFolder } from "../temporary.ts";
import { keepsCursors, LIMITS, type Store } from "./contract.ts";
import { openFront } from "./redis-front.ts";

setDefaultTimeout(300_000);

/** Nothing is to be told. */
const notice = (message: string) => {
  throw new Error(message);
};

const files = (start: () => Calls<CursorStore>) => async (): Promise<Store> => {
  const file = path.join(temporaryFolder(), "cursor");
  return {
    async open(limits) {
      const { indexMax, ...rest } = { ...LIMITS, ...limits };
      const lockTimeoutMs = 20_000;
      const named = new EmbeddedCursors({
        path: `${file}.cursors`,
        limits: { indexMax, ...rest },
        lockTimeoutMs,
        start,
        notice,
        onFailure: ({ message }) => notice(message),
      });
      const own = await Cursor.open({ path: file, indexMax, lockTimeoutMs, run: runOnThreads, notice });
      onTestFinished(async () => {
        await named.close();
        await own.close();
      });
      return new Cursors(own, named);
    },
  };
};

keepsCursors("files, with a thread", test, files(startStore));
keepsCursors(
  "files, without a thread",
  test,
  files(() => callsOf(new CursorStore())),
);

keepsCursors("Redis", withRedis, async () => {
  const server = await startRedis(["--appendonly", "no"]);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return {
    async open(limits = {}) {
      const { cursors } = await openFront(server.url, { ...LIMITS, ...limits });
      return new Cursors(cursors.at(DEFAULT_NAME), cursors);
    },
  };
});
