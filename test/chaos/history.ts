/**
 * What was done and what was seen, to be read when a promise was broken.
 *
 * Everything is kept; what is printed is what happened to the world, and what is known of those that a violation names.
 * @module
 */

/** Lines that are printed at most. */
const LINE_COUNT_MAX = 300;
const VIOLATION_COUNT_MAX = 20;

/** The history of one round. */
export class History {
  /** Of the round, and of no other. */
  readonly id: string;
  readonly #startMs = performance.now();
  readonly #lines: { readonly subject: string; readonly text: string }[] = [];
  readonly #sums: string[] = [];
  readonly #violations: string[] = [];
  readonly #broken = new Set<string>();

  constructor(id: string) {
    this.id = id;
  }

  /** Since it began, in milliseconds. */
  nowMs(): number {
    return performance.now() - this.#startMs;
  }

  /** Something happened to a part of the world: printed always. */
  world(text: string): void {
    this.note("", text);
  }

  /** How it went, when nothing was broken: printed in a long run. */
  sum(text: string): void {
    this.#sums.push(text);
    this.world(text);
  }

  summary(): string {
    return this.#sums.join("\n");
  }

  /** Something is known of a task or of a client: printed when a violation names it. */
  note(subject: string, text: string): void {
    const at = (this.nowMs() / 1000).toFixed(3).padStart(8);
    this.#lines.push({ subject, text: `${at} s  ${subject === "" ? "" : `${subject}: `}${text}` });
  }

  /** A promise was broken. */
  violation(subject: string, text: string): void {
    this.#violations.push(subject === "" ? text : `${subject}: ${text}`);
    this.#broken.add(subject);
    this.note(subject, `VIOLATION: ${text}`);
  }

  get violations(): readonly string[] {
    return this.#violations;
  }

  /** What was broken, and the lines that led to it. */
  text(): string {
    const told = this.#lines.filter(({ subject }) => subject === "" || this.#broken.has(subject));
    const left = told.length - LINE_COUNT_MAX;
    return [
      ...(left > 0 ? [`(${left} earlier lines)`] : []),
      ...told.slice(-LINE_COUNT_MAX).map(({ text }) => text),
      `${this.#violations.length} promises were broken:`,
      ...this.#violations.slice(0, VIOLATION_COUNT_MAX),
    ].join("\n");
  }
}
