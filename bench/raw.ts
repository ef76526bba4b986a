/** The yardstick: a raw `Bun.serve` that answers everything with one constant, in the cursor's form. */
const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
const body = `{"value":"13","status":"200"}`;

const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(body, { headers }) });
console.log(String(server.url));
