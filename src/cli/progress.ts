/**
 * Progress on a terminal, for work that takes a while.
 * @module
 */
import type { SingleBar } from "cli-progress";

/** Work that is shorter than this shows nothing. */
const QUIET_MS = 500;

/**
 * Shows how far a computation is, on stderr if that is a terminal.
 *
 * @param what - Stands before the bar.
 * @returns What to call with the part that is done, and once more when all is done.
 */
export async function openProgress(
  what: string,
): Promise<{ update: (fraction: number) => void; end: () => void }> {
  if (!process.stderr.isTTY) return { update: () => {}, end: () => {} };
  const { SingleBar, Presets } = await import("cli-progress");
  const startMs = performance.now();
  let bar: SingleBar | undefined;
  return {
    update: (fraction) => {
      if (performance.now() - startMs < QUIET_MS) return;
      if (bar === undefined) {
        const format = `${what} [{bar}] {percentage}%`;
        // The thread computes and never waits: the bar's own timer would not draw.
        bar = new SingleBar(
          { format, stream: process.stderr, clearOnComplete: true, synchronousUpdate: true, fps: 100 },
          Presets.legacy,
        );
        bar.start(100, 0);
      }
      bar.update(Math.floor(fraction * 100));
    },
    end: () => bar?.stop(),
  };
}
