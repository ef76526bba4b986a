/** Certificates as openssl makes them: an authority, what it has signed, and what is wrong with some. @module */
import fs from "node:fs";
import path from "node:path";
import { requireTool } from "./binary.ts";

/** A `test` that needs openssl. */
export const withOpenssl = requireTool(["openssl", "version"], "apt-get install openssl");

/** Settings of an authority that `openssl ca` takes: the only one of openssl 3.0 that sets both ends of a life. */
const AUTHORITY = `[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256
policy=any\nunique_subject=no\ncopy_extensions=copy\n[any]\ncommonName=supplied\n`;

/** A life that is over, one that has not begun, and one that ends soon; from and to, in days from now. */
const LIVES = { good: [-1, 90], expired: [-90, -2], early: [2, 90], ending: [-1, 5] } as const;

/**
 * Makes, as `NAME.crt` and `NAME.key` in a folder: `ca`, `middle` that it vouches for, `other` (a stranger), the server's
 * `good`, `expired`, `early`, `ending` (for fib.test, localhost and 127.0.0.1), `chained` (by `middle`, both in its file).
 *
 * @returns The path of a file of the folder.
 */
export async function makeCertificates(folder: string): Promise<(name: string) => string> {
  const sh = (line: string) => Bun.$`cd ${folder} && sh -ec ${line}`.quiet();
  const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
  fs.writeFileSync(path.join(folder, "index"), "");
  fs.writeFileSync(path.join(folder, "serial"), "01");
  fs.writeFileSync(path.join(folder, "ca.cnf"), AUTHORITY);
  fs.writeFileSync(path.join(folder, "middle.ext"), "basicConstraints=critical,CA:TRUE\n");
  for (const name of ["ca", "other"])
    await sh(`openssl req -x509 ${newKey} -keyout ${name}.key -out ${name}.crt -days 9 -subj /CN=${name}`);
  const sign = async (name: string, by: string, [from, to]: readonly [number, number], more = "") => {
    const names = "-addext subjectAltName=DNS:fib.test,DNS:localhost,IP:127.0.0.1";
    await sh(`openssl req ${newKey} -keyout ${name}.key -out ${name}.csr -subj /CN=${name} ${names}`);
    await sh(
      `openssl ca -batch -notext -config ca.cnf -cert ${by}.crt -keyfile ${by}.key -in ${name}.csr -out ${name}.crt -startdate ${day(from)} -enddate ${day(to)} ${more}`,
    );
    await sh(`chmod 600 ${name}.key`);
  };
  for (const [name, life] of Object.entries(LIVES)) await sign(name, "ca", life);
  await sign("middle", "ca", LIVES.good, "-extfile middle.ext");
  await sign("chained", "middle", LIVES.good);
  await sh("cat middle.crt >>chained.crt");
  return (name) => path.join(folder, name);
}

/** As openssl has it: `20261127000000Z`. */
function day(fromNow: number): string {
  return `${new Date(Date.now() + fromNow * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "")}000000Z`;
}
