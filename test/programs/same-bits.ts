/**
 * One program for every engine that the promise of the same bits is about: trains two models from their seed, generates text, and
 * returns sha256 hashes of what came out. `expected.json` holds what every one of them must return.
 * Refuses to know where it runs: no Node, no page; threads are handed in. It uses the compiled library, as users do.
 * When the arithmetic changes on purpose, the tests that fail show the new hashes.
 */
import { createWasmBackend, type Threads } from '../../dist/backend/wasm/index.js';
import { createPythonRandom } from '../../dist/base/python-random.js';
import { encodeDocuments, sequentialBatches } from '../../dist/data/batches.js';
import type { Engine } from '../../dist/engine/engine.js';
import type { GenerateOptions } from '../../dist/engine/generate-options.js';
import { createService } from '../../dist/engine/service.js';
import { createTensorEngine } from '../../dist/engine/tensor-engine.js';
import { sampleTexts } from '../../dist/engine/text.js';
import { counterDraw } from '../../dist/generate/sampler.js';
import { type ModelConfig, modelConfig } from '../../dist/model/config.js';
import { initialParameters, parameterTable } from '../../dist/model/parameters.js';
import { charTokenizerFrom } from '../../dist/tokenizer/char.js';
import type { Tokenizer } from '../../dist/tokenizer/tokenizer.js';
import type { AdamSettings } from '../../dist/train/optimizer.js';
import { RECIPES, type Recipe } from '../../dist/train/recipes.js';
import { trainLoop } from '../../dist/train/trainer.js';

/** Hashes of one model. */
export interface Bits {
  /** All weights after training, as f32. */
  readonly weights: string;
  /** The loss of every step, as f64. */
  readonly losses: string;
  /** Text of 64 samples, the same alone and among 31 others. */
  readonly text: string;
  /** Every logit while 64 documents are read, the same alone and among 31 others. */
  readonly logits: string;
  /** What the first 48 askers of one service get, the same one after the other and among all others at once. */
  readonly answers: string;
}

export interface Outcome {
  readonly bits: Bits;
  /** What was not the same alone and among others; empty when all is well. */
  readonly differs: readonly string[];
  /** Runs that were shared among threads: while training, and while generating among others. */
  readonly sharedTraining: number;
  readonly sharedGenerating: number;
}

interface Work {
  readonly recipe: Recipe;
  readonly model: Partial<ModelConfig>;
  readonly adam: Partial<AdamSettings>;
  readonly batchSize: number;
  /** Names in one document. */
  readonly namesEach: number;
}

export const MODELS = {
  /** The canonical model, a document a step: too small to be shared among threads. */
  canonical: { recipe: RECIPES.canonical, model: {}, adam: {}, batchSize: 1, namesEach: 1 },
  /** Large enough to be shared, with all that the canonical model is without, weight decay and the cosine schedule included. */
  large: {
    recipe: RECIPES.scenario,
    model: {
      nEmbd: 96,
      nHead: 4,
      nLayer: 2,
      blockSize: 32,
      norm: 'layernorm',
      activation: 'gelu',
      bias: true,
      embedNorm: false,
      finalNorm: true,
    },
    adam: { learningRate: 0.003, weightDecay: 0.01 },
    batchSize: 16,
    namesEach: 2,
  },
} as const satisfies Record<string, Work>;
export type ModelName = keyof typeof MODELS;

/** Multiply-adds from which on runs are shared here, always: every step of the large model, and what it reads side by side. */
const SHARED_WORK = 4e6;

export const STEPS = 200;
export const SEED = 42;
const SAMPLES = 64;
const SIDE_BY_SIDE = 32;
const ASKERS = 48;

/** What is asked of a service, in turn. */
const KINDS: readonly GenerateOptions[] = [
  {},
  { prompt: 'mar', samples: 3 },
  { topK: 4, temperature: 1.5 },
  { topP: 0.9, minP: 0.02, temperature: 1 },
  { matches: '[a-k]{2,5}', samples: 2 },
  { unique: true, samples: 3, temperature: 0.3 },
  { stop: 'a', repetitionPenalty: 1.3 },
  { chain: true, stopAtBos: false, maxTokens: 40 },
  { compat: 'rust', samples: 2 },
];

