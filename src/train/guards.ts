/**
 * Watches a run and says in plain words when it will probably not end well: gradients or losses that jump, a loss that does not fall,
 * overfitting, dead units, a corpus that is too small.
 * Refuses to know: how steps are computed. Invariant: a pure function of the events so far, whose memory (`GuardState`) is plain data; so a
 * run that goes on warns as it would have without the interruption. A spike is told at most once in 100 steps, the rest once in a run.
 * The limits are ours, chosen so that healthy runs of the canonical recipes stay silent; none is from a paper unless it says so.
 */
import { count } from '../base/count.js';
import type { WarningCode } from '../base/warnings.js';
import type { EvalEvent, StepEvent, WarningEvent } from './events.js';

/** Losses are looked at together in windows of so many steps, since single batches are noisy. */
const WINDOW = 100;
/** Norms that the median is taken over, the fewest that count, and how often it is taken anew. */
const NORMS = 64;
const FEWEST_NORMS = 10;
const MEDIAN_EVERY = 8;
const NORM_SPIKE = 10;
/** So many steps in a row make a spike, or a run without gradients. */
const IN_A_ROW = 5;
/** A spike of the loss: above so many times what it was, and so many nats. */
const LOSS_SPIKE = { times: 2, nats: 1 };
const QUIET_STEPS = 100;
/** A loss that has fallen by less than this share of where it began after three windows does not fall. */
const PROGRESS = 0.01;
/** So many validations in a row, each worse than the best by this share. */
const OVERFIT = { evals: 3, share: 0.02 };
const DEAD = 0.99;
/** Repeating text up to four times teaches about as much as new text (Muennighoff et al., 2023). */
const PASSES = 4;

/** What the guards remember of a run: plain JSON. */
export interface GuardState {
  /** Of the window so far: steps, sum of losses, smallest and largest loss. */
  steps: number;
  sum: number;
  least: number | null;
  most: number | null;
  /** Mean losses of the first window and of the last; how many windows there were. */
  firstMean: number | null;
  lastMean: number | null;
  windows: number;
  /** The last norms of gradients, and their median as it was last taken. */
  norms: number[];
  normCount: number;
  median: number | null;
  /** Steps in a row: above the limit of the loss, above that of the norm, without gradients. */
  highLosses: number;
  highNorms: number;
  noGradients: number;
  /** Training losses since the last validation, and their mean when the validation loss was best. */
  betweenSum: number;
  betweenSteps: number;
  meanAtBest: number | null;
  worse: number;
  /** When each warning was given last. */
  warned: Partial<Record<WarningCode, number>>;
}

export function newGuardState(): GuardState {
  return {
    steps: 0,
    sum: 0,
    least: null,
    most: null,
    firstMean: null,
    lastMean: null,
    windows: 0,
    norms: [],
    normCount: 0,
    median: null,
    highLosses: 0,
    highNorms: 0,
    noGradients: 0,
    betweenSum: 0,
    betweenSteps: 0,
    meanAtBest: null,
    worse: 0,
    warned: {},
  };
}

export interface Guards {
  /** After every step; almost always returns the same empty list. */
  step(event: StepEvent): readonly WarningEvent[];
  eval(event: EvalEvent): readonly WarningEvent[];
  /** With the share of dead units in each layer. */
  units(step: number, deadShares: readonly number[]): readonly WarningEvent[];
}

const SILENCE: readonly WarningEvent[] = [];

