/**
 * A Dockerfile carried out without Docker: each stage is a bare root, and the last one is run as its image would be.
 * Only what our file uses is known here; anything else is an error.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { type BareRoot, bareRoot } from "../bare-root.ts";

/** What an image says of how it is run. */
export interface Image extends Disposable {
  readonly root: BareRoot;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly volume: string;
  readonly port: string;
  readonly stopSignal: NodeJS.Signals;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
}

interface Stage {
  readonly name: string;
  readonly from: string;
  readonly steps: { readonly word: string; readonly rest: string }[];
}

/** Builds for amd64. @param context - The folder that its files are from. */
export async function buildImage(file: string, context: string): Promise<Image> {
  const stages = parse(fs.readFileSync(file, "utf8"));
  const final = stages.at(-1)!;
  using built = new DisposableStack();
  const folders = new Map<string, string>();
  for (const stage of stages.slice(0, -1)) {
    // A stage from another one begins with its files; of two for different machines only ours is made.
    if (stage.name === "arm64") continue;
    const root = built.use(bareRoot({ busybox: true }));
    const before = folders.get(stage.from);
    if (before !== undefined) fs.cpSync(`${before}/archive`, `${root.path}/archive`, { recursive: true });
    for (const step of stage.steps) await carryOut(step, root, context, folders);
    folders.set(stage.name, root.path);
  }
  const root = bareRoot({ programs: [path.join(context, "dist/fibserver")] });
  const said: Record<string, string> = {};
  for (const step of final.steps) {
    if (step.word === "COPY") await carryOut(step, root, context, folders);
    else said[step.word] = step.rest;
  }
  const { ENV, USER, VOLUME, EXPOSE, STOPSIGNAL, ENTRYPOINT, CMD, HEALTHCHECK, WORKDIR, ...unknown } = said;
  if (Object.keys(unknown).length > 0 || WORKDIR !== "/")
    throw new Error(`Unknown: ${Object.keys(unknown).join(", ")}`);
  return {
    root,
    env: Object.fromEntries(ENV!.split(" ").map((pair) => pair.split("=") as [string, string])),
    user: USER!,
    volume: VOLUME!,
    port: EXPOSE!,
    stopSignal: STOPSIGNAL as NodeJS.Signals,
    entrypoint: words(ENTRYPOINT!),
    command: words(CMD!),
    healthCheck: words(HEALTHCHECK!),
    [Symbol.dispose]: () => root[Symbol.dispose](),
  };
}

/** The words of a command in its exec form, behind any flags. */
function words(text: string): string[] {
  return JSON.parse(text.slice(text.indexOf("["))) as string[];
}

/** Its stages, without comments, with the values of its arguments. */
function parse(text: string): Stage[] {
  const values: Record<string, string> = { TARGETARCH: "amd64" };
  const stages: Stage[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line.trim() === "") continue;
    const [, word, raw] = /^([A-Z]+) (.*)$/.exec(line)!;
    const rest = raw!.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => values[name]!);
    if (word === "ARG") {
      const [name, value] = rest.split("=") as [string, string];
      values[name] = value;
    } else if (word === "FROM") {
      const [from, , name = ""] = rest.split(" ");
      stages.push({ name, from: from!, steps: [] });
    } else stages.at(-1)!.steps.push({ word: word!, rest });
  }
  return stages;
}

/** ADD of an archive, RUN, and COPY from another stage. */
async function carryOut(
  { word, rest }: Stage["steps"][number],
  root: BareRoot,
  context: string,
  folders: ReadonlyMap<string, string>,
): Promise<void> {
  const parts = rest.split(" ");
  const flags = Object.fromEntries(
    parts.filter((each) => each.startsWith("--")).map((flag) => flag.slice(2).split("=") as [string, string]),
  );
  const [from, to] = parts.filter((each) => !each.startsWith("--")) as [string, string];
  const target = root.path + to;
  if (word === "ADD") {
    const archives = Array.from(new Bun.Glob(from).scanSync(context));
    if (archives.length !== 1) throw new Error(`${from} is ${archives.length} files: make release`);
    fs.mkdirSync(target, { recursive: true });
    await Bun.$`tar -xzf ${path.join(context, archives[0]!)} -C ${target}`;
  } else if (word === "RUN") {
    const { exitCode, stderr } = await root.run(["/bin/sh", "-ec", rest], { user: 0 });
    if (exitCode !== 0) throw new Error(`${rest}: ${stderr}`);
  } else if (word === "COPY") {
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.cpSync(folders.get(flags["from"]!)! + from, target, { recursive: true });
    if (flags["chmod"] !== undefined) await Bun.$`chmod -R ${flags["chmod"]} ${target}`;
    await Bun.$`chown -R ${flags["chown"] ?? "0:0"} ${target}`;
  } else throw new Error(`${word} is not known here`);
}
