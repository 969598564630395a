/**
 * What lies where in a run folder, whose run it is, and how a new run takes the place of an old one (docs/decisions/0006):
 *   run.json            settings, and the step at which the run was finished
 *   metrics.jsonl       what happened, the same on every machine     timing.jsonl   how long it took
 *   checkpoints/step-00001000.safetensors     best.safetensors       model.safetensors   the final model
 *   previous/           the run that was here before, until the new one is finished
 * Invariant: files beside no run.json belong to previous/run.json. So an old run moves out with its run.json first and back with it last,
 * and wherever that is interrupted, the next start knows what was under way.
 */
import { join } from 'node:path';
import { MicrogptError } from '../base/errors.js';
import { parseJson } from '../base/json.js';
import { makeFolders, parseTemporary, syncFolder, writeFileDurably } from './durable.js';
import { type FileSystem, ifThere, readableSize } from './file-system.js';
import { readFileBounded } from './files.js';

export const RUN = {
  record: 'run.json',
  metrics: 'metrics.jsonl',
  timing: 'timing.jsonl',
  checkpoints: 'checkpoints',
  best: 'best.safetensors',
  model: 'model.safetensors',
  previous: 'previous',
} as const;

/** All of a run that moves aside. The final model stays in its place until another final model replaces it. */
const MOVED = [RUN.metrics, RUN.timing, RUN.checkpoints, RUN.best] as const;
const RECORD_BYTES = 2 ** 20;

export interface RunRecord {
  /** Plain JSON. */
  readonly settings: unknown;
  /** The step of the final model, or null for a run that goes on. */
  readonly finished: number | null;
}

export interface RunState {
  /** null where there is no run. */
  readonly record: RunRecord | null;
  /** Steps of the checkpoints, newest first. */
  readonly steps: readonly number[];
  /** Something is there that training again would have to make again. */
  readonly unfinished: boolean;
}

export const checkpointName = (step: number): string => `step-${String(step).padStart(8, '0')}.safetensors`;

/** Steps of the checkpoints in a run folder, newest first: the names decide, not the clock. */
export async function checkpointSteps(fs: FileSystem, folder: string): Promise<number[]> {
  const names = (await ifThere(fs.readdir(join(folder, RUN.checkpoints)))) ?? [];
  return names
    .map((name) => /^step-(\d{8,15})\.safetensors$/.exec(name)?.[1])
    .filter((step) => step !== undefined)
    .map(Number)
    .sort((a, b) => b - a);
}

/** @throws MG_RUN_DAMAGED */
export async function readState(fs: FileSystem, folder: string): Promise<RunState> {
  const path = join(folder, RUN.record);
  const there = await ifThere(fs.stat(path));
  const record = there === null ? null : parseRecord(await readFileBounded(path, RECORD_BYTES, '', fs), path);
  const steps = await checkpointSteps(fs, folder);
  const began = steps.length > 0 || (await ifThere(fs.stat(join(folder, RUN.best)))) !== null;
  const finished = record?.finished ?? null;
  return { record, steps, unfinished: began && (finished === null || (steps[0] ?? 0) > finished) };
}

function parseRecord(bytes: Uint8Array, path: string): RunRecord {
  const text = new TextDecoder().decode(bytes);
  parseJson(text, path, 'MG_RUN_DAMAGED'); // strict: no name twice, none that reaches a prototype
  const record: unknown = JSON.parse(text);
  if (typeof record === 'object' && record !== null && 'settings' in record && 'finished' in record) {
    const { settings, finished } = record;
    if (finished === null || (typeof finished === 'number' && Number.isSafeInteger(finished))) {
      return { settings, finished };
    }
  }
  throw damaged(path, 'has no "settings" or no "finished"');
}

export function damaged(path: string, what: string): MicrogptError {
  return new MicrogptError(
    'MG_RUN_DAMAGED',
    `${path} ${what}`,
    'restore the file, or start a new run: in another folder with --run, or here with --overwrite',
  );
}

/** `settings` must be plain JSON. */
export async function writeRecord(fs: FileSystem, folder: string, { settings, finished }: RunRecord): Promise<void> {
  const text = `${JSON.stringify({ format: 1, finished, settings }, null, 2)}\n`;
  const what = finished === null ? 'the settings' : 'that the run is finished';
  await writeFileDurably(join(folder, RUN.record), new TextEncoder().encode(text), { fs, what });
}

