/**
 * What is about to happen, before the first step: data, model, training, machine, what the loss means, and where the result will be.
 */
import { relative } from 'node:path';
import { extrasOf, trainingMemory } from '../../engine/memory.js';
import type { Training } from '../../engine/training.js';
import { count, counted, size } from '../output.js';

export interface Preflight {
  readonly about: string;
  readonly training: Training;
  /** As many threads as were asked for by name; none where nobody asked. */
  readonly threadsAsked: number | undefined;
  readonly folder: string;
  readonly output: string | undefined;
  /** Steps done already, in a run that goes on. */
  readonly from: number;
}

export function preflightLines({ about, training, threadsAsked, folder, output, from }: Preflight): string[] {
  const { settings, config, data, engine, parameters } = training;
  const { batchSize } = settings;
  const { model, step } = trainingMemory(engine.backend, config, batchSize, config.blockSize, extrasOf(settings));
  const nothing = Math.log(config.vocabSize);
  const rows: [string, string][] = [
    [
      'data',
      `${fromHere(data.path)}, ${size(data.bytes)}: ${examples(training)}, ${counted(data.tokens, 'token')}, ${count(config.vocabSize)} different`,
    ],
    [
      'model',
      `${counted(parameters, 'parameter')}: ${counted(config.nLayer, 'layer')}, ${config.nEmbd} wide, ${counted(config.nHead, 'head')}, context ${config.blockSize}`,
    ],
    [
      'training',
      `${from > 0 ? `step ${count(from + 1)} to ${count(settings.steps)}` : counted(settings.steps, 'step')} of ${counted(settings.batchSize, 'example')}, ` +
        `recipe ${settings.recipe}, learning rate ${settings.adam.learningRate} (${settings.schedule}), seed ${settings.seed}`,
    ],
    ['with', habits(training)],
    [
      'machine',
      `${engine.backend} backend, ${threadsLine(training, threadsAsked)}, about ${size(model + step)} of memory`,
    ],
    ['loss', `${nothing.toFixed(2)} means it knows nothing (ln ${config.vocabSize}); ${expectation(training)}`],
    ['run', output === undefined ? folder : `${folder}, and the model as ${output}`],
  ];
  return [about, ...rows.map(([name, text]) => `  ${name.padEnd(9)}${text}`)];
}

/** What was asked for and cannot be used is said. */
function threadsLine({ engine, threads }: Training, asked = 1): string {
  if (threads > 1) return `up to ${threads} threads`;
  if (asked === 1) return '1 thread';
  return `1 thread, not ${asked}: ${engine.backend === 'wasm' ? 'steps of this size are faster on one' : 'this backend has no more'}`;
}

/** A path as it is typed in this folder. */
function fromHere(path: string): string {
  const short = relative('.', path);
  return short === '' || short.startsWith('..') ? path : short;
}

function examples({ settings, data }: Training): string {
  const held = settings.data.validation === 0 ? '' : ` (${count(data.heldOut)} held out)`;
  switch (settings.data.format) {
    case 'bytes':
      return `one stream${settings.data.validation === 0 ? '' : ` (its last ${Math.round(100 * settings.data.validation)} % held out)`}`;
    case 'chunked':
      return `${count(data.documents)} windows of ${settings.data.chunkSize} characters${held}`;
    case 'chat':
      return `${count(data.documents)} conversations${held}`;
    default:
      return `${counted(data.documents, 'document')}${held}`;
  }
}

/** How it learns, beyond the learning rate. */
function habits({ settings, heldOut }: Training): string {
  const { adam, warmup, floor, clip, dropout, accumulate, evalEvery, patience } = settings;
  return [
    adam.weightDecay > 0 ? `AdamW, weight decay ${adam.weightDecay}` : 'Adam',
    warmup > 0 ? `warm-up ${counted(warmup, 'step')}` : 'no warm-up',
    ...(floor > 0 ? [`down to ${Number((100 * floor).toPrecision(3))} % of the rate`] : []),
    clip > 0 ? `gradients clipped at ${clip}` : 'no clipping',
    dropout > 0 ? `dropout ${dropout}` : 'no dropout',
    ...(accumulate > 1 ? [`batches in ${accumulate} parts`] : []),
    heldOut === null
      ? 'nothing held out'
      : `validated every ${evalEvery === 1 ? 'step' : counted(evalEvery, 'step')}${patience > 0 ? `, until ${patience} in a row are no better` : ''}`,
  ].join(', ');
}

/** Rough, from what such models reach. */
function expectation({ settings }: Training): string {
  switch (settings.data.format) {
    case 'chat':
      return 'conversations usually come down to between 0.5 and 1.5';
    case 'chunked':
    case 'bytes':
      return 'prose usually comes down to between 1.3 and 2.2';
    default:
      return 'short lines such as names usually come down to between 1.9 and 2.6';
  }
}
