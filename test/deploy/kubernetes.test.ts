/**
 * deploy/kubernetes/*.yaml: each object against the types of Kubernetes's API, what they name of one another, and their
 * containers' commands and probes by the real program. Kubernetes itself was never run.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { startProgram, temporaryFolder, until } from "../binary.ts";
import { startRedis, withRedis } from "../redis.ts";

setDefaultTimeout(300_000);

const ROOT = path.resolve(import.meta.dir, "../..");
const NAMES = ["single", "scaled"] as const;

/** Where kubernetes-types has the type of each kind, by the version that it is of. */
const MODULES: Readonly<Record<string, string>> = {
  v1: "core/v1",
  "apps/v1": "apps/v1",
  "policy/v1": "policy/v1",
  "networking.k8s.io/v1": "networking/v1",
  "autoscaling/v2": "autoscaling/v2",
};

type Labels = Readonly<Record<string, string>>;

interface Probe {
  readonly httpGet: {
    readonly path: string;
    readonly port: string;
  };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: object;
  readonly resources: object;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

/** Of what this test looks at; the types of all of it are kubernetes-types's. */
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: Labels | { readonly matchLabels: Labels };
    readonly podSelector?: { readonly matchLabels: Labels };
    readonly serviceName?: string;
    readonly ports?: readonly { readonly targetPort: string }[];
    readonly ingress?: readonly { readonly ports: readonly { readonly port: string }[] }[];
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
    readonly metrics?: readonly { readonly external: { readonly metric: { readonly name: string } } }[];
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly template?: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly enableServiceLinks: boolean;
        readonly securityContext: object;
        readonly containers: readonly Container[];
      };
    };
  };
}

const manifests = Object.fromEntries(
  NAMES.map((name) => {
    const text = fs.readFileSync(path.join(ROOT, `deploy/kubernetes/${name}.yaml`), "utf8");
    return [name, Bun.YAML.parse(text) as Manifest[]];
  }),
) as Record<(typeof NAMES)[number], Manifest[]>;

const isWorkload = ({ spec }: Manifest) => spec.template !== undefined;
const containerOf = ({ spec }: Manifest) => spec.template!.spec.containers[0]!;

/** Objects as literals that have to satisfy the types of their kinds. */
function literals(objects: readonly Manifest[]): string {
  const lines = objects.map((object, index) => {
    const type = `import("kubernetes-types/${MODULES[object.apiVersion]}").${object.kind}`;
    return `export const object${index} = ${JSON.stringify(object)} satisfies ${type};`;
  });
  return lines.join("\n");
}

test("each object has the type that Kubernetes 1.30 gives its kind, and a misspelt field none", () => {
  using folder = temporaryFolder();
  const write = (name: string, text: string) => fs.writeFileSync(path.join(folder.path, name), text);
  const all = NAMES.flatMap((name) => manifests[name]);
  const text = literals(all);
  write("right.ts", text);
  const misspelt = [
    ["readinessProbe", "readynessProbe"],
    ["podSelector", "podSelectors"],
    ["maxUnavailable", "maxUnavailible"],
    ["scaleTargetRef", "scaleTarget"],
    ["targetPort", "targetPorts"],
  ] as const;
  for (const [from, to] of misspelt) write(`${to}.ts`, text.replaceAll(`"${from}"`, `"${to}"`));
  const paths = { "kubernetes-types/*": [path.join(ROOT, "node_modules/kubernetes-types/*.d.ts")] };
  const compilerOptions = { strict: true, noEmit: true, types: [], module: "preserve", paths };
  write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const tsc = path.join(ROOT, "node_modules/.bin/tsc");
  const said = Bun.spawnSync([process.execPath, tsc, "--project", "."], {
    cwd: folder.path,
  }).stdout.toString();
  for (const [, to] of misspelt) expect(said).toMatch(new RegExp(`^${to}\\.ts.* '?"?${to}`, "m"));
  const right = said.split("\n").filter((line) => line.startsWith("right.ts"));
  expect(right).toEqual([]);
});

