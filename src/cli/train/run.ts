/**
 * The course of a training run on the command line: preflight, steps, saves, what is seen on the way, and the end, good or not.
 * Invariant: whatever ends the run, what was finished is on disk first, and the last lines say where and how to go on.
 */
import { resolve } from 'node:path';
import { EXIT, MicrogptError } from '../../base/errors.js';
import { shellWord } from '../../base/shell-word.js';
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import { encodeSafetensors } from '../../checkpoint/safetensors.js';
import type { Training } from '../../engine/training.js';
import { saveModelAs } from '../../node/models.js';
import { openRun, type Replace, type Run } from '../../node/runs.js';
import type { RunRecord } from '../../report/record.js';
import { tinyCorpus } from '../../train/guards.js';
import { isFollower } from '../../train/ranks.js';
import { count, counted, note, result, say, screen, size, workOnUnread } from '../output.js';
import { saysOfReading } from '../prompt-notes.js';
import { listenForSignals, type Signals } from '../signals.js';
import { sampleOptions, type TrainFlags } from './flags.js';
import { preflightLines } from './preflight.js';
import { createProgress, type Progress, spent } from './progress.js';
import { followTraining, stopOf, type WatchedRanks } from './ranks.js';
import { type Best, createRecorder, type Recorder } from './recorder.js';

export interface RunPlan {
  readonly name: string;
  readonly about: string;
  /** What was assumed about the text. */
  readonly notes: readonly string[];
  readonly dataPath: string;
  readonly folder: string;
  /** The open folder of a run that goes on, closed by whoever opened it; and its best model so far. */
  readonly resume: { readonly run: Run; readonly best: Best | null } | null;
  readonly flags: TrainFlags;
  readonly ranks?: WatchedRanks | undefined;
}

/** How many samples there are at the end, unless the user says otherwise. */
const SAMPLES = 20;
const CONVERSATIONS = 5;

/** Trains to the end, to the first signal or to `--stop-after`; gives the exit code. Closes the training. */
export async function runTraining(training: Training, plan: RunPlan): Promise<number> {
  const { flags, ranks } = plan;
  if (isFollower(ranks)) return followTraining(training, ranks, flags.stopAfter);
  workOnUnread();
  const run = plan.resume?.run ?? (await openRun(plan.folder, createOptions(training, plan)));
  plan.ranks?.watch?.tell({ run: plan.folder });
  for (const sentence of run.notes) note(sentence);
  const about = { ...plan, training, threadsAsked: flags.threads, output: flags.output, from: training.startStep };
  for (const line of preflightLines(about)) say(line);
  for (const sentence of [...plan.notes, ...notesOf(training)]) note(sentence);
  const progress = createProgress(screen, () => performance.now(), {
    eta: flags.eta,
    timing: flags.timing === true,
  });
  const recorder = createRecorder({ run, training, flags, progress, best: plan.resume?.best ?? null });
  const signals = listenForSignals(
    () => progress.say('finishing the step, then saving … (once more to leave at once)'),
    () => {
      progress.end();
      const step = recorder.lastSaved();
      say(
        `left at once; ${step === null ? 'nothing was saved' : `go on from step ${count(step)}: microgpt train --resume ${shellWord(plan.folder)}`}`,
      );
    },
  );
  const started = performance.now();
  try {
    await follow(training, recorder, progress, stopOf(ranks, signals.signal), flags.stopAfter);
    progress.end();
    const took = spent(training.step() - training.startStep, (performance.now() - started) / 1000);
    const step = training.step();
    const isOver = recorder.stopped() !== 'aborted';
    if (!isOver) return await leave(training, run, recorder, signals, plan, step);
    await finish(training, run, recorder, plan, took);
    return EXIT.ok;
  } catch (error) {
    progress.end();
    await run.flush().catch(() => {});
    throw withLastCheckpoint(error, recorder, plan.folder);
  } finally {
    signals.forget();
    training.close();
    if (plan.resume === null) await run.close();
  }
}

function createOptions(training: Training, { name, dataPath, flags }: RunPlan): Parameters<typeof openRun>[1] {
  const record: RunRecord = {
    format: 'microgpt run',
    version: 1,
    name,
    settings: training.settings,
    config: training.config,
    parameters: training.parameters,
    data: { ...training.data, path: resolve(dataPath) },
    ...(training.computedBy.length === 0 ? {} : { computedBy: training.computedBy }),
    initFrom: flags.initFrom === undefined ? null : resolve(flags.initFrom),
    ...(flags.saveEvery === undefined ? {} : { saveEvery: flags.saveEvery }),
  };
  return { create: { settings: record, replace: replaceable(flags) }, keep: flags.keep };
}

/** A folder that the user names may hold a finished run of something else; the usual one holds an earlier run of the same. */
function replaceable({ overwrite, run }: TrainFlags): Replace {
  if (overwrite) return 'anything';
  return run === undefined ? 'finished' : 'nothing';
}

