/**
 * What keepers of cursors tell about the groups of requests that they take together: once for each group, so that a move
 * costs next to nothing. Who listens counts; a keeper knows no metrics.
 * @module
 */
import type { CursorRequest, Outcome } from "./moves.ts";

/** Hears of groups. */
export interface GroupWatch {
  /** One was answered, or refused; an outcome for each request, in their order. */
  readonly answered: (requests: readonly CursorRequest[], outcomes: readonly Outcome[]) => void;
  /** One has waited so long for other processes to let go of the file, with success or not; 0 when nobody had it. */
  readonly locked: (waitMs: number) => void;
  /** The disk has taken so long for one sync. */
  readonly synced: (durationMs: number) => void;
}