for (const name of NAMES) {
  test(`${name}.yaml: what selects selects something, by labels, and names of ports and volumes are there`, () => {
    const all = manifests[name];
    const workloads = all.filter(isWorkload);
    for (const { kind, metadata, spec } of all) {
      const selector = spec.podSelector ?? spec.selector;
      const what = `${kind} ${metadata.name}`;
      if (selector === undefined) continue;
      const labels = ("matchLabels" in selector ? selector.matchLabels : selector) as Labels;
      const selected = workloads.filter(({ spec: { template } }) =>
        Object.entries(labels).every(([key, value]) => template!.metadata.labels[key] === value),
      );
      expect([what, selected.length]).toEqual([what, 1]);
      const portNames = containerOf(selected[0]!).ports.map((port) => port.name);
      for (const { targetPort } of spec.ports ?? []) expect(portNames).toContain(targetPort);
      for (const { port } of (spec.ingress ?? []).flatMap(({ ports }) => ports))
        expect(portNames).toContain(port);
      // With one replica it would block every drain.
      if (kind === "PodDisruptionBudget") expect(selected[0]!.kind).toBe("Deployment");
    }
    for (const workload of workloads) {
      const { spec } = workload;
      const { template, serviceName, volumeClaimTemplates = [] } = spec;
      const container = containerOf(workload);
      expect(template!.spec).toMatchObject({
        enableServiceLinks: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 65_532,
          seccompProfile: { type: "RuntimeDefault" },
        },
      });
      expect(template!.spec.terminationGracePeriodSeconds).toBeGreaterThan(10);
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(container.resources).toMatchObject({ requests: {}, limits: {} });
      expect((container.volumeMounts ?? []).map((mount) => mount.name)).toEqual(
        volumeClaimTemplates.map(({ metadata }) => metadata.name),
      );
      if (workload.kind === "StatefulSet") {
        expect(spec.replicas).toBe(1);
        expect(all.filter(({ kind }) => kind === "Service").map(({ metadata }) => metadata.name)).toContain(
          serviceName!,
        );
      }
    }
  });
}

withRedis("every container's command is taken by the program, and its probes are answered", async () => {
  using folder = temporaryFolder();
  await using redis = await startRedis();
  const scalers = manifests.scaled.filter(({ kind }) => kind === "HorizontalPodAutoscaler");
  expect(scalers).toHaveLength(1);
  const wanted = scalers.flatMap(({ spec }) => spec.metrics!.map(({ external }) => external.metric.name));
  for (const workload of NAMES.flatMap((name) => manifests[name]).filter(isWorkload)) {
    const container = containerOf(workload);
    const { containerPort } = container.ports[0]!;
    // The image serves on 8080; an executor where it is told to.
    const env = Object.fromEntries(
      container.env.map((each) => [each.name, each.value ?? redis.url] as const),
    );
    const at = env["FIBSERVER_METRICS"];
    expect(at ?? "0.0.0.0:8080").toBe(`0.0.0.0:${containerPort}`);
    if (at !== undefined) env["FIBSERVER_METRICS"] = "127.0.0.1:0";
    const mount = container.volumeMounts?.[0]?.mountPath;
    const args = container.args.map((word) =>
      mount === undefined ? word : word.replace(mount, folder.path),
    );
    if (args[0] === "serve") args.push("-p", "0");
    await using program = await startProgram(args, /"url":"(http:[^"]*)\/"/, { env });
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      if (probe === undefined) continue;
      const { path: route, port } = probe.httpGet;
      expect(port).toBe(container.ports[0]!.name);
      // An executor is ready once Redis has answered it.
      await until(
        `${workload.metadata.name} answers ${route}`,
        async () => (await fetch(program.said + route)).status === 200,
      );
    }
    // What a store does not tell in time is left out of an answer.
    if (args[0] === "serve")
      await until(`${workload.metadata.name} tells ${wanted.join()}`, async () => {
        const text = await (await fetch(`${program.said}/metrics`)).text();
        return wanted.every((metric) => text.includes(`\n# TYPE ${metric} `));
      });
    program.kill("SIGTERM");
    expect(await program.ended()).toBe(0);
  }
  for (const { spec } of scalers) {
    expect(manifests.scaled.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toContain(
      `${spec.scaleTargetRef!.kind} ${spec.scaleTargetRef!.name}`,
    );
  }
});