/** What the user did not ask and should know before the first step. */
function notesOf(training: Training): string[] {
  const { corpus, settings, data, leftOut, parameters } = training;
  const notes = [...corpus.facts.notes];
  if (leftOut.count > 0) {
    notes.push(
      `${count(leftOut.count)} of ${count(leftOut.of)} conversations have no word of the assistant within the context of ` +
        `${counted(training.config.blockSize, 'token')} and are left out (the first: ${leftOut.first.map(count).join(', ')}); ` +
        'a larger --block-size keeps more',
    );
  }
  if (training.computedBy.length > 1) {
    notes.push(
      `matrix products: ${training.computedBy.join(', then ')}; another --accelerate than before has other bits in the end`,
    );
  }
  if (corpus.facts.leftOut > 0) notes.push(`${counted(corpus.facts.leftOut, 'example')} with nothing in: left out`);
  const tokens = settings.steps * settings.batchSize * Math.min(training.config.blockSize, corpus.facts.longest);
  const warning =
    training.startStep > 0 || settings.patience > 0
      ? null
      : tinyCorpus(parameters, data.tokens, tokens, training.heldOut !== null);
  return warning === null ? notes : [...notes, `${warning.message}: ${warning.remedy}`];
}

const YIELD_MS = 50; // how often signals get a chance

async function follow(
  training: Training,
  recorder: Recorder,
  progress: Progress,
  controller: AbortController,
  stopAfter: number | undefined,
): Promise<void> {
  if (stopAfter !== undefined && training.startStep >= stopAfter) controller.abort();
  let paused = performance.now();
  for await (const event of training.events({ signal: controller.signal })) {
    progress.event(event);
    await recorder.event(event);
    if (event.type === 'step' && event.step === stopAfter) controller.abort();
    if (performance.now() - paused < YIELD_MS) continue;
    await new Promise((done) => setImmediate(done));
    paused = performance.now();
  }
}

/** Stopped before the end: everything that is needed to go on is saved. */
async function leave(
  training: Training,
  run: Run,
  recorder: Recorder,
  signals: Signals,
  { folder }: RunPlan,
  step: number,
): Promise<number> {
  const code = signals.exitCode();
  if (step === 0) {
    say('stopped before the first step: nothing to save');
    return code;
  }
  await recorder.checkpoint(step);
  say(`saved step ${count(step)} of ${count(training.steps)} in ${run.folder}`);
  say(`  go on:  microgpt train --resume ${shellWord(folder)}`);
  say(
    `  try it: microgpt ${training.corpus.tokenizer.roles === null ? 'generate' : 'chat'} --model ${shellWord(folder)}`,
  );
  return code;
}

async function finish(
  training: Training,
  run: Run,
  recorder: Recorder,
  { folder, flags }: RunPlan,
  took: string,
): Promise<void> {
  const step = training.step();
  await recorder.checkpoint(step);
  const best = recorder.best();
  const last = training.checkpoint();
  const model: Checkpoint = best === null || best.step === step ? last : best.model;
  const bytes = encodeSafetensors(model);
  await run.saveFinal(step, bytes);
  recorder.said({ type: 'saved', path: `${folder}/model.safetensors`, step: best?.step ?? step });
  for (const line of recorder.curve()) say(line);
  if (recorder.stopped() === 'early')
    say(`ended early: no better result in ${training.settings.patience} looks at the held-out text`);
  if (best !== null) {
    const bits = training.bitsPerCharacter(best.loss);
    const which = best.step === step ? 'the last step' : `step ${count(best.step)}, better than the last`;
    say(`validation loss ${best.loss.toFixed(4)}, ${bits.toFixed(3)} bits per character (${which})`);
  }
  say(`saved ${folder}/model.safetensors (${size(bytes.length)}) after ${took}`);
  if (flags.output !== undefined) {
    const saved = await saveModelAs(flags.output, model);
    say(`saved ${saved.paths.join(' and ')} (${size(saved.bytes)})`);
    for (const phrase of saved.lost) note(`lost there: ${phrase}`);
  }
  const nothing = Math.log(training.config.vocabSize);
  if (recorder.recentLoss() > nothing + 0.1) {
    note(
      `the loss ended at ${Number(recorder.recentLoss().toPrecision(4))}, and ${nothing.toFixed(2)} is to know nothing: ` +
        `try a lower --lr (now ${training.settings.adam.learningRate})${training.settings.clip > 0 ? '' : ' or --clip 1'}, or more steps`,
    );
  }
  if (best !== null && best.step !== step)
    training.engine.restore({ ...training.engine.moments(), parameters: best.model.parameters });
  const chats = training.corpus.tokenizer.roles !== null;
  saysOfReading(training.corpus.tokenizer, flags.prompt ?? '', true);
  const usual = flags.prompt ? 1 : chats ? CONVERSATIONS : SAMPLES;
  const texts = training.samples(flags.samples ?? usual, sampleOptions(flags));
  if (flags.json) {
    recorder.said({ type: 'sample', step, texts });
    return;
  }
  for (const [i, text] of texts.entries()) {
    if (chats && i > 0) result('');
    for (const line of chats ? text.split('\n') : [text]) result(line);
  }
  say(
    chats
      ? `talk to it: microgpt chat --model ${shellWord(folder)}`
      : `more of them: microgpt generate --model ${shellWord(folder)} --seed 1`,
  );
}

/** An error in the middle says what is left of the run. */
function withLastCheckpoint(error: unknown, recorder: Recorder, folder: string): unknown {
  if (!(error instanceof MicrogptError) || recorder.lastSaved() === null) return error;
  return new MicrogptError(
    error.code,
    error.message,
    `${error.remedy}; step ${count(recorder.lastSaved() ?? 0)} is saved in ${folder}`,
    { cause: error },
  );
}
