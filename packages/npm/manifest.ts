/**
 * Prints the package.json of one of the packages for npm: of `fibserver`, or of that with the program for a platform.
 * Usage: `manifest.ts fibserver` or `manifest.ts linux-x64-musl`.
 * @module
 */
import root from "../../package.json" with { type: "json" };

const PLATFORMS = ["linux-x64", "linux-arm64", "linux-x64-musl", "linux-arm64-musl"];

const name = process.argv[2] ?? "";
if (name !== "fibserver" && !PLATFORMS.includes(name)) throw new Error(`There is no package for ${name}`);
const manifest = name === "fibserver" ? launcher() : platform(name);
process.stdout.write(`${JSON.stringify(manifest, undefined, 2)}\n`);

/** It starts the program. */
function launcher() {
  return {
    name: root.name,
    version: root.version,
    description: root.description,
    keywords: ["fibonacci", "factorial", "bigint", "cursor", "server", "cli"],
    license: root.license,
    // Windows starts nothing by sh: told at installation. macOS installs it, for projects that use it elsewhere, and is told when it runs.
    os: ["!win32"],
    engines: { node: ">=18" },
    bin: { fibserver: "bin/fibserver" },
    // Exactly those that were released with it; of them npm installs the one that fits.
    optionalDependencies: Object.fromEntries(PLATFORMS.map((each) => [`@fibserver/${each}`, root.version])),
  };
}

/** It holds the program alone, and adds no command: that is the launcher's. */
function platform(target: string) {
  const [os, cpu, libc = "glibc"] = target.split("-");
  return {
    name: `@fibserver/${target}`,
    version: root.version,
    description: `The program of the package fibserver for ${target}`,
    license: root.license,
    os: [os],
    cpu: [cpu],
    libc: [libc],
    // Yarn keeps packages as zip files, from which nothing starts.
    preferUnplugged: true,
    // Packages with a scope are private unless they say so.
    publishConfig: { access: "public" },
  };
}
