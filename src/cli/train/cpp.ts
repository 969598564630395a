/**
 * microgpt train --compat cpp: trains as the byte-level C++ trainer does, in its order (load, train, save, generate), with its windows, its
 * AdamW and its lines on stdout. Refuses to know: run folders; this mode has none, as that program has none.
 * Invariant: a checkpoint goes on as it would there, up to the rounding of float32.
 */
import { stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { MicrogptError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import { encodeModel, formatForPath } from '../../checkpoint/formats.js';
import { newByteModel, trainBytes } from '../../engine/byte-trainer.js';
import { stream } from '../../engine/stream.js';
import { readFileBounded, requireWritable } from '../../node/files.js';
import { loadModel, saveModelAs } from '../../node/models.js';
import { nodeThreads } from '../../node/threads.js';
import { sixDigits } from '../../score/sanity.js';
import { createSamplePrinter } from '../generate/sample-printer.js';
import { note, result } from '../output.js';
import { listenForSignals } from '../signals.js';
import { written } from '../values.js';
import { backendCalled, type TrainFlags } from './flags.js';

/** What that program has no word for. */
const FOREIGN = [
  ...([
    'config',
    'format',
    'chat',
    'column',
    'header',
    'chunkSize',
    'chunkOverlap',
    'lossOn',
    'encoding',
    'unknown',
  ] as const),
  ...(['validation', 'recipe', 'nHead', 'activation', 'time', 'gradAccum', 'minLr', 'schedule', 'warmup'] as const),
  ...(['weightDecay', 'clip', 'dropout', 'evalEvery', 'patience', 'run', 'resume', 'allowChanged'] as const),
  ...(['stopAfter', 'saveEvery', 'overwrite', 'samples', 'sampleEvery', 'json', 'timing', 'accelerate'] as const),
] as const satisfies readonly (keyof TrainFlags)[];

/** The flags that nothing else reads. */
const ONLY_HERE = ['saveOpt', 'asciiOnly', 'escapeBytes', 'printNextTop', 'printNextTopEachStep'] as const;

/** Exit code 0, or that of the signal which ended training; what was done until then is saved. */
export async function trainAsCpp(scenario: string | undefined, flags: TrainFlags): Promise<number> {
  const { output, initFrom, seed = 1n, steps = 200 } = flags;
  requireFlags(scenario, flags, steps);
  const data =
    steps === 0 ? null : await readFileBounded(flags.data as string, LIMITS.textBytes, 'give a text to train on');
  const start = initFrom === undefined ? freshModel(flags, seed) : await load(initFrom, flags);
  if (output !== undefined) await requireHeld(start, output);
  const signals = listenForSignals();
  try {
    const trained =
      data === null ? start : await follow(training(start, data, flags, seed, steps, signals.signal), steps);
    if (output !== undefined) await save(trained, output, flags.saveOpt !== false);
    if (signals.exitCode() === 0 && flags.prompt) await print(trained, flags, seed);
    return signals.exitCode();
  } finally {
    signals.forget();
  }
}

/** Refuses what only the C++ trainer's way understands. @throws MG_CLI_USAGE, MG_CLI_VALUE */
export function refuseCppFlags(flags: TrainFlags): void {
  const name = ONLY_HERE.find((flag) => flags[flag] !== undefined);
  if (name !== undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      `${written(name)} belongs to --compat cpp`,
      'add --compat cpp, or give it to microgpt generate afterwards',
    );
  }
  if (flags.steps === 0) {
    throw new MicrogptError(
      'MG_CLI_VALUE',
      '--steps is "0", expected a whole number from 1',
      'give --steps a whole number from 1',
    );
  }
}

function requireFlags(scenario: string | undefined, flags: TrainFlags, steps: number): void {
  const foreign = FOREIGN.find((name) => flags[name] !== undefined) ?? (flags.eta ? undefined : 'noEta');
  const named = scenario ?? (foreign && written(foreign));
  if (named !== undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      `--compat cpp trains on the bytes of --data alone, and ${named} means nothing there`,
      `leave ${named} out, or --compat cpp`,
    );
  }
  if (flags.data === undefined && steps > 0) {
    throw new MicrogptError('MG_CLI_USAGE', '--data is required when --steps > 0', 'name the text with --data FILE');
  }
}

