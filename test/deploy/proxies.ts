/**
 * nginx, Caddy and HAProxy as `deploy/` has them: the file itself, with other addresses, ports, names and paths in it.
 *
 * Each runs as one process on free ports of the loopback, and is gone with the test.
 * @module
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { until } from "../binary.ts";
import { freePort } from "../redis.ts";

const DEPLOY = path.resolve(import.meta.dir, "../../deploy");

/** Caddy tells what it does as well, that a certificate of a test names no server for OCSP, and that http is not https. */
const NO_COMPLAINT =
  /^$|^Valid configuration$|"level":"info"|no OCSP stapling|"server is listening only on the HTTP port/;

/** Containers may have no loopback of IPv6. */
export const hasIpv6 = Object.values(os.networkInterfaces()).some((all) =>
  all!.some(({ address }) => address === "::1"),
);

/** What is put in the place of what. */
type Substitution = readonly [from: string, to: string];

/** Where a proxy has its things while it is tested. */
interface Place {
  readonly folder: string;
  readonly httpsPort: number;
  readonly httpPort: number;
  /** Another free one. */
  readonly otherPort: number;
  /** Of the server behind it, and of a second one. */
  readonly serverPorts: readonly number[];
}

/** One of the three. */
export interface Kind {
  readonly name: "nginx" | "caddy" | "haproxy";
  /** In `deploy/`. */
  readonly file: string;
  readonly probe: readonly string[];
  readonly install: string;
  readonly substitutions: (place: Place) => readonly Substitution[];
  /** What takes the comment off what is for several servers. */
  readonly several: readonly Substitution[];
  /** What gives several servers that stand still all the time of a test, before they are taken for gone or hopeless. */
  readonly patient: readonly Substitution[];
  /** What the head says of a server with `--base-path /fib`. */
  readonly below: readonly Substitution[];
  /** What makes a second of each limit for clients. */
  readonly impatient: readonly Substitution[];
  /** What starts it with a file, and what checks that. */
  readonly commands: (file: string, place: Place) => { readonly run: string[]; readonly check: string[] };
}

const NAME: Substitution = ["fib.example.org", "localhost"];

/** All of them. */
export const KINDS: readonly Kind[] = [
  {
    name: "nginx",
    file: "nginx/fibserver.conf",
    probe: ["nginx", "-v"],
    install: "apt-get install nginx-light",
    substitutions: ({ folder, httpPort, httpsPort, otherPort, serverPorts }) => [
      ["/etc/ssl/fib.example.org", folder],
      NAME,
      ["listen 80;", `listen 127.0.0.1:${httpPort};`],
      ["listen [::]:80;", hasIpv6 ? `listen [::1]:${httpPort};` : ""],
      ["listen 443 ", `listen 127.0.0.1:${httpsPort} `],
      ["listen [::]:443 ", hasIpv6 ? `listen [::1]:${httpsPort} ` : `listen 127.0.0.1:${otherPort} `],
      ["127.0.0.1:8080 ", `127.0.0.1:${serverPorts[0]} `],
      ["127.0.0.1:8081 ", `127.0.0.1:${serverPorts[1]} `],
    ],
    several: [["# server 127.0.0.1:8081 ", "server 127.0.0.1:8081 "]],
    patient: [],
    below: [["location / {", "location /fib/ {"]],
    impatient: [
      ["client_header_timeout 10s", "client_header_timeout 1s"],
      ["client_body_timeout 10s", "client_body_timeout 1s"],
      ["send_timeout 60s", "send_timeout 1s"],
    ],
    commands(file, { folder }) {
      const config = path.join(folder, "nginx.conf");
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
        (name) => `${name}_temp_path ${folder}/${name};`,
      );
      const settings = `daemon off; master_process off; pid ${folder}/pid; worker_rlimit_nofile 4096;`;
      const http = `access_log off; ${temporary.join(" ")} include ${file};`;
      fs.writeFileSync(config, `${settings} events { worker_connections 1024; }\nhttp { ${http} }\n`);
      const run = ["nginx", "-p", folder, "-e", "stderr", "-c", config];
      return { run, check: [...run, "-t", "-q"] };
    },
  },
  {
    name: "caddy",
    file: "caddy/Caddyfile",
    probe: ["caddy", "version"],
    install: "apt-get install caddy",
    substitutions: ({ folder, httpPort, httpsPort, otherPort, serverPorts }) => [
      ["# tls /etc/ssl", "tls /etc/ssl"],
      ["/etc/ssl/fib.example.org", folder],
      NAME,
      ["http_port 80", `http_port ${httpPort}`],
      ["https_port 443", `https_port ${httpsPort}`],
      ["default_bind 0.0.0.0 [::]", `default_bind 127.0.0.1${hasIpv6 ? " [::1]" : ""}`],
      ["admin localhost:2019", `admin 127.0.0.1:${otherPort}`],
      ["to 127.0.0.1:8080", `to 127.0.0.1:${serverPorts[0]}`],
      ["to 127.0.0.1:8081", `to 127.0.0.1:${serverPorts[1]}`],
    ],
    several: ["to 127.0.0.1:8081", "lb_policy ", "lb_try_duration ", "health_uri ", "health_interval "].map(
      (start) => [`# ${start}`, start],
    ),
    patient: [
      ["lb_try_duration 2s", "lb_try_duration 4m"],
      ["health_interval 2s", "health_interval 2s\n\t\thealth_timeout 4m"],
    ],
    below: [],
    impatient: [
      ["read_header 10s", "read_header 1s"],
      ["idle 1m", "idle 1s"],
    ],
    commands: (file) => {
      const options = ["--adapter", "caddyfile", "--config", file];
      return { run: ["caddy", "run", ...options], check: ["caddy", "validate", ...options] };
    },
  },
  {
    name: "haproxy",
    file: "haproxy/haproxy.cfg",
    probe: ["haproxy", "-v"],
    install: "apt-get install haproxy",
    substitutions: ({ folder, httpPort, httpsPort, serverPorts }) => [
      ["/etc/haproxy/fib.example.org.pem", `${folder}/both.pem`],
      NAME,
      ["bind [::]:80 v4v6", bindOf(httpPort)],
      ["bind [::]:443 v4v6", bindOf(httpsPort)],
      ["log /dev/log local0", "log stderr local0"],
      ["user haproxy", `user ${idOf("-un")}`],
      ["group haproxy", `group ${idOf("-gn")}`],
      ["127.0.0.1:8080\n", `127.0.0.1:${serverPorts[0]}\n`],
      ["127.0.0.1:8081\n", `127.0.0.1:${serverPorts[1]}\n`],
    ],
    several: [
      ["    server one 127.0.0.1:8080\n    # option", "    # option"],
      ["# option httpchk", "option httpchk"],
      ["# http-check", "http-check"],
      ["# default-server check", "default-server check"],
      ["# server one", "server one"],
      ["# server two", "server two"],
    ],
    patient: [["inter 2s fall 2", "inter 2s fall 1000"]],
    below: [],
    impatient: [
      ["timeout http-request 10s", "timeout http-request 1s"],
      ["timeout client 60s", "timeout client 1s"],
    ],
    commands: (file) => ({ run: ["haproxy", "-db", "-f", file], check: ["haproxy", "-c", "-q", "-f", file] }),
  },
];