export async function sameBits(
  name: ModelName,
  names: readonly string[],
  options: {
    readonly threads?: Threads | undefined;
    readonly seed?: number | undefined;
    /** How many ask at once; their answers stand for all. */
    readonly askers?: number | undefined;
  } = {},
): Promise<Outcome> {
  const { recipe, model, adam, batchSize, namesEach }: Work = MODELS[name];
  const threads = options.threads && { ...options.threads, sharedWork: SHARED_WORK };
  const documents = Array.from({ length: Math.floor(names.length / namesEach) }, (_, i) =>
    names.slice(i * namesEach, (i + 1) * namesEach).join(' '),
  );
  const tokenizer = charTokenizerFrom(documents, recipe.bosPlace);
  const config = modelConfig({ ...recipe.model, ...model, vocabSize: tokenizer.size });
  const random = createPythonRandom(options.seed ?? SEED);
  random.shuffle(documents);
  const sequences = encodeDocuments(documents, tokenizer, 'names');
  const initial = initialParameters(parameterTable(config), recipe.spread, random.gauss);
  const backend = createWasmBackend(threads ? { threads } : {});
  const engine = createTensorEngine('wasm', backend, config, initial);
  try {
    const losses = new Float64Array(STEPS);
    const loop = trainLoop({
      learner: engine,
      batches: sequentialBatches(sequences, batchSize, config.blockSize),
      adam: { ...recipe.adam, ...adam },
      schedule: recipe.schedule,
      steps: STEPS,
    });
    for await (const event of loop) if (event.type === 'step') losses[event.step - 1] = event.loss;
    const sharedTraining = backend.sharedRuns();
    const text = await aloneAndAmong((places) => textOf(engine, config, tokenizer, places));
    const logits = await aloneAndAmong((places) => logitsOf(engine, config, sequences.slice(0, SAMPLES), places));
    const trained = { config, tokenizer, parameters: engine.parameters() };
    const alone = await answersOf(trained, threads, 1, ASKERS);
    const among = await answersOf(trained, threads, SIDE_BY_SIDE, options.askers ?? ASKERS);
    return {
      bits: {
        weights: await sha256(Float32Array.from(engine.parameters())),
        losses: await sha256(losses),
        text: text.alone,
        logits: logits.alone,
        answers: await sha256(alone),
      },
      differs: [
        ...(text.same ? [] : ['text']),
        ...(logits.same ? [] : ['logits']),
        ...((await sha256(among)) === (await sha256(alone)) ? [] : ['answers']),
      ],
      sharedTraining,
      sharedGenerating: backend.sharedRuns() - sharedTraining,
    };
  } finally {
    engine.close();
  }
}

async function aloneAndAmong(
  run: (places: number) => Uint8Array | Float64Array,
): Promise<{ alone: string; same: boolean }> {
  const alone = await sha256(run(1));
  return { alone, same: alone === (await sha256(run(SIDE_BY_SIDE))) };
}

function textOf(engine: Engine, config: ModelConfig, tokenizer: Tokenizer, places: number): Uint8Array {
  const texts = sampleTexts(engine.decoder(places), { config, tokenizer }, counterDraw(SEED), {
    samples: SAMPLES,
    temperature: 1,
  });
  return Uint8Array.from(texts.join('\n'), (character) => character.charCodeAt(0)); // a–z and space only
}

/** The answers of the first askers, who all ask at once and share so many places. */
async function answersOf(
  model: Parameters<typeof createService>[0],
  threads: Threads | undefined,
  places: number,
  askers: number,
): Promise<Uint8Array> {
  const service = createService(model, { backend: 'wasm', threads, places });
  try {
    const asked = Array.from({ length: askers }, async (_, i) => {
      const texts: string[] = []; // of each sample; samples may alternate
      for await (const { sample, text, end } of service.stream({ ...KINDS[i % KINDS.length], seed: i })) {
        texts[sample] = `${texts[sample] ?? ''}${text}${end === null ? '' : ` (${end})`}`;
      }
      return texts.join();
    });
    return new TextEncoder().encode((await Promise.all(asked)).slice(0, ASKERS).join('\n'));
  } finally {
    service.close();
  }
}

/** The logits of every token of every document [sequence][position][V], read `places` documents at once, token by token. */
function logitsOf(
  engine: Engine,
  { blockSize, vocabSize: V }: ModelConfig,
  sequences: readonly Int32Array[],
  places: number,
): Float64Array {
  const decoder = engine.decoder(places);
  const out = new Float64Array(sequences.length * blockSize * V);
  for (let first = 0; first < sequences.length; first += places) {
    for (let place = 0; place < places; place++) decoder.restart(place);
    for (let t = 0; t < blockSize; t++) {
      const of: number[] = [];
      for (let place = 0; place < places; place++) if (t < sequences[first + place].length) of.push(place);
      if (of.length === 0) break;
      const logits = decoder.read(
        of.map((place) => sequences[first + place][t]),
        of,
      );
      of.forEach((place, row) => {
        out.set(logits.subarray(row * V, (row + 1) * V), ((first + place) * blockSize + t) * V);
      });
    }
  }
  return out;
}

async function sha256(numbers: Uint8Array | Float32Array | Float64Array): Promise<string> {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength) as Uint8Array<ArrayBuffer>;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
