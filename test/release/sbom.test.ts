/** The list of parts: valid by CycloneDX's own schema, complete, and true. */
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import Ajv, { type AnySchema } from "ajv";
import addFormats from "ajv-formats";
import lock from "../../bun.lock";
import { artefact, VERSION } from "./artefacts.ts";

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly scope: "required" | "optional" | "excluded";
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly unknown[];
}

interface Sbom {
  readonly serialNumber: string;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const sbom = JSON.parse(fs.readFileSync(artefact(`fibserver-${VERSION}.cdx.json`), "utf8")) as Sbom;
const LIBRARY = import.meta.resolve("@cyclonedx/cyclonedx-library/package.json");
const SCHEMAS = path.join(path.dirname(fileURLToPath(LIBRARY)), "res/schema");
const schema = (name: string) =>
  JSON.parse(fs.readFileSync(path.join(SCHEMAS, `${name}.SNAPSHOT.schema.json`), "utf8")) as AnySchema;
const named = (name: string) => sbom.components.find((component) => component.name === name)!;

test("is valid by the schema of CycloneDX 1.6", () => {
  // Its formats for names in other scripts are in a package of their own; nothing here has such a name.
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    formats: { "iri-reference": true, "idn-email": true },
  });
  addFormats(ajv);
  for (const name of ["spdx", "jsf-0.82", "cryptography-defs"])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  const isValid = ajv.compile(schema("bom-1.6"));
  expect({ valid: isValid(sbom), errors: isValid.errors }).toEqual({ valid: true, errors: null });
  // The schema does find what is wrong.
  expect(
    isValid({ ...sbom, components: [{ ...named("hono"), licenses: [{ license: { id: "No-1" } }] }] }),
  ).toBe(false);
});

test("lists each package of bun.lock with the sum that is there", () => {
  const listed = sbom.components.filter(({ name }) => name !== "bun");
  expect(listed.map(({ name, version }) => `${name}@${version}`).toSorted()).toEqual(
    Object.values(lock.packages)
      .map(([spec]) => spec)
      .toSorted(),
  );
  const hono = lock.packages["hono"]!;
  expect(hono[0]).toBe(`hono@${named("hono").version}`);
  expect(named("hono").purl).toBe(`pkg:npm/${hono[0]}`);
  const { alg, content } = named("hono").hashes![0]!;
  expect(`${alg} ${Buffer.from(content, "hex").toString("base64")}`).toBe(
    String(hono[3]).replace("sha512-", "SHA-512 "),
  );
  expect(named("@opentelemetry/api").purl).toStartWith("pkg:npm/%40opentelemetry/api@");
});

test("says what is within the program, and that Bun is", () => {
  for (const name of [
    "bun",
    "hono",
    "bullmq",
    "luxon",
    "@opentelemetry/api",
    "swagger-ui-dist",
    "assemblyscript",
  ])
    expect({ name, scope: named(name).scope }).toEqual({ name, scope: "required" });
  for (const name of ["typescript", "oxlint", "playwright-core", "@scarf/scarf"])
    expect({ name, scope: named(name).scope }).toEqual({ name, scope: "excluded" });
  expect(named("msgpackr-extract").scope).toBe("optional");
  expect(named("bun").version).toBe(Bun.version);
  for (const { name, scope, licenses } of sbom.components)
    if (scope === "required") expect({ name, has: licenses?.length }).toEqual({ name, has: 1 });
});

test("the graph is whole: each part has a place in it, and nothing else has", () => {
  const refs = [sbom.metadata.component, ...sbom.components].map((component) => component["bom-ref"]);
  expect(sbom.dependencies.map(({ ref }) => ref).toSorted()).toEqual(refs.toSorted());
  const known = new Set(refs);
  for (const { dependsOn } of sbom.dependencies) for (const ref of dependsOn) expect(known).toContain(ref);
  const bullmq = sbom.dependencies.find(({ ref }) => ref === named("bullmq").purl)!;
  expect(bullmq.dependsOn).toContain(named("msgpackr").purl);
});
