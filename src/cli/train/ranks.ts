/**
 * Training under mpirun: rank 0 keeps the run and prints, the others compute along.
 * Invariant: without a launcher nothing here does anything; a rank that fails ends the process with an error, upon which mpirun ends the others.
 */
import { availableParallelism, cpus } from 'node:os';
import { EXIT, MicrogptError } from '../../base/errors.js';
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import { decodeModel } from '../../checkpoint/decode.js';
import { encodeSafetensors } from '../../checkpoint/safetensors.js';
import type { Training } from '../../engine/training.js';
import { joinRanks } from '../../node/mpi/index.js';
import { launchedBy, threadsEach } from '../../node/mpi/launcher.js';
import { startWatch, type Watch } from '../../node/mpi/watch.js';
import { type RunRecord, recordOf } from '../../report/record.js';
import { createRanks, gather, isFollower, type Ranks, share } from '../../train/ranks.js';
import { counted, note, silence } from '../output.js';
import { listenForSignals } from '../signals.js';
import type { TrainFlags } from './flags.js';

/** So long a rank keeps an error to itself: when rank 0 has the same one, mpirun ends us meanwhile, and it is printed once. */
const GRACE_MS = 5000;
const YIELD_MS = 50; // how often signals get a chance

/** Ranks with somebody who says what happened when one of them is gone. */
export interface WatchedRanks extends Ranks {
  readonly watch?: Watch;
}

/** Null for a process that was started alone. */
export async function joinWatched() {
  if (launchedBy(process.env) === null) return null;
  const watch = startWatch();
  try {
    const joined = await joinRanks();
    if (joined === null) return null;
    watch.meet(joined.transport);
    return { ...joined, watch };
  } catch (error) {
    watch.end();
    throw error;
  }
}

/** Runs `train` alone, or as one of the processes that a launcher started. */
export async function amongRanks(
  flags: TrainFlags,
  train: (flags: TrainFlags, ranks: WatchedRanks | undefined) => Promise<number>,
): Promise<number> {
  const joined = await joinWatched();
  if (joined === null) return train(flags, undefined);
  const { transport, launched, watch } = joined;
  const { rank, size } = transport;
  if (rank > 0) silence();
  try {
    refuseAlone(flags);
    const threads = flags.threads ?? threadsEach(availableParallelism(), launched, cpus().length);
    note(`${size} processes train this model together, ${counted(threads, 'thread')} each`);
    const start = performance.now();
    const ranks = { ...createRanks(transport), watch };
    const code = await train({ ...flags, threads }, ranks);
    watch.end(); // saved: who leaves first is nobody's loss
    const percent = (100 * transport.seconds()) / ((performance.now() - start) / 1000);
    note(
      `${percent.toFixed(0)} % of the time went into exchanging gradients with the other processes, and waiting for them`,
    );
    gather(transport, new Float64Array(1)); // nobody leaves before rank 0 has saved
    // A signal came from mpirun, as a rule, which by now answers nothing any more, not even a farewell.
    if (!ranks.stopped.aborted) transport.close();
    return stoppedCode(code, ranks);
  } catch (error) {
    watch.end();
    if (rank === 0) throw error;
    await new Promise((done) => setTimeout(done, GRACE_MS));
    silence(false);
    throw error instanceof MicrogptError
      ? new MicrogptError(error.code, `rank ${rank}: ${error.message}`, error.remedy, { cause: error })
      : error;
  }
}

/** A signal to another rank ended this one's run too. */
export const stoppedCode = (code: number, ranks: Ranks): number =>
  code === EXIT.ok && ranks.stopped.aborted ? EXIT.sigterm : code;

/** Ways of training that only one process has. @throws MG_CLI_USAGE */
export function refuseAlone({ time, steps, compat }: TrainFlags): void {
  if (time !== undefined && steps === undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      '--time cannot be measured by several processes',
      'give --steps instead, as many as one process would fit into the time, or more',
    );
  }
  if (compat === 'cpp') {
    const message = '--compat cpp trains in one process, not in several';
    throw new MicrogptError('MG_CLI_USAGE', message, 'leave out mpirun, or --compat');
  }
}

/** Computes along until rank 0 stops or all is done. */
export async function followTraining(training: Training, ranks: Ranks, stopAfter: number | undefined): Promise<number> {
  const signals = listenForSignals(() => {});
  const stop = stopOf(ranks, signals.signal);
  if (stopAfter !== undefined && training.startStep >= stopAfter) stop.abort();
  let paused = performance.now();
  try {
    for await (const event of training.events({ signal: stop.signal })) {
      if (event.type === 'step' && event.step === stopAfter) stop.abort();
      if (performance.now() - paused < YIELD_MS) continue;
      await new Promise((done) => setImmediate(done));
      paused = performance.now();
    }
    return 0;
  } finally {
    signals.forget();
    training.close();
  }
}

/** Aborted by the signal when alone; among others, on every rank after the same step. */
export function stopOf(ranks: Ranks | undefined, signal: AbortSignal): AbortController {
  const controller = new AbortController();
  signal.addEventListener('abort', () => (ranks === undefined ? controller.abort() : ranks.askToStop()));
  ranks?.stopped.addEventListener('abort', () => controller.abort());
  return controller;
}

/** What rank 0 found in the folder of a run that goes on. */
export interface Start {
  readonly record: RunRecord;
  /** Where it goes on; null before the first save. */
  readonly checkpoint: Checkpoint | null;
  /** What it was begun with, where that still counts. */
  readonly initFrom: Checkpoint | null;
}

/** Tells the others, who may not see the folder; null when there is nothing to do. */
export function giveStart(ranks: Ranks | undefined, start: Start | null): void {
  if (ranks === undefined) return;
  share(ranks.transport, new TextEncoder().encode(JSON.stringify(start?.record ?? null)));
  if (start === null) return;
  for (const model of [start.checkpoint, start.initFrom]) giveModel(ranks, model);
}

export function takeStart(ranks: Ranks, folder: string): Start | null {
  const record: unknown = JSON.parse(new TextDecoder().decode(share(ranks.transport, new Uint8Array(0))));
  if (record === null) return null;
  const checkpoint = takeModel(ranks, `the save of ${folder}`);
  return { record: recordOf(record, folder), checkpoint, initFrom: takeModel(ranks, 'the model that it began with') };
}

/** The model that `open` finds on rank 0's machine, on all of them. */
export async function sharedModel(ranks: Ranks | undefined, open: () => Promise<Checkpoint>): Promise<Checkpoint> {
  if (isFollower(ranks)) return takeModel(ranks, 'the model of process 0') as Checkpoint;
  const model = await open();
  if (ranks !== undefined) giveModel(ranks, model);
  return model;
}

/** With its tokenizer. Its weights travel as f32 here; before the first step rank 0's go to all once more, to the bit. */
function giveModel({ transport }: Ranks, model: Checkpoint | null): void {
  share(transport, model === null ? new Uint8Array(0) : encodeSafetensors(model));
}

function takeModel({ transport }: Ranks, name: string): Checkpoint | null {
  const bytes = share(transport, new Uint8Array(0));
  return bytes.length === 0 ? null : decodeModel(bytes, name).checkpoint;
}
