/**
 * Two decimal registers, X and Y, and their products: what F(n), L(n), n! and 2^k are computed in.
 *
 * A register holds either limbs (int32, lowest first, balanced digits of base 10^5
 * or 10^4) or, for the moment of a product, coefficients (doubles) in the same
 * place. A product is: load the rings, transform and multiply in each, combine
 * (kernel/rings.ts, kernel/transform.ts), then {@link Registers.settle}: round and carry.
 * Working in place is what keeps F(10^9) below 1 GB.
 *
 * Base 10^6 was wrong at F(10^8). Base 10^5 is right with a margin that is measured, not proven, so results are
 * checked (trust.ts has the figures).
 * @module
 */
import type { Digits, Fault, LimbDigits } from "./decimal.ts";
import { align, multiplier, reserve, reservedBytes } from "./multiplier.ts";
import { Distrust } from "./trust.ts";

/** The address of a register, and how many limbs it holds. */
interface Register {
  readonly address: number;
  length: number;
}

/** The rounding error above which a result is not trusted: half of the 0.5 at which it turns wrong. */
const ROUNDING_ERROR_MAX = 0.25;

/** Moves Y off the multiple of 4 KiB, lest X and Y compete for the same lines of the cache. */
const SKEW_BYTES = 192;

/** The shortest ring: below it a transform costs more than it saves. */
const RING_SIZE_MIN = 256;

/**
 * The rings of a product: their sizes add up to `count` or a little more.
 *
 * @returns One to three sizes, powers of two, the longest first.
 */
export function ringSizes(count: number): readonly [number, ...number[]] {
  for (let size = RING_SIZE_MIN; ; size *= 2) {
    if (size >= count) return [size];
    if (size * 1.125 >= count) return [size, size / 8];
    if (size * 1.25 >= count) return [size, size / 4];
    if (size * 1.5 >= count) return [size, size / 2];
    if (size * 1.75 >= count) return [size, size / 2, size / 4];
  }
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size);

const registerBytes = (count: number): number => align(8 * sum(ringSizes(count)) + SKEW_BYTES);

/** Bytes of WASM memory behind `new Registers(count, spareBytes, …)`. */
export const registersBytes = (count: number, spareBytes: number): number =>
  reservedBytes(ringSizes(count)[0], 2 * registerBytes(count) + spareBytes);

/** What {@link Registers.addMultiples} needs in limbs beside those of its summands, and of a step before it. */
export const multiplesLimbs = (digitsCount: number): number => 2 * digitsCount + 8;

export class Registers {
  readonly x: Register;
  readonly y: Register;
  /** Address of the spare room. */
  readonly spare: number;
  readonly limbDigits: LimbDigits;
  readonly base: number;
  readonly #countMax: number;
  readonly #fault: Fault | undefined;

  /**
   * Takes the multiplier's memory; what earlier registers held is lost.
   *
   * @param count - Coefficients of the longest product: its limbs, and 2 more.
   * @param spareBytes - Room of the caller's own.
   * @throws `Shortage`, when the memory cannot be had.
   */
  constructor(count: number, spareBytes: number, limbDigits: LimbDigits, fault?: Fault) {
    const bytes = registerBytes(count);
    const address = reserve(ringSizes(count)[0], 2 * bytes + spareBytes);
    this.x = { address, length: 0 };
    this.y = { address: address + bytes, length: 0 };
    this.spare = address + 2 * bytes;
    this.limbDigits = limbDigits;
    this.base = 10 ** limbDigits;
    this.#countMax = count;
    this.#fault = fault;
    multiplier().takeRoundingError();
  }

