/**
 * A real nginx before a server: on a free port of the loopback, in a folder of its own, one process, gone with the test.
 * @module
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { until } from "./binary.ts";
import { freePort } from "./redis.ts";

/** A proxy that runs. */
interface Nginx extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
}

/**
 * Starts the program with what its `http` has, in one process, in a folder of its own.
 *
 * @param folder - Has its configuration, its pid and its errors.
 */
export function spawnNginx(folder: string, http: string): Bun.Subprocess {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const config = path.join(folder, "nginx.conf");
  fs.writeFileSync(
    config,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/errors;
events {}
http { access_log off; ${temporary.join(" ")} ${http} }
`,
  );
  return Bun.spawn(["nginx", "-p", folder, "-e", `${folder}/errors`, "-c", config], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** Starts it. @param location - What its `server` has besides its port, such as a `location /fib/ { … }`. */
export async function startNginx(location: string): Promise<Nginx> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-nginx-"));
  const port = await freePort();
  const child = spawnNginx(folder, `server { listen 127.0.0.1:${port}; ${location} }`);
  const url = `http://127.0.0.1:${port}`;
  await until("nginx answers", async () => {
    if (child.exitCode !== null)
      throw new Error(`nginx ended: ${fs.readFileSync(`${folder}/errors`, "utf8")}`);
    return fetch(url).then(
      () => true,
      () => false,
    );
  });
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}
