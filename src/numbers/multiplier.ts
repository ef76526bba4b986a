/**
 * The multiplier on this thread: loads the WASM, owns its memory map.
 *
 * One instance for each thread, made at the first use and kept while its results are trusted: a new
 * WebAssembly.Memory for each request leaks a little, and a warm instance has its
 * roots of unity and its optimized code. Compiling is synchronous, 1 ms, so that
 * F(n) can be a plain function. Memory only grows; a thread that computed a giant
 * ends afterwards (pool.ts) and so gives it back. The kernel is text in the program: node:fs takes 1 ms to load.
 *
 * Where there are no vectors (vectors.ts), long numbers are left to big integers (trust.ts). Rejected: a multiplier
 * without them, for CPUs that are hardly there any more.
 *
 * Memory map, in bytes from 0; each part is aligned to 128 bytes:
 *
 *        1,024  texts "0000" to "9999", 40,000 bytes
 *       49,152  roots of unity (kernel/roots.ts)
 *         then  what the computation asks for ({@link reserve}): registers X and Y, spare room
 * @module
 */
import wasm from "../../build/multiply.base64" with { type: "text" };
import { noticeOnce } from "../notices.ts";
import { megabytes, Shortage } from "./memory.ts";
import { hasVectors } from "./vectors.ts";

/** What kernel/multiply.ts exports. Addresses are bytes; lengths count limbs or coefficients. */
interface Multiplier {
  readonly memory: WebAssembly.Memory;
  readonly setDigits: (address: number) => void;
  readonly setRoots: (address: number) => void;
  readonly fillRoots: (
    depth: number,
    coarse: number,
    coarseToIm: number,
    lows: number,
    fine: number,
    highs: number,
  ) => void;
  readonly loadRing: (ring: number, size: number, limbs: number, length: number) => void;
  readonly loadRingInPlace: (ring: number, size: number, length: number) => void;
  readonly multiplyBlock: (
    re: number,
    im: number,
    toY: number,
    n: number,
    depth: number,
    block: number,
    squareY: boolean,
    rootOfScale: number,
  ) => void;
  readonly combineTwo: (register: number, a: number, b: number) => void;
  readonly combineThree: (register: number, a: number) => void;
  readonly carry: (
    coefficients: number,
    count: number,
    limbs: number,
    base: number,
    factor: number,
  ) => number;
  readonly takeRoundingError: () => number;
  readonly trim: (limbs: number, length: number) => number;
  readonly pad: (limbs: number, length: number, count: number) => void;
  readonly stepPair: (f: number, l: number, length: number, base: number) => void;
  readonly stepOne: (a: number, b: number, length: number, base: number, factor: number) => void;
  readonly addMultiples: (
    a: number,
    p: number,
    b: number,
    q: number,
    digits: number,
    out: number,
    length: number,
    base: number,
  ) => number;
  readonly writeText: (limbs: number, length: number, text: number, width: number) => number;
  readonly readText: (text: number, length: number, limbs: number, width: number) => number;
  readonly textResidue: (text: number, length: number, prime: bigint) => bigint;
  readonly factorialResidue: (n: bigint, prime: bigint) => bigint;
  readonly isPrime: (candidate: number) => number;
  readonly powerModulo: (base: number, exponent: number, modulus: number) => number;
}

const DIGITS_ADDRESS = 1024;
const ROOTS_ADDRESS = 49_152;
const PAGE_BYTES = 65_536;
const MEMORY_MAX_BYTES = 65_536 * PAGE_BYTES;

let instance: Multiplier | undefined;
let depthsFilled = 0;

const NO_MULTIPLIER =
  "This CPU has no AVX, or its virtual machine hides it: long numbers are computed by big integers, which takes " +
  "10 to 30 times as long";

/** Up to which sizes big integers are quicker. */
export interface Crossover {
  /** In a fresh process, which would have to load the multiplier and to warm it up. */
  readonly fresh: number;
  /** Where it is loaded. */
  readonly warm: number;
}

/** Whether a result is left to big integers because it is short. */
export const isShort = (size: number, { fresh, warm }: Crossover): boolean =>
  size < (instance === undefined ? fresh : warm);

/** Loads it if this machine can run it, and says so if not: once, at the start of a server or before a long number. */
export function loadMultiplier(): boolean {
  if (!hasVectors()) noticeOnce(NO_MULTIPLIER);
  else multiplier();
  return hasVectors();
}

/** Bytes of WASM memory that this thread holds. */
export const multiplierMemoryBytes = (): number => instance?.memory.buffer.byteLength ?? 0;

/** This thread's multiplier, loaded at the first call; only where it {@link hasVectors}. */
export function multiplier(): Multiplier {
  if (instance === undefined) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.fromBase64(wasm)), {
      env: {
        abort: () => {
          throw new Error("the multiplier aborted");
        },
      },
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- WASM exports carry no types
    instance = exports as unknown as Multiplier;
    // No more, though F(10^6) takes 2 MB at once: a server that holds 2 MB more lets its heap grow by 20.
    growTo(instance, 2 * PAGE_BYTES);
    instance.setDigits(DIGITS_ADDRESS);
    instance.setRoots(ROOTS_ADDRESS);
    warmUp(instance);
    const turns = new Float64Array(instance.memory.buffer, ROOTS_ADDRESS, 8);
    for (const [i, eighths] of [0, 2, 1, 3].entries()) {
      turns[i] = Math.cos((Math.PI / 8) * eighths);
      turns[4 + i] = Math.sin((Math.PI / 8) * eighths);
    }
  }
  return instance;
}