/** Guards that go on from a state, which they keep up to date in place. `clip` is only named in messages. */
export function createGuards(state: GuardState, clip: number | null): Guards {
  const clipped = clip === null ? '' : `, clipped to ${clip}`;
  const calmer = clip === null ? 'try a lower --lr, or --clip 1' : 'try a lower --lr, or a smaller --clip';

  function warn(code: WarningCode, step: number, message: string, remedy: string): readonly WarningEvent[] {
    const before = state.warned[code];
    if (before !== undefined && (code !== 'MG_TRAIN_SPIKE' || step - before < QUIET_STEPS)) return SILENCE;
    state.warned[code] = step;
    return [{ type: 'warning', code, step, message, remedy }];
  }

  /** The loss that counts as normal: that of the last window, or before there is one, of the first step. */
  function lossSpike({ step, loss }: StepEvent): readonly WarningEvent[] {
    const normal = state.lastMean ?? state.firstMean;
    if (normal === null) {
      state.firstMean = loss; // stands in until the first window is full
      return SILENCE;
    }
    if (loss <= LOSS_SPIKE.times * normal + LOSS_SPIKE.nats) {
      state.highLosses = 0;
      return SILENCE;
    }
    if (++state.highLosses !== IN_A_ROW) return SILENCE;
    const message = `loss ${figures(loss)} (before ${figures(normal)}) at step ${step}, the ${IN_A_ROW}th in a row that is far above`;
    return warn('MG_TRAIN_SPIKE', step, message, calmer);
  }

  function window({ step, loss }: StepEvent): readonly WarningEvent[] {
    state.steps++;
    state.sum += loss;
    if (state.least === null || loss < state.least) state.least = loss;
    if (state.most === null || loss > state.most) state.most = loss;
    if (state.steps < WINDOW) return SILENCE;
    const mean = state.sum / WINDOW;
    const still = state.least === state.most;
    state.windows++;
    if (state.windows === 1) state.firstMean = mean;
    state.lastMean = mean;
    state.steps = 0;
    state.sum = 0;
    state.least = null;
    state.most = null;
    const remedy =
      'try another --lr (ten times higher, then ten times lower), and look whether the data can be learned';
    if (still)
      return warn(
        'MG_TRAIN_PLATEAU',
        step,
        `the loss has been exactly ${figures(loss)} for ${WINDOW} steps, until step ${step}`,
        loss === 0 ? 'the text is known by heart: stop here, or give more of it' : remedy,
      );
    const first = state.firstMean ?? mean;
    if (state.windows !== 3 || mean < (1 - PROGRESS) * first) return SILENCE;
    const message = `the loss does not fall: ${figures(first)} on average over the first ${WINDOW} steps, ${figures(mean)} over the last, at step ${step}`;
    return warn('MG_TRAIN_PLATEAU', step, message, remedy);
  }

  function norm(step: number, found: number): readonly WarningEvent[] {
    if (found === 0) {
      if (++state.noGradients !== IN_A_ROW) return SILENCE;
      const message = `all gradients have been 0 for ${IN_A_ROW} measured steps, until step ${step}: nothing is learned`;
      return warn('MG_TRAIN_PLATEAU', step, message, 'start again with another --seed or a lower --lr');
    }
    state.noGradients = 0;
    const { median } = state;
    state.norms[state.normCount++ % NORMS] = found;
    if (state.normCount % MEDIAN_EVERY === 0 && state.normCount >= FEWEST_NORMS) state.median = middle(state.norms);
    if (median === null || found <= NORM_SPIKE * median) {
      state.highNorms = 0;
      return SILENCE;
    }
    if (++state.highNorms !== IN_A_ROW) return SILENCE;
    const message = `gradient norm ${figures(found)} (median ${figures(median)}) at step ${step}${clipped}`;
    return warn('MG_TRAIN_SPIKE', step, message, calmer);
  }

  return {
    step(event) {
      const { step, learningRate, gradNorm } = event;
      state.betweenSum += event.loss;
      state.betweenSteps++;
      let found = lossSpike(event);
      if (gradNorm !== null) found = join(found, norm(step, gradNorm));
      found = join(found, window(event));
      if (learningRate > 0) return found;
      const message = `the learning rate is ${learningRate} at step ${step}: nothing is learned`;
      return join(found, warn('MG_TRAIN_PLATEAU', step, message, 'give an --lr above 0'));
    },
    eval({ step, loss, best, bestLoss, bestStep }) {
      const mean = state.betweenSteps === 0 ? null : state.betweenSum / state.betweenSteps;
      state.betweenSum = 0;
      state.betweenSteps = 0;
      if (best) state.meanAtBest = mean;
      if (best || loss <= (1 + OVERFIT.share) * bestLoss) {
        state.worse = 0;
        return SILENCE;
      }
      state.worse++;
      if (state.worse < OVERFIT.evals || mean === null || state.meanAtBest === null || mean >= state.meanAtBest)
        return SILENCE;
      const message = `the validation loss has risen to ${figures(loss)} since its best, ${figures(bestLoss)} at step ${bestStep}, while the training loss fell to ${figures(mean)}`;
      return warn(
        'MG_TRAIN_OVERFIT',
        step,
        message,
        'stop here and take the best checkpoint; for a longer run give more text, a smaller model, or --dropout 0.1',
      );
    },
    units(step, deadShares) {
      const layer = deadShares.findIndex((share) => share > DEAD);
      if (layer < 0) return SILENCE;
      const message = `${figures(100 * deadShares[layer])} % of the hidden units of layer ${layer} give 0 for all of a batch, at step ${step}`;
      return warn('MG_TRAIN_DEAD_UNITS', step, message, 'start again with a lower --lr, or --activation gelu');
    },
  };
}

/**
 * Before the first step: whether the corpus will be learned by heart. It will when the model has more parameters than the corpus tokens and
 * comes by each of them more than four times.
 */
export function tinyCorpus(
  parameters: number,
  tokens: number,
  trainedTokens: number,
  heldOut = false,
): WarningEvent | null {
  if (parameters <= tokens || trainedTokens <= PASSES * tokens) return null;
  const whole = (n: number) => count(Math.round(n));
  return {
    type: 'warning',
    code: 'MG_TRAIN_TINY_CORPUS',
    step: 0,
    message: `${whole(tokens)} tokens of text for ${whole(parameters)} parameters, read ${whole(trainedTokens / tokens)} times: the model will learn the text by heart`,
    remedy: heldOut
      ? 'give more text, a smaller model or fewer steps; --patience 3 ends it when held-out text gains no more'
      : 'give more text, a smaller model or fewer steps, or hold some text back to see when to stop',
  };
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function figures(x: number): string {
  const rounded = Number(x.toPrecision(4));
  return Math.abs(rounded) < 1 ? String(rounded) : count(rounded);
}

function join(a: readonly WarningEvent[], b: readonly WarningEvent[]): readonly WarningEvent[] {
  return a.length === 0 ? b : b.length === 0 ? a : [...a, ...b];
}
