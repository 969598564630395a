/**
 * A run as a folder: settings, what happened, checkpoints, the best and the final model, written so that a killed process or a power cut
 * costs at most the steps since the last checkpoint. Refuses to know: what is in a checkpoint; bytes come in, and a `verify` that
 * throws when bytes are not sound. Layout and the rule for folders that are used already: run-folder.ts.
 * Invariants: one trainer at a time; no checkpoint is ahead of its metrics; an older checkpoint goes only after a newer one is on disk.
 */
import { join } from 'node:path';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { type OptionNames, refuse, requireNames } from '../base/options.js';
import { shellWord } from '../base/shell-word.js';
import { makeFolders, type SaveOptions, saveFailure, syncFolder, unwritable, writeFileDurably } from './durable.js';
import { type FileSystem, ifThere, nodeFileSystem, plainReason } from './file-system.js';
import { readFileBounded, unreadable } from './files.js';
import { type LineFile, openLineFile } from './line-file.js';
import { type Lock, lockRun, nodeProcesses, type Processes, sweepClaims } from './lock.js';
import {
  checkpointName,
  checkpointSteps,
  damaged as damagedRecord,
  moveBack,
  RUN,
  type RunRecord,
  readState,
  removePrevious,
  removeRun,
  setAside,
  sweepUnfinished,
  writeRecord,
} from './run-folder.js';

/** Weights and Adam's two moments of the largest model, in f32, and what describes them. */
const CHECKPOINT_BYTES = 3 * 4 * LIMITS.parameters + 2 ** 26;

/** What a new run may take the place of. An unfinished run goes only by 'anything'. */
export type Replace = 'nothing' | 'finished' | 'anything';

/** Whether a run begins or goes on, and how many checkpoints it keeps. */
export interface RunOptions {
  /** Begins a run with these settings, plain JSON. `replace` is 'finished' unless given. */
  readonly create?: { readonly settings: unknown; readonly replace?: Replace };
  /** Goes on with the run that is there. Exactly one of `create` and `resume`. */
  readonly resume?: true;
  /** How many checkpoints to keep beside the best; 2 unless given. */
  readonly keep?: number;
  readonly fs?: FileSystem;
  readonly processes?: Processes;
}

const NAMES: OptionNames<RunOptions> = { create: true, resume: true, keep: true, fs: true, processes: true };

/** The newest sound checkpoint of a run. */
export interface NewestCheckpoint {
  readonly step: number;
  readonly bytes: Uint8Array;
  readonly path: string;
  /** Newer ones that did not pass, newest first. */
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
  /** MG_CKPT_SKIPPED when some were skipped. */
  readonly warning: MicrogptError | null;
}

/** The folder of a run, held by this process until it is closed. */
export interface Run {
  readonly folder: string;
  /** As in run.json. */
  readonly settings: unknown;
  /** The step of the final model when the run was opened; null for a run that was not finished. */
  readonly finished: number | null;
  /** What was tidied up on opening, a sentence each. */
  readonly notes: readonly string[];
  /** Adds lines to metrics.jsonl, in memory first. All of a step's lines go before its checkpoint. */
  appendMetrics(lines: readonly object[]): void;
  appendTiming(line: { readonly step: number; readonly seconds: number }): void;
  /** Writes the lines out for whoever watches the files. Every save does it too, and for good. */
  flush(): Promise<void>;
  /** Cuts from both files, for good, what lies beyond `step`, and a torn last line. For going on from a checkpoint. */
  truncateMetrics(step: number): Promise<void>;
  /** Saves and then removes checkpoints beyond the number to keep. @throws MG_SAVE_DISK_FULL, MG_SAVE_FAILED */
  saveCheckpoint(step: number, bytes: Uint8Array): Promise<void>;
  /** The same for a save that may fail: training goes on and tries again at `nextTry`. The warning to show, or null. */
  trySaveCheckpoint(step: number, bytes: Uint8Array, nextTry: number): Promise<MicrogptError | null>;
  saveBest(step: number, bytes: Uint8Array): Promise<void>;
  /** The same for training that goes on all the same. The warning to show, or null. */
  trySaveBest(step: number, bytes: Uint8Array): Promise<MicrogptError | null>;
  /** The final model; from then on the run is finished, and the one that it replaces goes. */
  saveFinal(step: number, bytes: Uint8Array): Promise<void>;
  /** The newest checkpoint for which `verify` does not throw; null when none was saved yet. @throws MG_RUN_NO_CHECKPOINT when all are damaged */
  newestCheckpoint(verify: (bytes: Uint8Array, path: string) => void): Promise<NewestCheckpoint | null>;
  /** Lets go of the folder. Never throws: what had to be kept has been saved. */
  close(): Promise<void>;
}

