// Processes that are no children of a test: their ends can only be looked for.

/** Waits until a process is no more, so long at the most. */
export async function gone(pid: number, patienceMs: number): Promise<void> {
  const end = performance.now() + patienceMs;
  while (isRunning(pid)) {
    if (performance.now() > end) throw new Error(`Process ${pid} still runs`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function isRunning(pid: number): boolean {
  try {
    // One that has ended and that nobody asked about yet is there, as "Z".
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}
