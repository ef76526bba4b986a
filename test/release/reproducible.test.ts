/**
 * What is released is the same wherever, whenever and by whomever it is made: archives, packages, list of parts, script.
 * Makes all of it anew, in another folder, by another umask, in another time zone: 60 s of processor time.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { copyOfSources } from "../sources.ts";
import { artefact } from "./artefacts.ts";

setDefaultTimeout(3_600_000);

const ROOT = path.resolve(import.meta.dir, "../..");

test("make release makes the same bytes in another folder", async () => {
  using folder = await copyOfSources();
  const { commit, time, url } = {
    commit: fs.readFileSync(path.join(ROOT, "build/commit"), "utf8").trim(),
    time: fs.readFileSync(path.join(ROOT, "build/release/time"), "utf8").trim(),
    url: fs.readFileSync(path.join(ROOT, "build/release/url"), "utf8").trim(),
  };
  // Not the flags of a make that runs this.
  const env = {
    ...process.env,
    MAKEFLAGS: "",
    SOURCE_DATE_EPOCH: time,
    TZ: "Pacific/Chatham",
    LC_ALL: "C.UTF-8",
  };
  const made = Bun.spawnSync(
    ["sh", "-c", 'umask 077 && exec make -j2 release "$@"', "sh", `COMMIT=${commit}`, `RELEASE_URL=${url}`],
    { cwd: folder.path, env },
  );
  expect({
    exitCode: made.exitCode,
    said: made.exitCode === 0 ? "" : made.stderr.toString().slice(-4000),
  }).toEqual({
    exitCode: 0,
    said: "",
  });
  const [here, there] = [artefact("SHA256SUMS"), path.join(folder.path, "dist/release/SHA256SUMS")].map(
    (file) => fs.readFileSync(file, "utf8").trimEnd().split("\n"),
  );
  expect(here!.length).toBeGreaterThan(5);
  expect(there).toEqual(here);
});
