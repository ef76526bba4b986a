/**
 * Instances of kernel/add.ts: their memory, and a short list of idle ones.
 *
 * The kernel is built twice, with WASM's vectors and without, for x64 processors without AVX, where JavaScriptCore
 * has none.
 *
 * To make an instance takes 0.3 ms, and leaves some 300 bytes behind when it is collected; to take one from
 * a list takes 0.1 µs. A WebAssembly memory never shrinks, so memories come in sizes that are powers of two,
 * and an instance goes back to the list when its sequence ends.
 *
 * An instance serves one sequence at a time. Its ring holds the last two records and a chunk, or four records
 * if that is more (kernel/add.ts says why four).
 * @module
 */
import { readFileSync } from "node:fs";
import scalarPath from "../../build/add-scalar.wasm" with { type: "file" };
import vectorPath from "../../build/add.wasm" with { type: "file" };
import { withinMemory } from "./memory.ts";
import { hasVectors } from "./vectors.ts";

/** What a chunk holds, about: small enough for the caches, large enough that a socket write is worth it. */
export const CHUNK_BYTES = 65_536;

/** Longest prefix, infix, suffix and index of a record: the kernel writes each with one store. */
const PIECE_BYTES_MAX = 16;

/** Longest text before the first record, and behind the last. */
const FRAME_BYTES_MAX = 64;

// As in kernel/add.ts.
const PREFIX = 1024;
const INFIX = 1040;
const SUFFIX = 1056;
const INDEX_END = 1088;
const TO_COPY = 64;
const RING = 1792;
const RECORD_EXTRA_BYTES = 96;

const PAGE_BYTES = 65_536;
const MEMORY_BYTES_MIN = 2 * PAGE_BYTES;

/** Idle instances are kept up to this size in all; those beyond are left to the garbage collector. */
const IDLE_BYTES_MAX = 64 * 1024 * 1024;

/** What {@link Adder.residueOf} is modulo: 10^16 - 1 (kernel/residue.ts says why). */
export const MODULUS = 10n ** 16n - 1n;

/** What {@link Adder.begin} needs to know of a sequence. The pieces are ASCII, and a digit is next to no value. */
export interface Records {
  readonly first: Uint8Array;
  readonly second: Uint8Array;
  /** What the first two values must be modulo {@link MODULUS}. */
  readonly residues: readonly [bigint, bigint];
  /** Digits of the longest value, the first two included. */
  readonly digitsMax: number;
  readonly count: number;
  /** Stands before the first record, once: at most {@link FRAME_BYTES_MAX}. */
  readonly head: string;
  readonly prefix: string;
  /** The index of the first record in decimal; the kernel counts on. Empty if records have no index. */
  readonly index: string;
  readonly infix: string;
  readonly suffix: string;
}

/** A test's hook: may damage an instance's memory, before a chunk is written and again when it stands there. */
export type ChunkFault = (memory: Uint8Array, chunk?: Uint8Array) => void;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  add(a: number, aLength: number, b: number, bLength: number, out: number): number;
  subtract(a: number, aLength: number, b: number, bLength: number, out: number): void;
  setLayout(prefix: number, index: number, infix: number, suffix: number): void;
  begin(
    end: number,
    first: number,
    second: number,
    head: number,
    records: number,
    chunk: number,
    firstResidue: bigint,
    secondResidue: bigint,
  ): void;
  fill(): number;
  start(): number;
  check(): number;
  residue(text: number, length: number): bigint;
}

let kernelModule: WebAssembly.Module | undefined;
const idle: Adder[] = [];

/** One instance of the kernel, with a ring for numbers of a limited length. */
export class Adder {
  readonly memoryBytes: number;
  readonly #kernel: Kernel;
  readonly #bytes: Uint8Array;
  #head = "";

  /** @param module - The kernel; another one for tests. */
  constructor(memoryBytes: number, module: WebAssembly.Module = (kernelModule ??= loadModule())) {
    const env = { abort: () => assert(false) };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- exports have no types
    this.#kernel = new WebAssembly.Instance(module, { env }).exports as unknown as Kernel;
    const { memory } = this.#kernel;
    withinMemory("these terms", () => memory.grow((memoryBytes - memory.buffer.byteLength) / PAGE_BYTES));
    this.memoryBytes = memoryBytes;
    this.#bytes = new Uint8Array(memory.buffer);
  }

  /** Starts a sequence: its first two values are given, the kernel adds on from there. */
  begin({ first, second, residues, digitsMax, count, head, prefix, index, infix, suffix }: Records): void {
    for (const copy of [0, TO_COPY]) {
      this.#writeAscii(prefix, PREFIX + copy, PIECE_BYTES_MAX);
      this.#writeAscii(infix, INFIX + copy, PIECE_BYTES_MAX);
      this.#writeAscii(suffix, SUFFIX + copy, PIECE_BYTES_MAX);
      this.#writeAscii(index, INDEX_END + copy - index.length, PIECE_BYTES_MAX);
    }
    const ringEnd = RING + ringBytes(digitsMax);
    assert(
      adderMemoryBytes(digitsMax) <= this.memoryBytes && Math.max(first.length, second.length) <= digitsMax,
    );
    this.#bytes.set(second, ringEnd - second.length);
    this.#bytes.set(first, ringEnd - second.length - first.length);
    this.#kernel.setLayout(prefix.length, index.length, infix.length, suffix.length);
    this.#kernel.begin(ringEnd, first.length, second.length, head.length, count, CHUNK_BYTES, ...residues);
    this.#head = head;
  }