/** @throws MG_RUN_LOCKED, MG_RUN_EXISTS, MG_RUN_DAMAGED, MG_FILE_MISSING, MG_SAVE_UNWRITABLE: all before the first step. */
export async function openRun(folder: string, options: RunOptions): Promise<Run> {
  requireNames('openRun', options, NAMES);
  const { fs = nodeFileSystem, processes = nodeProcesses(), create, resume } = options;
  if ((create === undefined) === (resume === undefined)) {
    refuse('what openRun is given', create === undefined ? 'neither' : 'both', 'either create or resume');
  }
  let lock: Lock | null = null;
  const files: LineFile[] = [];
  try {
    if (resume) await requireRun(fs, folder);
    else await makeFolders(fs, folder);
    lock = await lockRun(fs, folder, processes);
    await sweepClaims(fs, folder, processes);
    const note = await sweepUnfinished(fs, folder);
    if (create !== undefined) {
      await makeRoom(fs, folder, create.replace ?? 'finished');
      await writeRecord(fs, folder, { settings: create.settings, finished: null });
    } else await moveBack(fs, folder);
    const { record } = await readState(fs, folder);
    if (record === null) throw damagedRecord(join(folder, RUN.record), 'is missing');
    await makeFolders(fs, join(folder, RUN.checkpoints));
    for (const name of [RUN.metrics, RUN.timing]) files.push(await openLineFile(fs, join(folder, name)));
    await syncFolder(fs, folder);
    const [metrics, timing] = files;
    const keep = Math.max(1, options.keep ?? 2);
    return runOf({ folder, record, notes: note === null ? [] : [note], metrics, timing, lock, keep, fs });
  } catch (error) {
    for (const file of files) await file.close().catch(() => {});
    await lock?.release();
    throw error instanceof MicrogptError ? error : unwritable(folder, plainReason(error));
  }
}

async function requireRun(fs: FileSystem, folder: string): Promise<void> {
  for (const trace of [RUN.record, RUN.checkpoints, join(RUN.previous, RUN.record)]) {
    if ((await ifThere(fs.stat(join(folder, trace)))) !== null) return;
  }
  throw new MicrogptError(
    'MG_FILE_MISSING',
    `there is no run in ${folder} (no ${RUN.record})`,
    'give the folder of a run that was begun with microgpt train',
  );
}

/** The rule of decision 0006: what may be replaced goes aside, what has nothing to lose goes, all else refuses. */
async function makeRoom(fs: FileSystem, folder: string, replace: Replace): Promise<void> {
  const read = () =>
    readState(fs, folder).catch((error: unknown) => {
      if (replace === 'anything') return null; // a damaged run.json
      throw error;
    });
  let state = await read();
  if (state?.record === null && (await ifThere(fs.stat(join(folder, RUN.previous, RUN.record)))) !== null) {
    await setAside(fs, folder); // was under way
    state = await read();
  }
  const isFinished = state?.record?.finished != null;
  if (replace !== 'anything' && (state?.unfinished || (isFinished && replace === 'nothing'))) {
    const newest = state?.steps[0] === undefined ? '' : ` with a checkpoint of step ${state.steps[0]}`;
    throw new MicrogptError(
      'MG_RUN_EXISTS',
      `${folder} holds ${state?.unfinished ? 'an unfinished run' : 'a finished run'}${newest}`,
      `${state?.unfinished ? `go on with --resume ${shellWord(folder)}, ` : ''}use another --run, or replace it with --overwrite`,
    );
  }
  if (state === null || state.unfinished || isFinished) await setAside(fs, folder);
  await removeRun(fs, folder);
}

interface Opened {
  readonly folder: string;
  readonly record: RunRecord;
  readonly notes: readonly string[];
  readonly metrics: LineFile;
  readonly timing: LineFile;
  readonly lock: Lock;
  readonly keep: number;
  readonly fs: FileSystem;
}

