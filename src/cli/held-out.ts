/**
 * What a model's run held out, to compare with: lines that it never learned from. And its training text, for who wants to look for copies.
 * Invariant: only from the text that the run was trained on, unchanged.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { openCorpus } from '../node/corpus.js';
import { type RunData, runDataOf, unchangedText } from '../node/run-data.js';
import { corpusOptions } from './train/flags.js';

/** More lines would not make a percentile any better. */
const MOST_LINES = 10_000;
const MADE_OF_LINES: readonly string[] = ['lines', 'csv', 'tsv'];

/** The lines, or why there are none, as the rest of a sentence. */
export type HeldOut = { readonly lines: readonly string[]; readonly path: string } | { readonly why: string };

export async function heldOutLines(checkpoint: Checkpoint, modelPath: string): Promise<HeldOut> {
  const found = await trainingText(checkpoint, modelPath);
  if ('why' in found) return found;
  const { path, run } = found;
  const { data, bosPlace } = run.settings;
  if (!(data.validation > 0)) return { why: 'its run held out no lines' };
  if (!MADE_OF_LINES.includes(data.format)) return { why: `its run learned from ${data.format}, not from lines` };
  const corpus = await openCorpus(path, corpusOptions(data, bosPlace, checkpoint));
  try {
    const { validation } = corpus;
    if (validation === null || validation.kind === 'stream') return { why: 'its run held out no lines' };
    const lines = Array.from({ length: Math.min(MOST_LINES, validation.count) }, (_, i) =>
      checkpoint.tokenizer.decode(validation.document(i).tokens),
    );
    return { lines, path };
  } finally {
    corpus.close();
  }
}

/** Every line of the text that a model was trained on, those that were held out too; or why there are none, as the rest of a sentence. */
export async function trainingLines(checkpoint: Checkpoint, modelPath: string): Promise<HeldOut> {
  const found = await trainingText(checkpoint, modelPath);
  if ('why' in found) return found;
  const { data, bosPlace } = found.run.settings;
  if (!MADE_OF_LINES.includes(data.format)) return { why: `its run learned from ${data.format}, not from lines` };
  const { train, close } = await openCorpus(
    found.path,
    corpusOptions({ ...data, validation: 0 }, bosPlace, checkpoint),
  );
  try {
    if (train.kind === 'stream') return { why: 'its run learned from a stream' };
    const lines = Array.from({ length: train.count }, (_, i) => checkpoint.tokenizer.decode(train.document(i).tokens));
    return { lines, path: found.path };
  } finally {
    close();
  }
}

/** Where the text of a model's run is, or why it cannot be had. */
export async function trainingText(
  checkpoint: Checkpoint,
  modelPath: string,
): Promise<{ readonly path: string; readonly run: RunData } | { readonly why: string }> {
  const run = await runDataOf(checkpoint, modelPath);
  if (run === null) return { why: 'the model does not say what it was trained on' };
  const text = await unchangedText(run);
  return 'why' in text ? text : { ...text, run };
}