  /**
   * Writes the next records and checks them, all of them and where they stand (kernel/add.ts).
   *
   * @returns The chunk, empty at the end, valid until the next call; undefined when something in it is wrong. Then this
   * instance is not to be used again.
   */
  fill(fault?: ChunkFault): Uint8Array | undefined {
    fault?.(this.#bytes);
    try {
      const end = this.#kernel.fill();
      const start = this.#kernel.start();
      fault?.(this.#bytes, this.#bytes.subarray(start, end));
      if (this.#kernel.check() === 0) return undefined;
      const chunkStart = start - this.#head.length;
      this.#writeAscii(this.#head, chunkStart, FRAME_BYTES_MAX);
      this.#head = "";
      return this.#bytes.subarray(chunkStart, end);
    } catch (error) {
      // A damaged pointer has led it out of its memory.
      if (error instanceof WebAssembly.RuntimeError) return undefined;
      throw error;
    }
  }

  /** The last chunk of {@link fill}, without its last `dropBytes` bytes and with `tail` behind it. */
  finish(chunk: Uint8Array, dropBytes: number, tail: string): Uint8Array {
    assert(chunk.buffer === this.#bytes.buffer);
    const end = chunk.byteOffset + chunk.length - dropBytes;
    this.#writeAscii(tail, end, FRAME_BYTES_MAX);
    return this.#bytes.subarray(chunk.byteOffset, end + tail.length);
  }

  /** a + b in decimal; a may be the shorter one, not the longer. */
  add(a: Uint8Array, b: Uint8Array): Uint8Array {
    const out = this.#place(a, b);
    const length = this.#kernel.add(RING, a.length, RING + a.length, b.length, out);
    return this.#bytes.slice(out, out + length);
  }

  /** b - a in decimal, without zeros in front. Needs a <= b. */
  subtract(a: Uint8Array, b: Uint8Array): Uint8Array {
    const out = this.#place(a, b);
    this.#kernel.subtract(RING, a.length, RING + a.length, b.length, out);
    let start = out;
    while (start < out + b.length - 1 && this.#bytes[start] === 0x30) start++;
    return this.#bytes.slice(start, out + b.length);
  }

  /** A decimal text modulo {@link MODULUS}; that itself, when a byte of it is no digit. */
  residueOf(text: Uint8Array): bigint {
    assert(adderMemoryBytes(text.length) <= this.memoryBytes);
    this.#bytes.set(text, RING);
    return this.#kernel.residue(RING, text.length);
  }

  #place(a: Uint8Array, b: Uint8Array): number {
    assert(a.length <= b.length && adderMemoryBytes(b.length) <= this.memoryBytes);
    this.#bytes.set(a, RING);
    this.#bytes.set(b, RING + a.length);
    return RING + a.length + b.length;
  }

  #writeAscii(text: string, address: number, lengthMax: number): void {
    assert(text.length <= lengthMax);
    for (let i = 0; i < text.length; i++) this.#bytes[address + i] = text.charCodeAt(i);
  }
}

const loadModule = (): WebAssembly.Module =>
  new WebAssembly.Module(readFileSync(hasVectors() ? vectorPath : scalarPath));

/**
 * An instance for numbers of up to `digitsMax` digits; give it back with {@link returnAdder}.
 *
 * @throws `FibError` `result_too_large`, when the memory cannot be had.
 */
export function takeAdder(digitsMax: number): Adder {
  let memoryBytes = MEMORY_BYTES_MIN;
  while (memoryBytes < adderMemoryBytes(digitsMax)) memoryBytes *= 2;
  const at = idle.findLastIndex((adder) => adder.memoryBytes === memoryBytes);
  return at === -1 ? new Adder(memoryBytes) : idle.splice(at, 1)[0]!;
}

/** Takes an instance back, and with it all views of its memory. */
export function returnAdder(adder: Adder): void {
  const idleBytes = idle.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  if (idleBytes + adder.memoryBytes <= IDLE_BYTES_MAX) idle.push(adder);
}

/** What {@link takeAdder} has to reserve, without rounding up to a size class. */
export const adderMemoryBytes = (digitsMax: number): number => RING + ringBytes(digitsMax) + FRAME_BYTES_MAX;

/** How many instances wait for their next sequence. */
export const idleAdders = (): number => idle.length;

function ringBytes(digitsMax: number): number {
  const recordBytes = digitsMax + RECORD_EXTRA_BYTES;
  return FRAME_BYTES_MAX + 2 * recordBytes + Math.max(CHUNK_BYTES, 2 * recordBytes);
}

function assert(condition: boolean): asserts condition {
  if (!condition) throw new Error("the adder's memory map is violated");
}
