/**
 * Whether WebAssembly has vectors here. JavaScriptCore compiles them on x64 only with AVX, which CPUs from before 2011
 * do not have and some virtual machines hide.
 * @module
 */

/** `() => { i8x16.splat(0) }`: the smallest module that needs vectors. To try one of the kernels takes 0.7 ms. */
const VECTOR_MODULE = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 0x41, 0, 0xfd, 0x0f, 0x1a,
  0x0b,
]);

let found: boolean | undefined;

/** Found out once for each thread, in 0.2 ms. */
export const hasVectors = (): boolean => (found ??= WebAssembly.validate(VECTOR_MODULE));
