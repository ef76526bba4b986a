/** Commands that wait for a server, on a machine that may keep them waiting. @module */
import { type Result, run, type Start } from "../binary.ts";

/** What is said when an answer, or a task, takes a second: of how it ends it tells nothing. */
const NOTICE =
  /^fibserver: (Waiting for \S+: it (does not answer|answers 503); Ctrl-C to stop|Task \S+; to go on later: .*)\n/gm;

/** What a command has said, whether its server took a second or not. */
export function withoutNotices(stderr: string): string {
  return stderr.replaceAll(NOTICE, "");
}

/** As `run`, {@link withoutNotices}. */
export async function ask(args: readonly string[], start?: Start): Promise<Result> {
  const result = await run(args, start);
  return { ...result, stderr: withoutNotices(result.stderr) };
}
