/** Words that messages ask people to paste: a shell reads them as what they stand for, and as no flag. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { jsonLine, shellWord, visible } from "../src/shell-word.ts";

test("shellWord() leaves plain names alone, and quotes what a shell would read", () => {
  expect(["cursor", "/a/b-c_d.e", "http://h:1/x", "a=b"].map(shellWord)).toEqual([
    "cursor",
    "/a/b-c_d.e",
    "http://h:1/x",
    "a=b",
  ]);
  expect(shellWord("my file")).toBe("'my file'");
  expect(shellWord("it's")).toBe(String.raw`'it'\''s'`);
  expect(shellWord("$(rm -r ~)")).toBe("'$(rm -r ~)'");
  expect(shellWord("a\nb")).toBe(String.raw`$'a\012b'`);
  expect(shellWord("")).toBe("''");
  expect(shellWord("-f")).toBe("./-f");
  expect(shellWord("~")).toBe("'~'");
});

test("jsonLine() is JSON of the same value, without a control character", () => {
  const value = { text: "a\u001B[2J\n\u007F\u0085\u009Bé" };
  expect(JSON.parse(jsonLine(value))).toEqual(value);
  expect(jsonLine(value)).not.toMatch(/\p{Cc}/u);
});

test("shellWord() is read by a shell as the text, in one line", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({
      unit: fc.constantFrom("'", '"', "\\", "\n", "\u001B", "\u0085", "7", "a", " ", "$", "`", "!", "é"),
    }),
  );
  const texts = fc.sample(text, 500).map((each) => each.replaceAll("\0", "").replace(/^-/, "./-"));
  const words = texts.map(shellWord);
  for (const word of words) expect(word).toBe(visible(word));
  const line = `printf '%s\\0' ${words.join(" ")}`;
  const { stdout } = Bun.spawnSync(["bash", "-c", line], { env: { LC_ALL: "C.UTF-8" } });
  expect(stdout.toString().split("\0").slice(0, -1)).toEqual(texts);
});

test("visible() shows what would move the cursor of a terminal", () => {
  expect(visible("a\u001B[31m\r\nb\u009B")).toBe(String.raw`a\033[31m\015\012b\302\233`);
  expect(visible("Fünf, 五, 🙂")).toBe("Fünf, 五, 🙂");
});