function runOf({ folder, record, notes, metrics, timing, lock, keep, fs }: Opened): Run {
  const { settings, finished } = record;
  const pathOf = (step: number) => join(folder, RUN.checkpoints, checkpointName(step));
  /** The newest checkpoint known to be sound, and those known not to be. */
  let sound: number | null = null;
  const damaged = new Set<number>();
  /** Every call waits for the one before. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  }

  async function save(path: string, bytes: Uint8Array, what: string, remedy: string): Promise<void> {
    const intact = sound === null ? 'nothing else is changed' : `step ${sound} is intact`;
    const options: SaveOptions = { fs, what, intact, remedy };
    try {
      await metrics.sync();
      await timing.sync();
    } catch (error) {
      throw await saveFailure(join(folder, RUN.metrics), bytes.length, error, false, options);
    }
    await writeFileDurably(path, bytes, options);
  }

  async function saveStep(step: number, bytes: Uint8Array, remedy: string): Promise<void> {
    await save(pathOf(step), bytes, `step ${step}`, remedy);
    sound = step;
    damaged.delete(step);
    await prune(step);
  }

  const saveBest = (step: number, bytes: Uint8Array, remedy: string) =>
    save(join(folder, RUN.best), bytes, `the best model (step ${step})`, remedy);

  /** Of the checkpoints up to `step`, which is on disk, the newest stay. One that cannot be removed is tried again after the next save. */
  async function prune(step: number): Promise<void> {
    const steps = (await checkpointSteps(fs, folder).catch(() => [])).filter((other) => other <= step);
    const stay = new Set(steps.filter((other) => !damaged.has(other)).slice(0, keep)).add(step);
    for (const other of steps) if (!stay.has(other)) await fs.unlink(pathOf(other)).catch(() => {});
  }

  async function newestCheckpoint(verify: (bytes: Uint8Array, path: string) => void): Promise<NewestCheckpoint | null> {
    const skipped: { path: string; why: string }[] = [];
    const steps = await checkpointSteps(fs, folder).catch((error: unknown) => {
      throw unreadable(folder, error);
    });
    for (const step of steps) {
      const path = pathOf(step);
      let bytes: Uint8Array;
      try {
        bytes = await readFileBounded(path, CHECKPOINT_BYTES, '', fs);
        verify(bytes, path);
      } catch (error) {
        if (!(error instanceof MicrogptError)) throw error;
        skipped.push({ path, why: error.message });
        damaged.add(step);
        continue;
      }
      sound = step;
      return { step, bytes, path, skipped, warning: skipped.length === 0 ? null : skippedWarning(skipped, step) };
    }
    if (skipped.length === 0) return null;
    throw new MicrogptError(
      'MG_RUN_NO_CHECKPOINT',
      `${folder} has no checkpoint to go on from: all ${skipped.length} are damaged: ${skipped[0].why}`,
      'start again with --overwrite, or in another folder with --run',
    );
  }

  const retry = 'free space, or keep fewer checkpoints with --keep 1';
  return {
    folder,
    settings,
    finished,
    notes,
    appendMetrics: (lines) => lines.forEach(metrics.append),
    appendTiming: timing.append,
    flush: () =>
      inTurn(async () => {
        await metrics.flush();
        await timing.flush();
      }).catch(() => {}), // the next save tries again, and says so when it cannot
    truncateMetrics: (step) =>
      inTurn(async () => {
        try {
          for (const file of [metrics, timing]) await file.cut((line) => !isBeyond(line, step));
        } catch (error) {
          throw unwritable(join(folder, RUN.metrics), plainReason(error));
        }
      }),
    saveCheckpoint: (step, bytes) => inTurn(() => saveStep(step, bytes, `${retry}; then give the command again`)),
    trySaveCheckpoint: (step, bytes, nextTry) =>
      asWarning(
        inTurn(() => saveStep(step, bytes, `${retry}; training goes on and will try again at step ${nextTry}`)),
      ),
    saveBest: (step, bytes) => inTurn(() => saveBest(step, bytes, retry)),
    trySaveBest: (step, bytes) =>
      asWarning(inTurn(() => saveBest(step, bytes, `${retry}; training goes on, and the next better model is saved`))),
    saveFinal: (step, bytes) =>
      inTurn(async () => {
        const remedy = `free space, then finish with --resume ${shellWord(folder)}`;
        await save(join(folder, RUN.model), bytes, 'the final model', remedy);
        await writeRecord(fs, folder, { settings, finished: step });
        await removePrevious(fs, folder).catch(() => {}); // goes with the next run
      }),
    newestCheckpoint: (verify) => inTurn(() => newestCheckpoint(verify)),
    close: () =>
      inTurn(async () => {
        for (const file of [metrics, timing]) {
          await file.flush().catch(() => {});
          await file.close().catch(() => {});
        }
        await lock.release();
      }),
  };
}

const asWarning = (saving: Promise<void>): Promise<MicrogptError | null> =>
  saving.then(
    () => null,
    (error: unknown) => {
      if (error instanceof MicrogptError) return error;
      throw error;
    },
  );

const isBeyond = (line: unknown, step: number): boolean =>
  typeof line === 'object' && line !== null && 'step' in line && Number(line.step) > step;

function skippedWarning(skipped: readonly { path: string; why: string }[], step: number): MicrogptError {
  const first = skipped[0];
  const others = skipped.length > 1 ? ` and ${skipped.length - 1} more` : '';
  return new MicrogptError(
    'MG_CKPT_SKIPPED',
    `${first.path} is damaged (${first.why})${others}; going on from step ${step}`,
    'the steps since then are trained again; check the disk',
  );
}
