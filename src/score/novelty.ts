/**
 * Does a model repeat what it was trained on? Samples against the lines of the training text: how many are there word for word, how many
 * nearly, how long a run is copied; and what that means, in words.
 * Refuses to know: models and files. Invariant: every number in the verdict is one of the report's.
 */
import { count, counted } from '../base/count.js';
import { refuse, requireNames } from '../base/options.js';
import { createCopiedRuns } from './copied-runs.js';
import { createNearIndex, LONGEST_COMPARED } from './near.js';

/** How much of what a model writes it has from its training text. */
export interface NoveltyReport {
  readonly samples: number;
  readonly distinct: number;
  /** Different lines of the training text. */
  readonly trainingLines: number;
  /** Samples that are a line of the training text, or anywhere in it where it is prose. */
  readonly exact: number;
  /** Samples that are no line of it, but one or two edits away from one. */
  readonly near: number;
  /** The same share among lines of the training text: how many have another line that near. Says how much of `near` is chance. */
  readonly nearAmongTraining: number;
  /** Samples that are new, as strings, in their order; at most a few. */
  readonly newExamples: readonly string[];
  /** The longest run of characters that stands in a line of the training text, and the sample that holds it. */
  readonly longestRun: { readonly length: number; readonly text: string; readonly sample: string };
  /** Median over the samples of the share of the sample that is one copied run. */
  readonly medianCopiedShare: number;
  readonly medianLength: number;
  readonly verdict: 'new' | 'some' | 'mostly' | 'passages';
  /** The verdict in words, with the numbers. */
  readonly sentences: readonly string[];
}

const COMPARED_TRAINING_LINES = 1000;
const EXAMPLES = 5;
/** A sample from this length on that is one copied run for the most part is a copied passage. */
const PASSAGE = 30;

/** `whole`: the training text is prose rather than a list of lines, and whatever stands anywhere in it is a copy. */
export function novelty(
  samples: readonly string[],
  training: readonly string[],
  options: { readonly whole?: boolean | undefined } = {},
): NoveltyReport {
  for (const [name, list] of Object.entries({ samples, training })) {
    if (!Array.isArray(list)) refuse(name, list, 'a list of texts');
  }
  requireNames('novelty', options, { whole: true });
  const { whole = false } = options;
  const index = createNearIndex(training);
  const distinct = new Set(samples);
  const runs = createCopiedRuns(samples);
  const lines = [...new Set(training)];
  for (const line of lines) runs.add(line);
  const longest = runs.longest();

  const lengths = samples.map((sample) => [...sample].length);
  let [exact, near] = [0, 0];
  const fresh = new Set<string>();
  samples.forEach((sample, i) => {
    if (index.has(sample) || (whole && longest[i].length === lengths[i])) exact++;
    else if (index.nearest(sample) !== null) near++;
    else fresh.add(sample);
  });
  // Evenly spread over the text, so that a sorted one is not judged by its A.
  const every = Math.max(1, Math.floor(lines.length / COMPARED_TRAINING_LINES));
  const compared = lines.filter((line, i) => i % every === 0 && [...line].length <= LONGEST_COMPARED);
  const neighbours = compared.filter((line) => index.nearest(line) !== null).length;

  const shares = longest.map((run, i) => (lengths[i] === 0 ? 0 : run.length / lengths[i]));
  let most = 0;
  for (let i = 1; i < longest.length; i++) if (longest[i].length > longest[most].length) most = i;
  const numbers = {
    samples: samples.length,
    distinct: distinct.size,
    trainingLines: lines.length,
    exact,
    near,
    nearAmongTraining: compared.length === 0 ? 0 : neighbours / compared.length,
    newExamples: [...fresh].slice(0, EXAMPLES),
    longestRun: {
      length: longest[most]?.length ?? 0,
      text: longest[most]?.text ?? '',
      sample: samples[most] ?? '',
    },
    medianCopiedShare: median(shares),
    medianLength: median(lengths),
  };
  return { ...numbers, ...judge(numbers, whole) };
}

function judge(
  numbers: Omit<NoveltyReport, 'verdict' | 'sentences'>,
  whole: boolean,
): Pick<NoveltyReport, 'verdict' | 'sentences'> {
  const { samples, distinct, exact, near, longestRun, medianCopiedShare, medianLength } = numbers;
  const share = exact / Math.max(1, samples);
  const verdict =
    share >= 0.5
      ? 'mostly'
      : medianLength >= PASSAGE && medianCopiedShare >= 0.5
        ? 'passages'
        : share >= 0.1
          ? 'some'
          : 'new';
  const words = {
    new: 'The model makes new text: it has learned how the training text is made, not the text itself.',
    some: 'The model makes new text and repeats some of its training text.',
    mostly: 'The model mostly repeats its training text: it has memorised it.',
    passages: 'The model strings together long passages of its training text: it has memorised them.',
  } as const;
  const sentences = [
    words[verdict],
    ...(whole
      ? [
          `Of ${counted(samples, 'sample')}, ${count(exact)} (${percent(share)}) stand in the training text word for word.`,
        ]
      : [
          `Of ${counted(samples, 'sample')}, ${count(exact)} (${percent(share)}) are lines of the training text, word for word, and ` +
            `${count(near)} (${percent(near / Math.max(1, samples))}) are one or two edits away from one.`,
          `For comparison: ${percent(numbers.nearAmongTraining)} of the training lines have another training line that near.`,
        ]),
    `The longest copied run has ${counted(longestRun.length, 'character')}; half of the samples are at least ${percent(medianCopiedShare)} one copied run.`,
    `${count(distinct)} of the samples are distinct${distinct < samples / 2 ? ': the model repeats itself, try a higher temperature' : ''}.`,
  ];
  return { verdict, sentences };
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
