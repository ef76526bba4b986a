/**
 * What a process tells of itself, by the names that all Prometheus clients use, and what it was built from.
 *
 * How late the loop is is a histogram of our own timer, ten times a second: those of several servers can be added up.
 * `monitorEventLoopDelay`, tried, works in Bun, but has quantiles of the whole life of the process, or since whoever
 * asked last, and there may be two who ask. All else is read when somebody asks, in 0.1 ms.
 * @see https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
 * @module
 */
import fs from "node:fs";
import { BUILD_INFO } from "./build-info.ts";
import type { HistogramCell, Registry } from "./metrics.ts";

const SAMPLE_MS = 100;
const DELAY_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Registers it all. */
export function showProcess(registry: Registry): void {
  registry.value("process_cpu_seconds_total", "Time of CPUs that was used, in seconds.", cpuSeconds);
  registry.value("process_resident_memory_bytes", "Memory that is resident.", () =>
    process.memoryUsage.rss(),
  );
  registry.value("process_virtual_memory_bytes", "Address space, most of it never touched.", virtualBytes);
  registry.value("process_open_fds", "Open file descriptors.", openCount);
  registry.value("process_max_fds", "How many file descriptors may be open.", openCountMax);
  registry.value(
    "process_start_time_seconds",
    "When the process was started, in seconds since 1970.",
    () => performance.timeOrigin / 1000,
  );
  const labels = ["version", "commit", "bun"];
  registry.gauge("fibserver_build_info", "What this program was built from.", labels, () => [
    [[BUILD_INFO.version, BUILD_INFO.commit, BUILD_INFO.bun], 1],
  ]);
  const delay = registry.histogram(
    "fibserver_eventloop_delay_seconds",
    "How much later than it was due a timer ran, of ten each second.",
    [],
    DELAY_BOUNDS,
  );
  watchLoop(delay.cell());
}

function watchLoop(delay: HistogramCell): void {
  let dueMs = performance.now() + SAMPLE_MS;
  const timer = setTimeout(() => {
    const nowMs = performance.now();
    delay.observe(Math.max(0, nowMs - dueMs) / 1000);
    dueMs = nowMs + SAMPLE_MS;
    timer.refresh();
  }, SAMPLE_MS);
  timer.unref();
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function virtualBytes(): number {
  return Number(/^VmSize:\s+(\d+) kB$/m.exec(fs.readFileSync("/proc/self/status", "utf8"))![1]) * 1024;
}

function openCount(): number {
  // Since Linux 6.2 the size tells; of 10,000 names the list takes 5 ms.
  return fs.statSync("/proc/self/fd").size || fs.readdirSync("/proc/self/fd").length;
}

function openCountMax(): number {
  const [, limit] = /^Max open files +(\S+)/m.exec(fs.readFileSync("/proc/self/limits", "utf8"))!;
  return limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
}
