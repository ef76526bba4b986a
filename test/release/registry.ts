/**
 * A registry of npm's on the loopback, with what `make release` has packed: packages come from it as they will come from
 * a real one.
 * @module
 */
import fs from "node:fs";
import { artefact, PLATFORMS, VERSION } from "./artefacts.ts";

/** What a tarball's package.json says. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

/** The tarball of a package. */
export const tarballOf = (name: string): string =>
  artefact(`${name.replace("@", "").replace("/", "-")}-${VERSION}.tgz`);

/** The package.json in a tarball. */
export function manifestOf(tarball: string): Manifest {
  const { stdout, success } = Bun.spawnSync([
    "tar",
    "-xzOf",
    tarball,
    "--occurrence=1",
    "package/package.json",
  ]);
  if (!success) throw new Error(`No package.json can be read from ${tarball}`);
  return JSON.parse(stdout.toString()) as Manifest;
}

/** A registry that answers. */
export interface Registry extends AsyncDisposable {
  readonly url: string;
  /** The packages whose tarballs were asked for, sorted. */
  fetched(): string[];
}

/** Starts one, of all the packages. */
export function startRegistry(): Registry {
  const names = new Set(["fibserver", "@fibserver/client", ...PLATFORMS.map((each) => `@fibserver/${each}`)]);
  const fetched = new Set<string>();
  const described = new Map<string, Manifest>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    // npm may be busy with what it has got for longer than Bun's ten seconds, and leaves out what is cut.
    idleTimeout: 0,
    fetch({ url }) {
      const { pathname, origin } = new URL(url);
      const name = decodeURIComponent(pathname.slice(1)).replace(/\.tgz$/, "");
      if (!names.has(name)) return Response.json({ error: "not_found" }, { status: 404 });
      const tarball = tarballOf(name);
      if (pathname.endsWith(".tgz")) {
        fetched.add(name);
        return new Response(Bun.file(tarball));
      }
      const version = described.get(name) ?? describe(tarball, `${origin}/${name}.tgz`);
      described.set(name, version);
      return Response.json({ name, "dist-tags": { latest: VERSION }, versions: { [VERSION]: version } });
    },
  });
  return {
    url: server.url.href,
    fetched: () => [...fetched].toSorted(),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}

function describe(tarball: string, url: string): Manifest {
  const sum = new Bun.CryptoHasher("sha512").update(fs.readFileSync(tarball)).digest("base64");
  return { ...manifestOf(tarball), dist: { tarball: url, integrity: `sha512-${sum}` } };
}
