/**
 * What is done when a signal aborts. A signal has one listener, however many calls it ends: Node warns of more as of a
 * leak. Not by `AbortSignal.any`, which Safari has since 17.4 only.
 * @module
 */

const actionsOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Has something done when a signal aborts; at once, if it has.
 *
 * @returns What takes that back.
 */
export function onAbort(signal: AbortSignal | undefined, act: () => void): () => void {
  if (signal?.aborted === true) act();
  if (signal === undefined || signal.aborted) return () => {};
  const actions = actionsOf.get(signal) ?? new Set();
  if (!actionsOf.has(signal)) {
    actionsOf.set(signal, actions);
    signal.addEventListener("abort", () => actions.forEach((each) => each()), { once: true });
  }
  actions.add(act);
  return () => actions.delete(act);
}

/** The reason by which a call of ours ends what nobody wants any more. */
export function unwanted(): DOMException {
  return new DOMException("The rest is not wanted", "AbortError");
}
