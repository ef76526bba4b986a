/** What a Linux program asks for before it runs. @module */
import fs from "node:fs";

const [PT_DYNAMIC, PT_INTERP] = [2, 3];
const [DT_NEEDED, DT_STRTAB] = [1, 5];
const PT_LOAD = 1;

/** The loader and the libraries that an ELF file of 64 bits, little endian, names. */
export function neededBy(file: string): { loader: string | undefined; libraries: string[] } {
  const bytes = fs.readFileSync(file);
  const number = (at: number) => Number(bytes.readBigUInt64LE(at));
  const text = (at: number) => bytes.toString("latin1", at, bytes.indexOf(0, at));
  const [headersAt, headerBytes, headerCount] = [number(32), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  const headers = Array.from({ length: headerCount }, (_, index) => {
    const at = headersAt + index * headerBytes;
    return {
      type: bytes.readUInt32LE(at),
      offset: number(at + 8),
      address: number(at + 16),
      sizeBytes: number(at + 32),
    };
  });
  const inFile = (address: number) => {
    const segment = headers.find(
      ({ type, address: from, sizeBytes }) =>
        type === PT_LOAD && from <= address && address < from + sizeBytes,
    )!;
    return address - segment.address + segment.offset;
  };
  const loader = headers.find(({ type }) => type === PT_INTERP);
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC)!;
  const entries = Array.from({ length: dynamic.sizeBytes / 16 }, (_, index) => {
    const at = dynamic.offset + index * 16;
    return [number(at), number(at + 8)] as const;
  });
  const strings = inFile(entries.find(([tag]) => tag === DT_STRTAB)![1]);
  const libraries = entries.filter(([tag]) => tag === DT_NEEDED).map(([, at]) => text(strings + at));
  return { loader: loader && text(loader.offset), libraries: libraries.toSorted() };
}