/** Moves the run that is in `folder` to previous/, or goes on moving it. */
export async function setAside(fs: FileSystem, folder: string): Promise<void> {
  const previous = join(folder, RUN.previous);
  if ((await ifThere(fs.stat(join(folder, RUN.record)))) !== null) {
    await removePrevious(fs, folder);
    await makeFolders(fs, previous);
    await move(fs, folder, previous, [RUN.record]);
  }
  await makeFolders(fs, previous); // checkpoints whose run.json somebody deleted move as well
  await move(fs, folder, previous, MOVED);
}

/** The opposite of `setAside`, where a new run was about to begin and never did. */
export async function moveBack(fs: FileSystem, folder: string): Promise<void> {
  const previous = join(folder, RUN.previous);
  const has = async (place: string, name: string) => (await ifThere(fs.stat(join(place, name)))) !== null;
  if ((await has(folder, RUN.record)) || !(await has(previous, RUN.record))) return;
  // With something on both sides it was not we who took run.json away.
  for (const name of MOVED) if ((await has(folder, name)) && (await has(previous, name))) return;
  await move(fs, previous, folder, MOVED);
  await move(fs, previous, folder, [RUN.record]);
  await fs.rmdir(previous).catch(() => {});
}

/** Moves what is there, for good. What is there on the other side is not replaced. */
async function move(fs: FileSystem, from: string, to: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const isThere = (await ifThere(fs.stat(join(from, name)))) !== null;
    if (isThere && (await ifThere(fs.stat(join(to, name)))) === null) await fs.rename(join(from, name), join(to, name));
  }
  await syncFolder(fs, to);
  await syncFolder(fs, from);
}

/** Its run.json first: a half-removed run is none. */
export async function removePrevious(fs: FileSystem, folder: string): Promise<void> {
  const previous = join(folder, RUN.previous);
  if ((await ifThere(fs.stat(previous))) === null) return;
  await ifThere(fs.unlink(join(previous, RUN.record)));
  await syncFolder(fs, previous);
  await removeRun(fs, previous);
  await fs.rmdir(previous).catch(() => {}); // stays if somebody has put a file there
}

/** Removes a run that has nothing to lose, its run.json last: its files must not pass for another's. The final model stays. */
export async function removeRun(fs: FileSystem, folder: string): Promise<void> {
  const checkpoints = join(folder, RUN.checkpoints);
  for (const name of (await ifThere(fs.readdir(checkpoints))) ?? []) {
    if (/^step-\d+\.safetensors$/.test(name)) await ifThere(fs.unlink(join(checkpoints, name)));
  }
  await fs.rmdir(checkpoints).catch(() => {});
  for (const name of [RUN.metrics, RUN.timing, RUN.best]) await ifThere(fs.unlink(join(folder, name)));
  await syncFolder(fs, folder);
  await ifThere(fs.unlink(join(folder, RUN.record)));
}

/** Removes what killed processes left unfinished. Only for the holder of the lock: nobody else is saving here. */
export async function sweepUnfinished(fs: FileSystem, folder: string): Promise<string | null> {
  const ours = (target: string) =>
    Object.values<string>(RUN).includes(target) || /^step-\d+\.safetensors$/.test(target);
  const swept: { name: string; size: number; pid: number }[] = [];
  for (const place of [folder, join(folder, RUN.checkpoints)]) {
    for (const name of (await ifThere(fs.readdir(place))) ?? []) {
      const temporary = parseTemporary(name);
      if (temporary === null || !ours(temporary.target)) continue;
      const size = (await ifThere(fs.stat(join(place, name))))?.size ?? 0;
      const isGone = await fs.unlink(join(place, name)).then(
        () => true,
        () => false,
      );
      if (isGone) swept.push({ name, size, pid: temporary.pid });
    }
  }
  if (swept.length === 0) return null;
  const pids = [...new Set(swept.map(({ pid }) => pid))];
  const by = `left by process${pids.length > 1 ? 'es' : ''} ${pids.join(', ')}`;
  const size = readableSize(swept.reduce((sum, one) => sum + one.size, 0));
  return swept.length === 1
    ? `removed 1 unfinished save (${swept[0].name}, ${size}) ${by}`
    : `removed ${swept.length} unfinished saves (${size}) ${by}`;
}
