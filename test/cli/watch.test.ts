/** A watch at the shell, within this process: what passes by itself does not end it. */
import { expect, spyOn, test } from "bun:test";
import path from "node:path";
import { resolvePlace } from "../../src/cli/cursor-place.ts";
import { openCursor } from "../../src/cli/shell-cursor.ts";
import { openFile, temporaryFolder } from "../temporary.ts";

test("a watch outlasts a lock that another process holds, and looks no more when it has ended", async () => {
  const file = path.join(temporaryFolder(), "cursor");
  const place = resolvePlace("fibserver cursor watch", { file, "lock-timeout": "0.02" });
  const cursor = await openCursor(place, false, false);
  using begun = spyOn(globalThis, "setInterval");
  using ended = spyOn(globalThis, "clearInterval");
  const positions = cursor.watch(new AbortController().signal)[Symbol.asyncIterator]();
  expect((await positions.next()).value).toEqual({ index: 0, value: "0" });
  const other = await openFile(file);
  expect(other.tryLock()).toBe(true);
  for (const [tick] of begun.mock.calls as unknown as [() => void][]) tick();
  const refused = await cursor.current().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "cursor_locked" });
  other.close();
  await cursor.next();
  expect((await positions.next()).value).toEqual({ index: 1, value: "1" });
  await positions.return?.();
  await cursor.close();
  const stopped = ended.mock.calls.map(([timer]) => timer as unknown);
  for (const { value } of begun.mock.results) expect(stopped).toContain(value);
});
