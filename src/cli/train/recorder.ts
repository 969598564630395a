/**
 * Writes down what happens in a run: the log, checkpoints now and then, the best model so far; and shows samples and warnings.
 * Invariant: the log holds what the run computed and no times; saving changes nothing about the run.
 */
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import { encodeSafetensors } from '../../checkpoint/safetensors.js';
import type { Training } from '../../engine/training.js';
import type { Run } from '../../node/runs.js';
import { AXIS_WIDTH, terminalCurve } from '../../report/ascii.js';
import { curvesOf } from '../../report/curves.js';
import type { Metric } from '../../report/record.js';
import type { StoppedEvent, TrainEvent } from '../../train/events.js';
import { updateError } from '../../train/non-finite.js';
import { printable, result, screen } from '../output.js';
import type { TrainFlags } from './flags.js';
import type { Progress } from './progress.js';

/** The model with the least loss on held-out text. */
export interface Best {
  readonly step: number;
  readonly loss: number;
  readonly model: Checkpoint;
}

export interface Recorder {
  event(event: TrainEvent): Promise<void>;
  /** Saves what the run needs to go on, unless this step is saved already. */
  checkpoint(step: number): Promise<void>;
  stopped(): StoppedEvent['reason'] | null;
  best(): Best | null;
  lastSaved(): number | null;
  /** The mean loss of the last steps; NaN before the first. */
  recentLoss(): number;
  /** The losses as lines for a terminal, when there is one to look at. */
  curve(): string[];
  /** An event for --json that the trainer does not know of. */
  said(event: object): void;
}

const SAVE_EVERY_MS = 30_000;
const RECENT = 20;
/** Samples are shown no more often, unless the user says how often. */
const SHOW_EVERY_MS = 2000;
/** Samples that the log keeps on the way, how many of them are shown, and how much of each. */
const PEEK = 3;
const SHOWN = 2;
const WIDTH = 72;
/** Steps of which the log keeps each; of longer runs it keeps every so many. */
const LOG_ALL = 100_000;
/** Who says what in a conversation stands on a line of its own; what else ends a line is shown as such. */
function linesShown(text: string): string[] {
  const parts = /^user: /.test(text) ? text.split(/\n(?=(?:user|assistant): )/) : [text];
  return parts.map((part) => `    ${printable(part).slice(0, WIDTH)}`);
}

const CURVE = { width: 64, least: 16, height: 9 };

export function createRecorder(job: {
  readonly run: Run;
  readonly training: Training;
  readonly flags: TrainFlags;
  readonly progress: Progress;
  /** Of a run that goes on. */
  readonly best: Best | null;
}): Recorder {
  const { run, training, flags, progress } = job;
  const started = performance.now();
  const logEvery = Math.max(1, Math.ceil(training.steps / LOG_ALL));
  const samplesEvery = flags.sampleEvery ?? (training.heldOut === null ? 0 : training.settings.evalEvery);
  const shown: Metric[] = [];
  const recent: number[] = [];
  let lastSaved: number | null = training.startStep > 0 ? training.startStep : null;
  let savedAt = started;
  let shownAt = started;
  let best = job.best;
  let stopped: StoppedEvent['reason'] | null = null;

  function log(metric: Metric): void {
    run.appendMetrics([metric]);
    shown.push(metric);
  }

  function complain(
    warning: { readonly code: string; readonly message: string; readonly remedy: string } | null,
  ): void {
    if (warning !== null) progress.say(`warning ${warning.code}: ${warning.message}\n  → ${warning.remedy}`);
  }

  /** Whether the look at the held-out text that belongs to this step is still to come: it is logged before the step is saved. */
  const evalFollows = (step: number) =>
    training.heldOut !== null && (step % training.settings.evalEvery === 0 || step === training.steps);

  /** What a run goes on from; never with numbers in it that are none. */
  function soundCheckpoint(): Uint8Array {
    const found = training.engine.firstNonFinite();
    const { steps, settings } = training;
    if (found !== null) throw updateError(training.step(), steps, settings.adam, settings.clip || null, found);
    return encodeSafetensors(training.checkpoint({ optimizer: true }));
  }

  async function checkpoint(step: number): Promise<void> {
    if (lastSaved === step) return;
    await run.saveCheckpoint(step, soundCheckpoint());
    lastSaved = step;
    savedAt = performance.now();
  }

  async function saveIfDue(step: number): Promise<void> {
    const { saveEvery } = flags;
    const isDue = saveEvery === undefined ? performance.now() - savedAt >= SAVE_EVERY_MS : step % saveEvery === 0;
    if (!isDue || step === training.steps) return;
    run.appendTiming({ step, seconds: (performance.now() - started) / 1000 });
    const warning = await run.trySaveCheckpoint(step, soundCheckpoint(), step + (saveEvery ?? step - (lastSaved ?? 0)));
    savedAt = performance.now();
    complain(warning);
    if (warning === null) lastSaved = step;
  }

  async function evaluated({ step, loss, best: isBest }: Extract<TrainEvent, { type: 'eval' }>): Promise<void> {
    log({ type: 'eval', step, loss, bitsPerCharacter: training.bitsPerCharacter(loss) });
    if (!isBest) return;
    best = { step, loss, model: training.checkpoint() };
    complain(await run.trySaveBest(step, encodeSafetensors(best.model)));
  }

  return {
    async event(event) {
      if (flags.json) result(JSON.stringify(event));
      switch (event.type) {
        case 'step': {
          const { step, loss, learningRate, gradNorm } = event;
          if (recent.push(loss) > RECENT) recent.shift();
          if (step % logEvery === 0) log({ type: 'step', step, loss, learningRate, gradNorm });
          if (samplesEvery > 0 && step % samplesEvery === 0 && step < training.steps) {
            const texts = training.peek(PEEK);
            log({ type: 'sample', step, texts });
            if (flags.json) result(JSON.stringify({ type: 'sample', step, texts }));
            if (flags.sampleEvery !== undefined || performance.now() - shownAt >= SHOW_EVERY_MS) {
              shownAt = performance.now();
              for (const line of texts.slice(0, SHOWN).flatMap(linesShown)) progress.say(line);
            }
          }
          if (!evalFollows(step)) await saveIfDue(step);
          break;
        }
        case 'eval':
          await evaluated(event);
          await saveIfDue(event.step);
          break;
        case 'warning':
          complain(event);
          break;
        case 'stopped':
          stopped = event.reason;
          break;
        default:
          event satisfies never;
      }
    },
    checkpoint,
    stopped: () => stopped,
    best: () => best,
    lastSaved: () => lastSaved,
    recentLoss: () => recent.reduce((a, b) => a + b, 0) / recent.length,
    curve() {
      if (!screen.isTTY) return [];
      // A line that is wider than the terminal would be broken in two, and the curve with it.
      const width = Math.min(CURVE.width, (screen.columns || 80) - AXIS_WIDTH);
      if (width < CURVE.least) return [];
      return terminalCurve(curvesOf(shown, width).loss, width, CURVE.height);
    },
    said(event) {
      if (flags.json) result(JSON.stringify(event));
    },
  };
}
