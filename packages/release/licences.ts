/**
 * Prints the licences of all that is within the program and not ours: of the packages that the bundler takes in, and of
 * Bun with what Bun is made of. Its arguments are the entry points.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { manifestOf, packageFolder, packagesWithin } from "./parts.ts";

const RULE = `\n${"=".repeat(80)}\n\n`;

/** The copyright notices that go with a licence too; `swagger-ui-dist` has one for each of its bundles. */
const LICENCE_FILE =
  /^(?:licen[cs]e|copying|notice|copyrightnotice|swagger-ui-bundle\.js\.license)(?:\.(?:md|txt))?$/i;

const sections = [
  `What fibserver is made of, beside its own sources: each part with its licence.\n`,
  bun(),
  text("The GNU Library General Public License 2.0, of WebKit and JavaScriptCore", "lgpl-2.0.txt"),
  text("The GNU Lesser General Public License 2.1, of TinyCC", "lgpl-2.1.txt"),
  ...(await packagesWithin(process.argv.slice(2))).map(licenceOf),
];
process.stdout.write(sections.join(RULE));

/** Bun's own list; the program is its executable, with our sources beside it. */
function bun(): string {
  const list = path.join(packageFolder("bun-types"), "docs/project/license.mdx");
  // Its head is for the site that shows it.
  const words = fs.readFileSync(list, "utf8").replace(/^---\n.*?\n---\n/s, "");
  return `Bun ${Bun.version}, with WebKit ${process.versions["webkit"]}\n${words}`;
}

function text(title: string, file: string): string {
  return `${title}\n\n${fs.readFileSync(path.join(import.meta.dir, file), "utf8")}`;
}

function licenceOf(folder: string): string {
  const { name, version, license } = manifestOf(folder)!;
  const names = fs.readdirSync(packageFolder(folder)).filter((file) => LICENCE_FILE.test(file));
  if (names.length === 0) throw new Error(`The package ${name} has no licence among its files`);
  const texts = names
    .toSorted()
    .map((file) => fs.readFileSync(path.join(packageFolder(folder), file), "utf8"));
  return [`${name} ${version} (${license})\n`, ...texts].join("\n");
}
