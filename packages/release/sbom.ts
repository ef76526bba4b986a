/**
 * Prints the list of parts in CycloneDX's format: what bun.lock pins, and Bun itself. Its arguments are the entry points.
 *
 * The same sources give the same list, on each machine: its time is that of the commit, its number is made from what it
 * lists, and of packages for one system alone, of which each machine has others, the licence is not looked up.
 * @module
 */
import lock from "../../bun.lock";
import root from "../../package.json" with { type: "json" };
import { manifestOf, packagesWithin } from "./parts.ts";

/** A package of bun.lock, by its key: `a`, or `a/b` for a `b` of which only `a` knows. */
interface Package {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** What it uses, by key. */
  readonly uses: readonly string[];
  readonly integrity: string;
  readonly isForOneSystem: boolean;
}

const packages = new Map(Object.entries(lock.packages).map(([key, entry]) => [key, parsed(key, entry)]));
const within = new Set((await packagesWithin(process.argv.slice(2))).map(keyOf));
const unknown = [...within].filter((key) => !packages.has(key));
if (unknown.length > 0) throw new Error(`Within the program, but not in bun.lock: ${unknown.join(", ")}`);

const workspace = lock.workspaces[""]!;
const inProduction = reachable(Object.keys(workspace.dependencies ?? {}));
const ours = `fibserver@${root.version}`;
const bun = `pkg:npm/bun@${Bun.version}`;
const direct = Object.keys({ ...workspace.dependencies, ...workspace.devDependencies });

const list = {
  metadata: {
    timestamp: new Date(Number(process.env["SOURCE_DATE_EPOCH"] ?? 0) * 1000).toISOString(),
    component: {
      type: "application",
      "bom-ref": ours,
      name: root.name,
      version: root.version,
      description: root.description,
      licenses: [{ license: { id: root.license } }],
    },
  },
  components: [bunItself(), ...Array.from(packages, ([key, part]) => component(key, part))],
  dependencies: [
    { ref: ours, dependsOn: [bun, ...purls(direct)] },
    { ref: bun, dependsOn: [] },
    ...Array.from(packages.values(), ({ purl, uses }) => ({ ref: purl, dependsOn: purls(uses) })),
  ],
};
const serialNumber = `urn:uuid:${Bun.randomUUIDv5(JSON.stringify(list), "oid")}`;
const head = { bomFormat: "CycloneDX", specVersion: "1.6", serialNumber, version: 1 };
process.stdout.write(`${JSON.stringify({ ...head, ...list }, undefined, 2)}\n`);

function parsed(key: string, entry: (typeof lock.packages)[string]): Package {
  const [spec, , info, integrity] = entry;
  if (typeof info !== "object" || integrity === undefined) throw new Error(`${spec} is not from a registry`);
  const at = spec.lastIndexOf("@");
  const [name, version] = [spec.slice(0, at), spec.slice(at + 1)];
  const asked = { ...info.dependencies, ...info.optionalDependencies, ...info.peerDependencies };
  return {
    name,
    version,
    purl: `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`,
    uses: Object.keys(asked).flatMap((dependency) => resolved(key, dependency) ?? []),
    integrity,
    isForOneSystem: "os" in info || "cpu" in info,
  };
}

/** Looks for a package as Node does: beside the one that asks, then further up. Optional ones may be nowhere. */
function resolved(from: string, dependency: string): string | undefined {
  for (let above = from; ; above = above.replace(/\/?(?:@[^/]+\/)?[^/]+$/, "")) {
    const key = above === "" ? dependency : `${above}/${dependency}`;
    if (key in lock.packages) return key;
    if (above === "") return undefined;
  }
}

function reachable(from: readonly string[]): Set<string> {
  const keys = new Set(from);
  // A set's walk goes on to what is added during it.
  for (const key of keys) for (const used of packages.get(key)!.uses) keys.add(used);
  return keys;
}

function purls(keys: readonly string[]): string[] {
  return [...new Set(keys.map((key) => packages.get(key)!.purl))].toSorted();
}

function keyOf(folder: string): string {
  return folder.replaceAll("/node_modules/", "/");
}

function component(key: string, part: Package): object {
  const license = part.isForOneSystem ? undefined : manifestOf(folderOf(key))?.license;
  const [algorithm, digest] = part.integrity.split("-", 2);
  return {
    type: "library",
    "bom-ref": part.purl,
    name: part.name,
    version: part.version,
    scope: scopeOf(key),
    hashes: [
      {
        alg: algorithm!.toUpperCase().replace("SHA", "SHA-"),
        content: Buffer.from(digest!, "base64").toString("hex"),
      },
    ],
    ...(license !== undefined && {
      licenses: [/^[\w.+-]+$/.test(license) ? { license: { id: license } } : { expression: license }],
    }),
    purl: part.purl,
  };
}

/** `optional` is what the program would use if it were there: native parts that are not built in. */
function scopeOf(key: string): "required" | "optional" | "excluded" {
  if (within.has(key)) return "required";
  return inProduction.has(key) ? "optional" : "excluded";
}

function folderOf(key: string): string {
  return key.match(/@[^/]+\/[^/]+|[^/]+/g)!.join("/node_modules/");
}

/** The runtime, whose executable the program is, and the parts of it that the runtime itself names. */
function bunItself(): object {
  const { webkit, boringssl, sqlite, zstd, icu } = process.versions as Record<string, string>;
  const parts = { webkit, boringssl, sqlite, zstd, icu };
  return {
    type: "platform",
    "bom-ref": bun,
    name: "bun",
    version: Bun.version,
    scope: "required",
    licenses: [{ license: { id: "MIT" } }],
    purl: bun,
    components: Object.entries(parts).map(([name, version]) => ({
      type: "library",
      "bom-ref": `${bun}#${name}`,
      name,
      version,
    })),
  };
}
