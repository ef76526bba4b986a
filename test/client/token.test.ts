/** The client's token: sent with each request and nowhere else, and never shown. */
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { FibClient, FibClientError } from "../../src/client/client.ts";
import { tokenLine } from "../../src/token.ts";
import { startServer, temporaryFolder } from "../binary.ts";
import { openScripted } from "./server.ts";

const TOKEN = "fib_client-client-client-client-client-client";

test("token is sent with each request; it wins over the URL's password, and a header over it", async () => {
  await using target = openScripted(() => Response.json({ value: "1", index: "1" }));
  const sent = async (url: string, options: ConstructorParameters<typeof FibClient>[1]) => {
    await new FibClient(url, options).index(1);
    return target.requests.at(-1)!.headers.get("authorization");
  };
  const withPassword = target.url.replace("//", "//ann:secret@");
  expect(await sent(target.url, { token: TOKEN })).toBe(`Bearer ${TOKEN}`);
  expect(await sent(withPassword, { token: TOKEN })).toBe(`Bearer ${TOKEN}`);
  expect(await sent(withPassword, {})).toBe(`Basic ${btoa("ann:secret")}`);
  expect(await sent(withPassword, { token: TOKEN, headers: { Authorization: "Digest x" } })).toBe("Digest x");
  expect(await sent(target.url, { token: undefined })).toBeNull();
});

test("a token that is none is refused at once, and not shown", async () => {
  for (const token of [
    "",
    " ",
    `${TOKEN}\n`,
    `a\u0000${TOKEN}`,
    `Bearer ${TOKEN}`,
    `"${TOKEN}"`,
    5 as unknown as string,
  ]) {
    const call = () => new FibClient("http://127.0.0.1", { token });
    expect(call).toThrow(TypeError);
    const told = await Promise.try(call).then(String, (error: Error) => String(error.stack));
    expect(told).toContain("Cannot use this token: it takes letters, digits");
    expect(told).not.toContain(TOKEN);
  }
});

test("a redirect is not followed, so the token goes to nobody else", async () => {
  await using other = openScripted(() => Response.json({ value: "1", index: "1" }));
  await using target = openScripted(() => Response.redirect(`${other.url}/v1/index/1`, 307));
  const error = await new FibClient(target.url, { token: TOKEN }).index(1).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FibClientError);
  expect((error as FibClientError).code).toBe("bad_answer");
  expect(other.requests).toEqual([]);
});

test("with tokens every kind of call goes on, and is refused with a code where it may not", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "tokens");
  fs.writeFileSync(file, `${tokenLine("w", "write", TOKEN)}\n${tokenLine("r", "read", "reader")}\n`);
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--tokens", file]);
  const fib = new FibClient(server.url, { token: TOKEN });
  expect((await fib.cursor.next()).value).toBe(1n);
  for await (const { index } of fib.cursor.watch()) {
    if (index === 2) break;
    await fib.cursor.next();
  }
  expect((await fib.fibonacci(30_000, { as: "text" })).length).toBe(6270);
  const task = await fib.tasks.create({ kind: "fibonacci", n: 100_000 });
  expect((await task.result({ as: "text" })).length).toBe(20_899);
  expect(await Array.fromAsync(fib.sequence({ count: 3 }))).toEqual([0n, 1n, 1n]);
  const refusals = await Promise.all(
    [undefined, "unknown", "reader"].map(async (token) => {
      const error = await new FibClient(server.url, { token }).cursor
        .next()
        .catch((thrown: unknown) => thrown);
      const { code, status } = error as FibClientError;
      return `${status} ${code}`;
    }),
  );
  expect(refusals).toEqual(["401 unauthorized", "401 unauthorized", "403 forbidden"]);
});
