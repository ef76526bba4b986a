/** The READMEs' examples for programs do what they say: each runs, and prints what the comments behind it promise. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./binary.ts";
import { openServer } from "./client/server.ts";

setDefaultTimeout(60_000);

const ROOT = path.resolve(import.meta.dir, "..");

for (const [readme, count] of [
  ["README.md", 6],
  ["packages/client/README.md", 7],
] as const) {
  const text = fs.readFileSync(path.join(ROOT, readme), "utf8");
  const examples = Array.from(text.matchAll(/^```js\n(.*?)^```$/gms), ([, code]) => code!);
  /** The first one imports and connects, for all. */
  const [setup = ""] = examples[0]!.split(/(?=^console\.log)/m);

  test(`${readme} has ${count} examples for programs`, () => {
    expect(examples).toHaveLength(count);
    expect(setup).toContain("new FibClient(");
  });

  for (const [number, example] of examples.entries()) {
    test(`example ${number + 1} of ${readme} prints what it says`, async () => {
      const code = number === 0 ? example : setup + example;
      // What each prints is compared without white space: an object takes several lines, and a loop prints several times.
      const expected = Array.from(
        example.matchAll(/console\.log\(.*[;,] \/\/ (.*)$/gm),
        ([, printed]) => printed!,
      );
      expect(expected.length).toBeGreaterThan(0);
      expect(bare(await printedBy(code))).toBe(bare(expected.join("\n")));
    });
  }
}

/** Runs a program that has the package installed, against a server of its own. */
async function printedBy(code: string): Promise<string> {
  using folder = temporaryFolder();
  await using server = await openServer();
  const modules = path.join(folder.path, "node_modules/@fibserver");
  fs.mkdirSync(modules, { recursive: true });
  fs.symlinkSync(path.join(ROOT, "dist/client"), path.join(modules, "client"));
  const main = path.join(folder.path, "main.mjs");
  fs.writeFileSync(main, code.replaceAll("http://127.0.0.1:8080", server.url));
  await using child = Bun.spawn([process.execPath, main], {
    cwd: folder.path,
    env: { NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect({ stderr, exitCode: await child.exited }).toEqual({ stderr: "", exitCode: 0 });
  return stdout;
}

function bare(text: string): string {
  return text.replaceAll(/\s|,(?=\s*\})/g, "");
}
