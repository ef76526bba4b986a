/** The README's examples for programs do what they say: each runs, and prints what the comments behind it promise. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./binary.ts";
import { openServer } from "./client/server.ts";

setDefaultTimeout(60_000);

const ROOT = path.resolve(import.meta.dir, "..");
const README = fs.readFileSync(path.join(ROOT, "README.md"), "utf8");
const EXAMPLES = Array.from(README.matchAll(/^```js\n(.*?)^```$/gms), ([, code]) => code!);
/** The first one imports and connects, for all. */
const [SETUP = ""] = EXAMPLES[0]!.split(/(?=^console\.log)/m);

test("the README has five examples for programs", () => {
  expect(EXAMPLES).toHaveLength(5);
  expect(SETUP).toContain("new FibClient(");
});

for (const [number, example] of EXAMPLES.entries()) {
  test(`example ${number + 1} of the README prints what it says`, async () => {
    using folder = temporaryFolder();
    await using server = await openServer();
    fs.mkdirSync(path.join(folder.path, "node_modules"));
    fs.symlinkSync(ROOT, path.join(folder.path, "node_modules/fibserver"));
    const main = path.join(folder.path, "main.mjs");
    const code = number === 0 ? example : SETUP + example;
    fs.writeFileSync(main, code.replace("http://127.0.0.1:8080", server.url));
    await using child = Bun.spawn([process.execPath, main], {
      cwd: folder.path,
      env: { NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect({ stderr, exitCode: await child.exited }).toEqual({ stderr: "", exitCode: 0 });
    // An object is printed over several lines, and compared without its white space.
    const expected = Array.from(example.matchAll(/console\.log\(.*; \/\/ (.*)$/gm), ([, text]) => text!);
    expect(expected.length).toBeGreaterThan(0);
    expect(bare(stdout)).toBe(bare(expected.join("\n")));
  });
}

function bare(text: string): string {
  return text.replaceAll(/\s|,(?=\s*\})/g, "");
}
