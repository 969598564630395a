/**
 * What the tests of this folder do with a run, and what they demand of it afterwards: a small trainer without a model.
 */
import { expect } from 'vitest';
import { MicrogptError } from '../../src/base/errors.js';
import type { FileSystem } from '../../src/node/file-system.js';
import type { Processes } from '../../src/node/lock.js';
import { openRun, type Run } from '../../src/node/runs.js';
import { patterned, stepOf } from '../programs/patterned.js';

export const FOLDER = '/runs/a';
export const SIZE = 2400;

/** Processes of which only the newest is alive: each call starts the machine again. */
let pid = 1000;
export function nextProcess(): Processes {
  const self = { pid: ++pid, start: '0', host: 'here' };
  return { self, isAlive: (holder) => holder.pid === self.pid, now: () => 0 };
}

export function verify(bytes: Uint8Array): void {
  if (stepOf(bytes) === null) throw new MicrogptError('MG_CKPT_UNKNOWN', 'not whole', 'none');
}

export const begin = (fs: FileSystem, name: string): Promise<Run> =>
  openRun(FOLDER, { create: { settings: { name } }, fs, processes: nextProcess() });
export const resume = (fs: FileSystem): Promise<Run> => openRun(FOLDER, { resume: true, fs, processes: nextProcess() });

/** One line for every ten steps, up to and with `step`. */
export function report(run: Run, from: number, step: number): void {
  for (let at = from + 10; at <= step; at += 10) {
    run.appendMetrics([{ type: 'step', step: at, loss: 1 / at }]);
    run.appendTiming({ step: at, seconds: at / 100 });
  }
}

/** All of a file, or null. */
export async function content(fs: FileSystem, path: string): Promise<Uint8Array | null> {
  const info = await fs.stat(path).catch(() => null);
  if (info === null) return null;
  const file = await fs.open(path, 'read');
  const bytes = new Uint8Array(info.size);
  for (let at = 0; at < info.size; ) at += await fs.read(file, bytes.subarray(at), at);
  await fs.close(file);
  return bytes;
}

/** Goes on as after a crash: the newest checkpoint is whole, nothing had to be skipped, and the metrics reach exactly to it. */
export async function recover(fs: FileSystem): Promise<{ step: number; name: unknown; finished: number | null }> {
  const run = await resume(fs);
  try {
    const newest = await run.newestCheckpoint(verify);
    if (newest === null) throw new MicrogptError('MG_RUN_NO_CHECKPOINT', 'none was saved yet', 'start over');
    const { step, bytes, skipped } = newest;
    expect(skipped).toEqual([]);
    expect(stepOf(bytes)).toBe(step);
    await run.truncateMetrics(step);
    const lines = new TextDecoder()
      .decode((await content(fs, `${FOLDER}/metrics.jsonl`))!)
      .trimEnd()
      .split('\n');
    const steps = lines.map((line) => JSON.parse(line).step);
    expect(steps).toEqual(Array.from({ length: step / 10 }, (_, i) => 10 * (i + 1)));
    return { step, name: (run.settings as { name: unknown }).name, finished: run.finished };
  } finally {
    await run.close();
  }
}

export const save = (step: number): Uint8Array => patterned(step, SIZE);
