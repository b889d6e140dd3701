/** The kernel's accounting. Children read it: under explicit permissions /proc is closed to this process. */
import { shell } from "../support/twixt.ts";

/** Seconds that each thread has used, by `PID/TID`. */
export type CpuTimes = ReadonlyMap<string, number>;

/** Prints a process and all that descend from it. Only builtins: a program for each file would take longer than the rest. */
const TREE = `tree() {
  echo "$1"
  for file in /proc/$1/task/*/children; do
    read -r children < "$file"
    for child in $children; do tree "$child"; done
  done
}`;

/**
 * What every thread of a process and of its descendants has used so far. It is exact: schedstat counts nanoseconds, where
 * `stat` counts hundredths of a second.
 */
export async function cpuTimes(pid: number): Promise<CpuTimes> {
  const text = await shell(`${TREE}
    for pid in $(tree ${pid}); do
      for task in /proc/$pid/task/*; do
        read -r ns rest < "$task/schedstat" && echo "$pid/\${task##*/} $ns"
      done
    done`);
  const times = new Map(
    text.split("\n").map((line) => {
      const [thread, ns] = line.split(" ");
      return [thread!, Number(ns) / 1e9] as const;
    }),
  );
  if (text === "") {
    throw new Error(`the kernel doesn't say what process ${pid} uses`);
  }
  return times;
}

/** What was used between two looks, thread by thread, the busiest first. Threads that have ended since don't count. */
export function usedBetween(before: CpuTimes, after: CpuTimes): number[] {
  return [...after].map(([thread, seconds]) => seconds - (before.get(thread) ?? 0))
    .filter((seconds) => seconds > 0)
    .sort((a, b) => b - a);
}

/** Resident memory of a process and its descendants, in bytes. Pages that they share count for each. */
export async function residentBytes(pid: number): Promise<number> {
  const text = await shell(`${TREE}
    for pid in $(tree ${pid}); do
      while read -r key value unit; do [ "$key" = VmRSS: ] && echo "$value"; done < /proc/$pid/status
    done`);
  return text.split("\n").reduce((sum, kib) => sum + Number(kib), 0) * 1024;
}

/** Descriptors that this process may have: `deno run` has raised its limit to the hard one. */
export async function descriptorLimit(): Promise<number> {
  const text = await shell("ulimit -Hn");
  return text === "unlimited" ? 1_048_576 : Number(text);
}

/** The machine in a line: kernel, processor, cores. */
export async function machine(): Promise<string> {
  const model = await shell(`while read -r a b c rest; do
      [ "$a $b" = "model name" ] && echo "$rest" && break
    done < /proc/cpuinfo`);
  const kernel = await shell("uname -sr");
  return `${kernel}, ${navigator.hardwareConcurrency} x ${model || "unknown processor"}`;
}
