/**
 * Digits that are here already, for what would fetch them in ranges.
 * @module
 */
import type { Server } from "../server.ts";

/** A server that answers with ranges of a blob, whatever the path, and asks nobody. */
export function blobServer(server: Server, blob: Blob): Server {
  return {
    ...server,
    fetch: async (_path, init) => {
      const [, first, last] = /(\d+)-(\d+)/.exec(init?.headers?.["range"] ?? "") ?? [];
      return new Response(blob.slice(Number(first), Number(last) + 1), { status: 206 });
    },
  };
}
