/**
 * What can be set about who reaches a server, and who may.
 * @module
 */
import type { PemFile } from "../certificates.ts";
import { FibError } from "../errors.ts";
import { fileOf, isFlag, type Setting, type Settings } from "./settings.ts";
import { shortened } from "../shell-word.ts";

/** Where a server or an executor listens, and whom it answers. */
export interface NetworkConfig {
  readonly host: string;
  /** Host names, lower case, that a request may name besides our own. */
  readonly allowHosts: readonly string[];
  /** Below which path the server is, such as `/fib`, without a slash at its end; empty for the root. */
  readonly basePath: string;
  /** Where an executor answers those who watch it. */
  readonly metricsAt: { readonly host: string; readonly port: number } | undefined;
  /** Addresses and networks, such as `10.0.0.0/8`, of proxies that are believed. */
  readonly trustedProxies: readonly string[];
  /** Origins of pages, such as `https://app.example.org`, that may ask; `*` for all, which no tokens or cookies are with. */
  readonly allowOrigins: readonly string[];
  /** The file of tokens; undefined when everybody may. */
  readonly tokensFile: string | undefined;
  /** Certificate and key; undefined for plain HTTP. */
  readonly tls: { readonly cert: PemFile; readonly key: PemFile } | undefined;
  /** Lets another server take over the same port. */
  readonly reusePort: boolean;
}

/**
 * Reads it all. No file is opened.
 *
 * @throws {@link FibError} `bad_argument`.
 */
export function networkConfig({ setting, on }: Settings): NetworkConfig {
  return {
    host: hostOf(setting("host")),
    allowHosts: hostNames(setting("allow-host")),
    basePath: basePathOf(setting("base-path")),
    metricsAt: listenAddress(setting("metrics")),
    trustedProxies: networks(setting("trust-proxy")),
    allowOrigins: origins(setting("allow-origin"), {
      tokens: setting("tokens").text,
      "per-client": on("per-client"),
    }),
    tokensFile: fileOf(setting("tokens")),
    tls: tlsFiles(setting("tls-cert"), setting("tls-key")),
    reusePort: on("reuse-port"),
  };
}

function tlsFiles(cert: Setting, key: Setting): NetworkConfig["tls"] {
  const [certPath, keyPath] = [fileOf(cert), fileOf(key)];
  if (certPath !== undefined && keyPath !== undefined)
    return { cert: { path: certPath, source: cert.source }, key: { path: keyPath, source: key.source } };
  if (certPath === undefined && keyPath === undefined) return undefined;
  const [given, missing, flag] =
    certPath === undefined ? [key, cert, "--tls-cert"] : [cert, key, "--tls-key"];
  // Named as the other was.
  const other = isFlag(given) ? flag : missing.source;
  throw new FibError("bad_argument", `Cannot use ${given.source} without ${other}: TLS needs both`);
}

// An empty one would open the server to the network, and a variable that is empty is enough.
function hostOf({ text, source }: Setting): string {
  if (text !== "") return text ?? "127.0.0.1";
  throw new FibError("bad_argument", `Cannot use an empty ${source}: it takes an address, such as 127.0.0.1`);
}

/**
 * A path of plain segments: whoever spells it, browsers, proxies and we, has the same characters.
 *
 * @throws {@link FibError} `bad_argument`.
 */
export function basePathOf({ text = "", source }: Setting): string {
  const path = text.replace(/\/$/, "");
  if (path === "") return path;
  const refuse = (what: string, example: string) =>
    new FibError(
      "bad_argument",
      `Cannot use '${shortened(text)}' for ${source}: ${what}, such as ${example}`,
    );
  const segments = path.split("/").filter((segment) => /^(?!\.{1,2}$)[\w.~-]+$/.test(segment));
  const meant = segments.map((segment) => `/${segment}`).join("");
  if (path !== meant) throw refuse("it takes a path of letters, digits and -._~", meant || "/fib");
  if (/^\/(livez|readyz|metrics)$/.test(path))
    throw refuse("that one is answered at the root; it takes another", `/fib${path}`);
  return path;
}

function listenAddress({ text, source }: Setting): NetworkConfig["metricsAt"] {
  if (text === undefined) return undefined;
  const [, host = "127.0.0.1", port] = /^(?:([\w.-]+|\[[\da-f:.]+\]):)?(\d{1,5})$/i.exec(text) ?? [];
  if (Number(port) <= 65_535) return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(text)}' for ${source}: it takes HOST:PORT, such as 127.0.0.1:9090, [::1]:9090, or 9090 alone`,
  );
}

function hostNames(setting: Setting): string[] {
  const names = list(setting);
  const wrong = names.find((name) => !/^[\w.-]+$/.test(name));
  if (wrong === undefined) return names;
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(wrong)}' for ${setting.source}: it takes names without scheme and port, such as fib.example.org`,
  );
}

function networks(setting: Setting): string[] {
  const given = list(setting);
  if (given.length === 0) return given;
  // A command of the shell does without node:net.
  const { isIP } = process.getBuiltinModule("node:net");
  const wrong = given.find((cidr) => {
    const [, address = "", bits = "0"] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(cidr) ?? [];
    const family = isIP(address);
    return family === 0 || Number(bits) > (family === 4 ? 32 : 128);
  });
  if (wrong === undefined) return given;
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(wrong)}' for ${setting.source}: it takes addresses or networks, such as 127.0.0.1,10.0.0.0/8,fd00::/8`,
  );
}

/**
 * As browsers spell them. Whoever has tokens, or cursors by cookie, means some pages and not all: to any page in the
 * browser of somebody who has one the server would be as good as open.
 */
function origins(setting: Setting, without: Readonly<Record<string, unknown>>): string[] {
  const given = list(setting);
  const other = Object.keys(without).find((flag) => without[flag]);
  if (given.includes("*") && other !== undefined) {
    throw new FibError(
      "bad_argument",
      `Cannot use * for ${setting.source} together with --${other}: name the origins`,
    );
  }
  if (given.includes("*") && given.length > 1) {
    throw new FibError("bad_argument", `Cannot use * for ${setting.source} beside others: it is all of them`);
  }
  return given.map((text) => {
    const url = URL.parse(text);
    const isExact = url !== null && /^https?:\/\/[^*/\\?#@]+$/.test(text);
    if (text === "*" || isExact) return isExact ? url.origin : text;
    throw new FibError(
      "bad_argument",
      `Cannot use '${shortened(text)}' for ${setting.source}: it takes origins, each a scheme and a host, perhaps with a port, and no path, such as https://app.example.org`,
    );
  });
}

/** Says whether only this machine can connect to an address, or to the host of a URL. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|::1|\[::1\]|127(\.\d+){1,3})$/.test(hostname);
}

// An empty variable is none; commas alone were meant to say something.
function list({ text = "", source }: Setting): string[] {
  const parts = text.split(",").map((part) => part.trim().toLowerCase());
  const given = parts.filter((part) => part !== "");
  if (given.length > 0 || parts.length === 1) return given;
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(text)}' for ${source}: there is nothing between the commas`,
  );
}
