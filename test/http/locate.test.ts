/**
 * `/v1/sequence/locate`, and `Fibserver-Term` of a range: which bytes are whose.
 *
 * Method: the real text is cut into its records by what they look like, and both are asked of each of its bytes.
 */
import { describe, expect, test } from "bun:test";
import { bigTerms } from "../oracle.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";

interface Place {
  readonly index: string;
  readonly firstByte: number;
  readonly lastByte: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

async function open(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const ask = async (target: string, headers: Record<string, string> = {}, method = "GET") =>
    await services.app.request(`/v1/sequence${target}`, { method, headers });
  const locate = async (query: string) => (await (await ask(`/locate?${query}`)).json()) as Place;
  const term = async (query: string, byte: number) =>
    termOf(await ask(`?${query}`, { range: `bytes=${byte}-` }));
  return { ...services, ask, locate, term };
}

const termOf = ({ headers }: Response) => headers.get("fibserver-term");

/** The records of a text as each format writes them, the head with the first, the tail with the last. */
const RECORDS: Readonly<Record<string, (from: number, terms: readonly string[]) => string[]>> = {
  text: (_, terms) => terms.map((term) => `${term}\n`),
  bfile: (from, terms) => terms.map((term, at) => `${from + at} ${term}\n`),
  csv: (from, terms) => terms.map((term, at) => `${at === 0 ? "n,value\n" : ""}${from + at},${term}\n`),
  ndjson: (from, terms) => terms.map((value, at) => `${JSON.stringify({ n: String(from + at), value })}\n`),
  json: (_, terms) =>
    terms.map((term, at) => `${at === 0 ? "[" : ""}"${term}"${at === terms.length - 1 ? "]" : ","}`),
};

describe("each byte of a real text", () => {
  for (const [format, recordsOf] of Object.entries(RECORDS)) {
    test(`as ${format} belongs to the term that /locate and Fibserver-Term say`, async () => {
      const { ask, locate, term } = await open();
      for (const [query, from, terms] of [
        ["count=20", 0, bigTerms(0, 20)],
        ["from=7&to=7", 7, bigTerms(7, 1)],
        ["from=96&count=6", 96, bigTerms(96, 6)],
        ["from=3&count=4&start=200,1", 3, bigTerms(3, 4, [200n, 1n])],
      ] as const) {
        const records = recordsOf(from, terms);
        const text = await (await ask(`?${query}&format=${format}`)).text();
        expect(text, "the test's own records").toBe(records.join(""));
        let firstByte = 0;
        for (const [at, record] of records.entries()) {
          const index = String(from + at);
          const lastByte = firstByte + record.length - 1;
          const whole = { index, firstByte, lastByte, offset: 0, sizeBytes: text.length };
          expect(await locate(`${query}&format=${format}&index=${index}`)).toEqual(whole);
          for (let offset = 0; offset < record.length; offset++) {
            const byte = firstByte + offset;
            expect(await locate(`${query}&format=${format}&byte=${byte}`)).toEqual({ ...whole, offset });
            expect(await term(`${query}&format=${format}`, byte)).toBe(`${index}+${offset}`);
          }
          const range = { range: `bytes=${firstByte}-${lastByte}` };
          expect(await (await ask(`?${query}&format=${format}`, range)).text()).toBe(record);
          firstByte = lastByte + 1;
        }
      }
    });
  }

  test("also in 104 GB, where the record is read at the bytes that were said, and nothing else is computed", async () => {
    const { ask, locate, term, results } = await open();
    const place = await locate("count=1000000&index=705000");
    expect(place).toEqual({
      index: "705000",
      firstByte: 51936778396,
      lastByte: 51936925732,
      offset: 0,
      sizeBytes: 104494866149,
    });
    const { firstByte, lastByte } = place;
    const said = await ask("?count=1000000", { range: `bytes=${firstByte}-${lastByte}` });
    const alone = await ask("?from=705000&count=1");
    expect((await said.text()) === (await alone.text())).toBe(true);
    expect(await term("count=1000000", firstByte + 17)).toBe("705000+17");
    expect(await locate(`count=1000000&byte=${firstByte - 1}`)).toMatchObject({
      index: "704999",
      lastByte: firstByte - 1,
    });
    expect(results.taken).toEqual([]);
  });
});

test("Fibserver-Term is on parts alone, also of a task's result, and there is none of no term", async () => {
  const { app, ask } = await open();
  expect(termOf(await ask("?count=5"))).toBeNull();
  expect(termOf(await ask("?count=5", { range: "bytes=99-" }))).toBeNull();
  expect(termOf(await ask("?count=5", { range: "bytes=1-" }, "HEAD"))).toBeNull();
  const empty = await ask("?count=0&format=json", { range: "bytes=1-" });
  expect([empty.status, await empty.text(), termOf(empty)]).toEqual([206, "]", null]);

  for (const [request, term] of [
    [{ kind: "sequence", from: "10", count: "5" }, "11+1"],
    [{ kind: "fibonacci", n: "40" }, null],
  ] as const) {
    const made = await app.request("/v1/tasks", { method: "POST", body: JSON.stringify(request) });
    const result = `${made.headers.get("location")}/result`;
    const part = await app.request(result, { headers: { range: "bytes=4-" } });
    expect([part.status, termOf(part)]).toEqual([206, term]);
    expect(termOf(await app.request(result))).toBeNull();
  }
  // What an earlier service answered stays as it was.
  expect(termOf(await app.request("/?sn=5", { headers: { range: "bytes=4-" } }))).toBeNull();
});

describe("GET /v1/sequence/locate", () => {
  test("is kept for ever, conditional, and has a HEAD and a tag for each question", async () => {
    const { ask, results } = await open();
    const tags = new Set<string>();
    const queries = [
      "index=5",
      "byte=5",
      "index=6",
      "format=csv&index=5",
      "from=1&index=5",
      "start=2,1&index=5",
    ];
    for (const query of queries) {
      const response = await ask(`/locate?${query}`, { accept: "text/csv" });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      const etag = response.headers.get("etag")!;
      tags.add(etag);
      expect((await ask(`/locate?${query}`, { "if-none-match": etag })).status).toBe(304);
      expect((await ask(`/locate?${query}`, { "if-match": '"x"' })).status).toBe(412);
      const head = await ask(`/locate?${query}`, {}, "HEAD");
      expect(head.headers.get("content-length")).toBe(String((await response.text()).length));
      expect(head.headers.get("etag")).toBe(etag);
    }
    expect(tags.size).toBe(queries.length);
    expect(results.taken).toEqual([]);
  });

  test("refuses what has no place, and says what to ask for", async () => {
    const { ask } = await open({ termsMax: 1000 });
    for (const [query, status, said] of [
      ["", 400, "give index=K"],
      ["index=1&byte=1", 400, "not both"],
      ["index=1&index=2", 400, "given 2 times"],
      ["index=-1", 400, "negative"],
      ["byte=01", 400, "leading zeros"],
      ["index=100", 400, "index 100: the terms are those of 0 to 99; ask for one of these"],
      ["from=5&count=2&index=4", 400, "the terms are those of 5 to 6"],
      [`index=${"9".repeat(128)}`, 400, "the terms are those of 0 to 99"],
      ["count=5&byte=10", 400, "byte 10: the bytes are 0 to 9; ask for one of these"],
      ["count=0&format=json&byte=0", 400, "there are no terms; ask with a count"],
      ["count=0&index=0", 400, "there are no terms"],
      ["count=1&to=2&index=0", 400, "both count and to"],
      ["mod=5&index=0", 400, "/v1/fibonacci/N alone"],
      ["format=xml&index=0", 406, "format takes text, json, ndjson, csv, bfile"],
      ["count=1001&index=0", 422, "--max-sequence"],
      ["from=200000000&index=200000000", 422, "--max-digits"],
    ] as const) {
      const response = await ask(`/locate?${query}`);
      expect([query, response.status]).toEqual([query, status]);
      const { detail } = await problemOf(response);
      expect(detail).toContain(said);
      // However long what was asked for is.
      expect(detail.length).toBeLessThan(160);
    }
  });
});