const bindOf = (port: number) => `bind 127.0.0.1:${port}${hasIpv6 ? `,[::1]:${port}` : ""}`;

function idOf(what: "-un" | "-gn"): string {
  return Bun.spawnSync(["id", what]).stdout.toString().trim();
}

/** A proxy that runs. */
export interface Proxy extends AsyncDisposable {
  readonly pid: number;
  /** With https, such as `https://localhost:40123`. */
  readonly url: string;
  readonly httpsPort: number;
  readonly httpPort: number;
  /** Who vouches for its certificate, as a file and as PEM. */
  readonly caFile: string;
  readonly ca: string;
  /** Of what it keeps on disk. */
  readonly folder: string;
  /** Asks it, or the whole of an address. */
  readonly fetch: (to: string, init?: RequestInit) => Promise<Response>;
  /** What it says of its file; nothing when all is well. */
  readonly complaints: string;
}

/** A certificate for localhost, which vouches for itself, and its key. */
async function makeCertificate(file: string, keyFile: string): Promise<[certificate: string, key: string]> {
  const kind = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=localhost".split(" ");
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  await Bun.$`openssl req -x509 ${kind} -addext ${names} -keyout ${keyFile} -out ${file}`.quiet();
  return [fs.readFileSync(file, "utf8"), fs.readFileSync(keyFile, "utf8")];
}

/**
 * Starts one.
 *
 * @param variants - Further changes of its file, made first.
 * @throws {@link Error} when a change changes nothing: then the file is another one.
 */
export async function startProxy(
  kind: Kind,
  serverPorts: readonly number[],
  variants: readonly Substitution[] = [],
): Promise<Proxy> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-proxy-"));
  const inFolder = (name: string) => path.join(folder, name);
  const [chain, key] = await makeCertificate(inFolder("fullchain.pem"), inFolder("privkey.pem"));
  fs.writeFileSync(inFolder("both.pem"), chain + key, { mode: 0o600 });
  const [httpsPort, httpPort, otherPort] = [await freePort(), await freePort(), await freePort()];
  const place = { folder, httpsPort, httpPort, otherPort, serverPorts };
  let text = fs.readFileSync(path.join(DEPLOY, kind.file), "utf8");
  for (const [from, to] of [...variants, ...kind.substitutions(place)]) {
    if (!text.includes(from)) throw new Error(`There is no '${from}' in ${kind.file}`);
    text = text.replaceAll(from, to);
  }
  const file = path.join(folder, path.basename(kind.file));
  fs.writeFileSync(file, text);
  const { run, check } = kind.commands(file, place);
  const env = { PATH: process.env["PATH"], HOME: folder };
  const checked = Bun.spawnSync(check, { env });
  const child = Bun.spawn(run, { env, stdio: ["ignore", "ignore", Bun.file(`${folder}/log`)] });
  const url = `https://localhost:${httpsPort}`;
  const ask: Proxy["fetch"] = (to, init = {}) =>
    fetch(to.startsWith("https:") ? to : url + to, { ...init, tls: { ca: chain } });
  await until(`${kind.name} answers`, async () => {
    if (child.exitCode !== null)
      throw new Error(`${kind.name} ended: ${fs.readFileSync(`${folder}/log`, "utf8")}`);
    return ask("/metrics").then(
      () => true,
      () => false,
    );
  });
  return {
    pid: child.pid,
    url,
    httpsPort,
    httpPort,
    caFile: inFolder("fullchain.pem"),
    ca: chain,
    folder,
    fetch: ask,
    complaints: `${checked.stdout.toString()}${checked.stderr.toString()}`
      .split("\n")
      .filter((line) => !NO_COMPLAINT.test(line))
      .join("\n"),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}