  /**
   * X = X·Y, or X·X; with `squareY` also Y = Y·Y. Leaves coefficients: {@link settle} follows.
   *
   * @param count - Coefficients of the product, at most the constructor's.
   * @throws {@link Distrust}, when there are more: a flipped bit has made a number longer than it can be.
   */
  multiply(what: "product" | "square", count: number, squareY = false): void {
    // It would fail its residue check, if there were room for it.
    if (count > this.#countMax) throw new Distrust("residue");
    const rings = ringSizes(count);
    const { x, y } = this;
    const operands = what === "square" ? [x] : [x, y];
    const { loadRing, loadRingInPlace, memory, multiplyBlock } = multiplier();
    for (const { address, length } of operands) {
      let at = address + 8 * rings[0];
      for (const size of rings.slice(1)) {
        loadRing(at, size, address, length);
        at += 8 * size;
      }
      loadRingInPlace(address, rings[0], length);
      this.#fault?.("ring", this.base, new Float64Array(memory.buffer, address, sum(rings)));
    }
    let at = x.address;
    for (const size of rings) {
      const points = size / 2;
      // The twins of an odd power leave out one halving (kernel/products.ts), so the scale is twice as large.
      const scale = Math.sqrt((Math.log2(points) % 2 === 0 ? 1 : 2) / points);
      multiplyBlock(
        at,
        at + 8 * points,
        what === "square" ? 0 : y.address - x.address,
        points,
        0,
        0,
        squareY,
        scale,
      );
      at += 8 * size;
    }
    for (const { address } of squareY ? [x, y] : [x]) combine(address, rings);
  }

  /**
   * Rounds and carries the coefficients of a register into limbs.
   *
   * @param count - As for {@link multiply}.
   * @param factor - 2 doubles the number: after the rounding, lest it doubles the rounding error as well.
   * @throws {@link Distrust}, when a coefficient was too far from an integer.
   */
  settle(register: Register, count: number, factor: 1 | 2 = 1): void {
    const { carry, memory, takeRoundingError } = multiplier();
    const used = Math.min(sum(ringSizes(count)), Math.ceil(count / 4) * 4);
    this.#fault?.("product", this.base, new Float64Array(memory.buffer, register.address, used));
    register.length = carry(register.address, used, register.address, this.base, factor);
    this.#fault?.("limbs", this.base, new Int32Array(memory.buffer, register.address, register.length));
    // Written so that NaN fails.
    if (!(takeRoundingError() < ROUNDING_ERROR_MAX)) throw new Distrust("rounding");
  }

  /** Adds a small number, which its lowest limb takes whole: it is out of balance by as much from then on. */
  adjust(register: Register, delta: number): void {
    const lowest = new Int32Array(multiplier().memory.buffer, register.address, 1);
    lowest[0] = (lowest[0] ?? 0) + delta;
  }

  /** (X, Y) = (F, L) of index n becomes (F, L) of n + 1. */
  step(): void {
    const { stepPair, trim } = multiplier();
    const { x, y } = this;
    const length = Math.max(x.length, y.length);
    this.#padTo(length + 5);
    stepPair(x.address, y.address, length, this.base);
    x.length = trim(x.address, length + 1);
    y.length = trim(y.address, length + 1);
  }

  /** One register becomes (factor · itself + the other) / 2, which must be exact; the other one stays. */
  stepOne(register: Register, factor: 1 | 5 = 1): void {
    const { stepOne, trim } = multiplier();
    const other = register === this.x ? this.y : this.x;
    const length = Math.max(register.length, other.length);
    this.#padTo(length + 5);
    stepOne(register.address, other.address, length, this.base, factor);
    register.length = trim(register.address, length + 1);
  }

  /**
   * p X + q Y, which must be positive, behind the limbs in X's memory. X and Y stay; the spare room is written over.
   *
   * @param p - With q, of `digitsCount` digits of base^2; the constructor's count has {@link multiplesLimbs} more then.
   * @throws {@link Distrust}, when there is no room: as {@link multiply}.
   */
  addMultiples(p: bigint, q: bigint, digitsCount: number): Register {
    const { x, y } = this;
    const length = 2 * Math.ceil(Math.max(x.length, y.length) / 2) + 2 * digitsCount + 2;
    if (length > this.#countMax) throw new Distrust("residue");
    this.#padTo(length);
    const { addMultiples, memory } = multiplier();
    const [pAddress, qAddress] = [this.spare, this.spare + 8 * digitsCount];
    const room = new Float64Array(memory.buffer, this.spare, 2 * digitsCount);
    room.set([p, q].flatMap((factor) => balancedDigits(factor, this.base ** 2, digitsCount)));
    const address = x.address + 4 * this.#countMax;
    const args = [x.address, pAddress, y.address, qAddress] as const;
    const register = { address, length: addMultiples(...args, digitsCount, address, length, this.base) };
    this.#fault?.("limbs", this.base, new Int32Array(memory.buffer, address, register.length));
    return register;
  }

  /** Writes zeros behind the limbs of X and Y, up to this length. */
  #padTo(length: number): void {
    for (const register of [this.x, this.y]) {
      multiplier().pad(register.address, register.length, length - register.length);
    }
  }

  /** Reads a non-negative integer into limbs at an address, behind which there is room. */
  read(value: bigint, address: number): number {
    const text = new TextEncoder().encode(value.toString());
    const limbs = Math.ceil(text.length / this.limbDigits) + 1;
    const scratch = address + 4 * limbs;
    const { memory, readText } = multiplier();
    new Uint8Array(memory.buffer, scratch, text.length).set(text);
    return readText(scratch, text.length, address, this.limbDigits);
  }

  /** Copies limbs from anywhere into a register. */
  load(register: Register, address: number, length: number): void {
    const { buffer } = multiplier().memory;
    this.#fault?.("spare", this.base, new Int32Array(buffer, address, length));
    new Uint8Array(buffer).copyWithin(register.address, address, address + 4 * length);
    register.length = length;
  }

  /** Copies a register's limbs to anywhere. */
  store(register: Register, address: number): void {
    new Uint8Array(multiplier().memory.buffer).copyWithin(
      address,
      register.address,
      register.address + 4 * register.length,
    );
  }

  /**
   * The digits of X or of other limbs, in the multiplier's memory until the next operation.
   *
   * @param room - Where to write them; `limbDigits` bytes for each limb.
   */
  text(room: number, { address, length }: Readonly<Register> = this.x): Digits {
    const { memory, writeText } = multiplier();
    const start = writeText(address, length, room, this.limbDigits) >>> 0;
    const text = new Uint8Array(memory.buffer, start, room + this.limbDigits * length - start);
    this.#fault?.("text", this.base, text);
    return text;
  }
}

/** The digits of a number, lowest first, each at most half the base. */
function balancedDigits(value: bigint, base: number, count: number): number[] {
  const unit = BigInt(base);
  let left = value;
  return Array.from({ length: count }, () => {
    // In [-unit / 2, unit / 2): % has the sign of what is left.
    const digit = ((((left + unit / 2n) % unit) + unit) % unit) - unit / 2n;
    left = (left - digit) / unit;
    return Number(digit);
  });
}

function combine(address: number, [first, second, third]: readonly [number, ...number[]]): void {
  const { combineThree, combineTwo } = multiplier();
  if (second === undefined) return;
  if (third === undefined) {
    combineTwo(address, first, second);
    return;
  }
  combineTwo(address + 8 * first, second, third);
  combineThree(address, first);
}
