/**
 * What does the cursor's codec cost, without I/O?
 * @module
 */
import { do_not_optimize, measure } from "mitata";
import { BLOCK_BYTES, decodeFile, encodeBlock, encodeFile, initialRecord } from "../src/cursor/record.ts";
import { interleave, mustBe, publish } from "./measure.ts";

/** In each round mitata decides how often it has to run each. */
export async function benchRecord(rounds: number): Promise<void> {
  const record = initialRecord(1_000_000);
  const block = new Uint8Array(BLOCK_BYTES);
  const file = encodeFile(record);
  mustBe(decodeFile(file).record.index, 1_000_000, "the codec's answer");

  const samples = await interleave(rounds, {
    encode: () => eachNs(() => do_not_optimize(encodeBlock(record, block))),
    decode: () => eachNs(() => do_not_optimize(decodeFile(file))),
  });
  publish({
    title: "The codec of the cursor's file, without I/O",
    rows: [
      { name: "a block is written", unit: "ns", samples: samples.encode },
      { name: "a file is read and checked", unit: "ns", samples: samples.decode },
    ],
  });
}

async function eachNs(work: () => void): Promise<number> {
  return (await measure(work)).p50;
}