/**
 * Forgets this thread's multiplier: the next call of {@link multiplier} loads another one, with tables and code of its own.
 * A bit that has flipped in the tables would spoil every result from then on. Views of the old memory stay as they
 * are; the memory itself is left to the garbage collector.
 */
export function restartMultiplier(): void {
  instance = undefined;
  depthsFilled = 0;
}

/**
 * Runs functions long enough to have them compiled in the background while a fresh process does other things: both
 * kinds of products, which small rings use in turns, and the two that are called only at the end. One thread compiles,
 * in the order of the first use, and once numbers are long it compiles the transform a second time, which takes it
 * milliseconds: the check of a text that is first run then is interpreted, 0.8 ms of a fresh F(10^6) in place of 0.06.
 * Works on zeros.
 */
function warmUp({ multiplyBlock, textResidue, writeText }: Multiplier): void {
  for (let round = 0; round < 8; round++) {
    for (const points of [64, 128]) {
      multiplyBlock(PAGE_BYTES, PAGE_BYTES + 8 * points, 16 * points, points, 0, 0, true, 1);
    }
  }
  writeText(ROOTS_ADDRESS, 256, ROOTS_ADDRESS + 4096, 5);
  textResidue(DIGITS_ADDRESS, 16384, 2_147_483_647n);
}

/** Depth of the deepest table of roots for rings of this size: blocks are split down to 4 or 2 numbers. */
const rootDepths = (ringSize: number): number => Math.floor(Math.log2(ringSize / 2) / 2);

/** Where the roots of so many depths end. */
const rootsEnd = (depths: number): number =>
  ROOTS_ADDRESS + 64 + (depths === 0 ? 0 : (16 * (4 ** (depths - 1) + 2)) / 3);

/** The next multiple of 128 bytes. */
export const align = (bytes: number): number => Math.ceil(bytes / 128) * 128;

/**
 * The memory that {@link reserve} makes the multiplier hold.
 *
 * @param ringSize - Coefficients of the longest ring.
 */
export const reservedBytes = (ringSize: number, bytes: number): number =>
  align(rootsEnd(rootDepths(ringSize))) + bytes;

/**
 * Makes room for one computation, and its roots of unity. Whatever an earlier computation left is lost.
 *
 * @param ringSize - Coefficients of the longest ring that will be multiplied.
 * @returns The address of `bytes` bytes.
 * @throws {@link Shortage}
 */
export function reserve(ringSize: number, bytes: number): number {
  const depths = Math.max(depthsFilled, rootDepths(ringSize));
  const address = align(rootsEnd(depths));
  growTo(multiplier(), address + bytes);
  // The registers' room holds the factors of the roots while they are computed.
  if (depths > depthsFilled) fillDepths(depthsFilled, depths, address);
  depthsFilled = depths;
  return address;
}

/**
 * Refuses what no machine has room for, before anything is spent on it.
 *
 * @throws {@link Shortage}
 */
export function requireAddressable(bytes: number): void {
  if (bytes > MEMORY_MAX_BYTES)
    throw new Shortage(bytes, `more than can be addressed (${megabytes(MEMORY_MAX_BYTES)})`);
}

function growTo({ memory }: Multiplier, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing <= 0) return;
  requireAddressable(bytes);
  try {
    memory.grow(Math.ceil(missing / PAGE_BYTES));
  } catch (cause) {
    throw new Shortage(bytes, "more than this machine gives", { cause });
  }
}

/** Bits of the number of an entry in the table of a depth: it holds every fourth block. */
const bitsOf = (depth: number): number => 2 * Math.max(0, depth - 1);

/**
 * Computes the roots of the given depths; kernel/roots.ts says what they are.
 *
 * The mirrored bits of t, as a fraction, are van der Corput's sequence 0, 1/2, 1/4, 3/4, 1/8, …, so one list
 * of coarse angles begins with those of every shallower depth.
 *
 * @param scratch - Room for the lists.
 */
function fillDepths(from: number, to: number, scratch: number): void {
  const { fillRoots, memory } = multiplier();
  const lowsMax = 2 ** Math.ceil(bitsOf(to - 1) / 2);
  const mirrored = new Float64Array(lowsMax);
  for (let half = 1; half < lowsMax; half *= 2) {
    for (let t = 0; t < half; t++) mirrored[half + t] = (mirrored[t] ?? 0) + 0.5 / half;
  }
  const writeList = (address: number, count: number, scale: number, offset: number): void => {
    const list = new Float64Array(memory.buffer, address, 2 * count);
    for (let t = 0; t < count; t++) {
      const angle = (Math.PI / 2) * (scale * (mirrored[t] ?? 0) + offset);
      list[t] = Math.cos(angle);
      list[count + t] = Math.sin(angle);
    }
  };
  const fine = scratch + 16 * lowsMax;
  writeList(scratch, lowsMax, 1 / 4, 0);
  for (let depth = from; depth < to; depth++) {
    const entries = 2 ** bitsOf(depth);
    const lows = Math.min(lowsMax, entries);
    const highs = entries / lows;
    if (lows === 1) {
      writeList(rootsEnd(depth), 1, 0, 0.25 / 4 ** depth);
      continue;
    }
    writeList(fine, highs, highs / 4 ** depth, 0.25 / 4 ** depth);
    fillRoots(depth, scratch, 8 * lowsMax, lows, fine, highs);
  }
}