function training(
  start: Checkpoint,
  data: Uint8Array,
  flags: TrainFlags,
  seed: bigint,
  steps: number,
  signal: AbortSignal,
): ReturnType<typeof trainBytes> {
  const { learningRate } = start.optimizer ?? {};
  if (flags.lr !== undefined && learningRate !== undefined && Math.fround(flags.lr) !== learningRate) {
    note(`the learning rate is that of the checkpoint, ${sixDigits(learningRate)}; --lr changes nothing here`);
  }
  return trainBytes(start, {
    data,
    steps,
    batchSize: flags.batchSize,
    window: flags.blockSize,
    seed,
    backend: backendCalled(flags.backend),
    threads: nodeThreads(flags.threads),
    signal,
  });
}

function freshModel({ nEmbd, nLayer, blockSize, lr }: TrainFlags, seed: bigint): Checkpoint {
  return newByteModel({ width: nEmbd, layers: nLayer, context: blockSize, seed, learningRate: lr });
}

async function load(path: string, flags: TrainFlags): Promise<Checkpoint> {
  const { checkpoint, notes } = await loadModel(path);
  for (const sentence of notes) note(sentence);
  const { nEmbd, nLayer } = checkpoint.config;
  if ((flags.nEmbd ?? nEmbd) !== nEmbd || (flags.nLayer ?? nLayer) !== nLayer) {
    note(`the sizes are those of the checkpoint, ${nLayer} × ${nEmbd}; --n-embd and --n-layer change nothing here`);
  }
  result(`loaded checkpoint '${path}' at step ${stepOf(checkpoint)}`);
  return checkpoint;
}

/** Rather now than after the training. @throws MG_CKPT_FORMAT, MG_SAVE_* */
async function requireHeld(model: Checkpoint, output: string): Promise<void> {
  const isFolder = (await stat(output).catch(() => null))?.isDirectory() === true;
  encodeModel(model, formatForPath(output, isFolder), output);
  await requireWritable(output);
}

/** Prints the first step and every tenth; lets signals in between steps. */
async function follow(training: ReturnType<typeof trainBytes>, steps: number): Promise<Checkpoint> {
  const began = performance.now();
  for (let local = 1; ; local++) {
    const next = training.next();
    if (next.done) return next.value;
    if (local === 1 || local % 10 === 0) {
      const seconds = sixDigits((performance.now() - began) / 1000);
      result(`step ${next.value.step}  (${local}/${steps})  loss=${sixDigits(next.value.loss)}  time=${seconds}s`);
    }
    await setImmediate();
  }
}

async function save(model: Checkpoint, output: string, withOptimizer: boolean): Promise<void> {
  const { optimizer } = model;
  const kept = withOptimizer || !optimizer ? model : { ...model, optimizer: { ...optimizer, moments: null } };
  const { lost } = await saveModelAs(output, kept);
  for (const phrase of lost) note(`lost: ${phrase}`);
  const held = kept.optimizer?.moments ? ' (with optimizer state)' : '';
  result(`saved checkpoint '${output}' at step ${stepOf(model)}${held}`);
}

async function print(model: Checkpoint, flags: TrainFlags, seed: bigint): Promise<void> {
  const { prompt, gen, temperature = 1, topK, asciiOnly, printNextTop = 0, printNextTopEachStep = false } = flags;
  const top = printNextTop || (printNextTopEachStep ? 10 : 0);
  const printer = createSamplePrinter(process.stdout, model.tokenizer, {
    escape: flags.escapeBytes === true,
    bytes: true,
    top: printNextTop,
    everyStep: printNextTopEachStep,
  });
  const drawn = { compat: 'cpp', samples: 1, seed, prompt, maxTokens: gen, temperature, topK, asciiOnly, top } as const;
  try {
    for await (const event of stream(model, drawn)) await printer.print(event);
  } finally {
    await printer.flush();
  }
}

/** Of the whole run: Adam may have begun later. */
const stepOf = ({ run, optimizer }: Checkpoint): number => Number(run?.['step'] ?? optimizer?.step ?? 0);
