/**
 * What does the cursor's codec cost, without I/O?
 * @module
 */
import { bench, do_not_optimize, run, summary } from "mitata";
import { BLOCK_BYTES, decodeFile, encodeBlock, encodeFile, initialRecord } from "../src/cursor/record.ts";
import { mustBe } from "./measure.ts";

/** mitata decides how many rounds it needs. */
export async function benchRecord(): Promise<void> {
  const record = initialRecord(1_000_000);
  const block = new Uint8Array(BLOCK_BYTES);
  const file = encodeFile(record);
  mustBe(decodeFile(file).record.index, 1_000_000, "the codec's answer");

  summary(() => {
    bench("encodeBlock", () => do_not_optimize(encodeBlock(record, block)));
    bench("decodeFile", () => do_not_optimize(decodeFile(file)));
  });

  await run(process.env["BENCH_JSON"] ? { format: "json" } : {});
}
