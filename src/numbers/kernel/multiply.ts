// The multiplication kernel: what the host may call. Loaded and given its memory map by ../kernel.ts.
export { setRoots, fillRoots } from "./roots";
export { multiplyBlock } from "./transform";
export { loadRing, loadRingInPlace, combineTwo, combineThree } from "./rings";
export { carry, takeRoundingError, trim, pad, stepPair, stepOne, addMultiples } from "./carry";
export { setDigits, writeText, readText, textResidue, factorialResidue } from "./text";
export { isPrime, powerModulo } from "./primes";
