/**
 * The yardstick: a raw `Bun.serve` that answers with one constant, in the cursor's form, or with a constant
 * stream of as many bytes as `/stream/BYTES` says.
 */
const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
const body = `{"value":"13","status":"200"}`;
const chunk = new Uint8Array(65_536).fill(0x31);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: { "/stream/:bytes": ({ params }) => new Response(constant(Number(params.bytes))) },
  fetch: () => new Response(body, { headers }),
});
console.log(String(server.url));

function constant(sizeBytes: number): ReadableStream<Uint8Array> {
  let left = sizeBytes;
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= part.length;
      controller.enqueue(part);
      if (left === 0) controller.close();
    },
  });
}
