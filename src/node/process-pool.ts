/**
 * Jobs in processes of their own, so many at a time and no more.
 * Refuses to know: what they do. Invariant: when it ends, however it ends, no process of its own is left.
 */
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';

export interface Job {
  readonly command: string;
  readonly args: readonly string[];
  /** Gets what the process prints, after what is there. */
  readonly log: string;
}

export interface Ended {
  /** The exit code; 128 and the signal's number where one ended it. */
  readonly code: number;
  readonly seconds: number;
}

/**
 * Runs jobs side by side as `next` gives them, until it gives none. A signal is passed on once: the processes may end in good order, and no
 * further ones are started.
 */
export async function runJobs<T>(
  processes: number,
  next: () => Promise<{ readonly key: T; readonly job: Job } | null>,
  ended: (key: T, how: Ended) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const children = new Set<ReturnType<typeof spawn>>();
  const stop = () => {
    for (const child of children) child.kill('SIGTERM');
  };
  signal.addEventListener('abort', stop);
  async function worker(): Promise<void> {
    while (!signal.aborted) {
      const given = await next();
      if (given === null || signal.aborted) return;
      await ended(given.key, await run(given.job));
    }
  }
  async function run({ command, args, log }: Job): Promise<Ended> {
    const file = await open(log, 'a');
    const start = performance.now();
    try {
      const code = await new Promise<number>((resolve, reject) => {
        // In a group of its own, or Ctrl-C would reach it together with our signal: a second one ends training at once.
        const child = spawn(command, args, { stdio: ['ignore', file.fd, file.fd], detached: true });
        children.add(child);
        child.on('error', reject);
        child.on('close', (exit) => {
          children.delete(child);
          resolve(exit ?? 128);
        });
      });
      return { code, seconds: (performance.now() - start) / 1000 };
    } finally {
      await file.close();
    }
  }
  try {
    await Promise.all(Array.from({ length: processes }, worker));
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}
