/**
 * Training as the byte-level C++ trainer does it: first weights, windows of raw bytes, AdamW at a constant rate. A run that goes on with the
 * same seed draws the same windows again, as there; the step goes on counting.
 * Refuses to know: files and flags. Invariant: weights and losses are that program's, up to the rounding of float32.
 */
import { MicrogptError } from '../base/errors.js';
import { cos, log, sin } from '../base/math.js';
import { createXorshift64Star, XORSHIFT_STREAMS } from '../base/xorshift.js';
import type { Checkpoint, OptimizerState } from '../checkpoint/checkpoint.js';
import { FIXED, forEachPlace, layoutOf, requirePrefix, totalStep } from '../checkpoint/prefix.js';
import { type Batch, collate } from '../data/batches.js';
import { modelConfig } from '../model/config.js';
import { parameterTable } from '../model/parameters.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { plainStep } from '../train/learner.js';
import { adamHyper } from '../train/optimizer.js';
import { createEngine } from './create-engine.js';
import type { BackendName, Threads } from './engine.js';
import { COMPUTER_NAMES } from './generate-options.js';
import { type OptionNames, requireCall, requireNames, requireSeed, requireSignal, requireWhole } from './options.js';

/** Sizes of a byte-level model and its learning rate; the defaults are those of the C++ trainer. */
export interface ByteModelOptions {
  /** Length of the vector that stands for a byte; 64 if left out. */
  readonly width?: number | undefined;
  /** 1 if left out. */
  readonly layers?: number | undefined;
  /** Context length in bytes; 64 if left out. */
  readonly context?: number | undefined;
  /** 1 if left out. */
  readonly seed?: number | bigint | undefined;
  /** For `trainBytes`; 3e-4 if left out. */
  readonly learningRate?: number | undefined;
}

/** How a byte-level model is trained on. */
export interface ByteTrainingOptions {
  readonly data: Uint8Array;
  /** 200 if left out. */
  readonly steps?: number | undefined;
  /** Windows a step; 4 if left out. */
  readonly batchSize?: number | undefined;
  /** Tokens of a window; never more than the context. */
  readonly window?: number | undefined;
  readonly seed?: number | bigint | undefined;
  readonly backend?: BackendName | 'auto' | undefined;
  readonly threads?: Threads | undefined;
  /** Ends training after the step that is under way. */
  readonly signal?: AbortSignal | undefined;
}

const MODEL_NAMES: OptionNames<ByteModelOptions> = {
  width: true,
  layers: true,
  context: true,
  seed: true,
  learningRate: true,
};
const TRAINING_NAMES: OptionNames<ByteTrainingOptions> = {
  data: true,
  steps: true,
  batchSize: true,
  window: true,
  seed: true,
  ...COMPUTER_NAMES,
  signal: true,
};

/** A step that is done: its number and its loss in nats per token. */
export interface ByteStep {
  /** Of the whole run, earlier parts of it included. */
  readonly step: number;
  readonly loss: number;
}

const LEAST_BYTES = 1024;

/** An untrained model, as that program draws it: a generator for each tensor, normal with 1/√(fan-in), biases 0. */
export function newByteModel(options: ByteModelOptions = {}): Checkpoint {
  requireNames('newByteModel', options, MODEL_NAMES);
  const { width = 64, layers = 1, context = 64, seed = 1, learningRate = 3e-4 } = options;
  requireSeed(seed);
  const tokenizer = createByteTokenizer();
  const sizes = { nEmbd: width, nLayer: layers, blockSize: context, vocabSize: tokenizer.size };
  const config = modelConfig({ ...FIXED, ...sizes });
  const parameters = new Float64Array(parameterTable(config).total);
  for (const place of layoutOf(config)) {
    const key = seedOf(place.name);
    if (key === null) continue;
    const gauss = boxMuller(BigInt.asUintN(64, BigInt(seed)) ^ key);
    const std = Math.fround(1 / Math.sqrt(place.name.endsWith('w_out') ? 4 * width : width));
    forEachPlace(place, (_, ours) => {
      parameters[ours] = Math.fround(gauss() * std);
    });
  }
  const adam = { learningRate, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 };
  const optimizer = Object.fromEntries(Object.entries(adam).map(([name, x]) => [name, Math.fround(x)]));
  return { config, tokenizer, parameters, optimizer: { ...(optimizer as typeof adam), step: 0, moments: null } };
}

/**
 * Trains on; gives each step as it is done, and at the end the checkpoint. Adam's settings are those of the checkpoint.
 * @throws MG_DATA_TOO_SMALL for less than 1,024 bytes, or than a window; MG_CKPT_FORMAT for a model of another architecture
 */
export function* trainBytes(from: Checkpoint, options: ByteTrainingOptions): Generator<ByteStep, Checkpoint, void> {
  requireCall('trainBytes', from, options, TRAINING_NAMES);
  requirePrefix(from);
  requireSignal(options.signal);
  const { steps = 200, batchSize = 4, seed = 1, data } = options;
  const window = Math.min(options.window ?? from.config.blockSize, from.config.blockSize);
  requireWhole('steps', steps, 0);
  requireWhole('batchSize', batchSize, 1);
  requireWhole('window', window, 1);
  requireSeed(seed);
  const least = Math.max(LEAST_BYTES, window + 1);
  if (data.length < least) {
    const message = `dataset too small: ${data.length} bytes, need at least ${least}`;
    throw new MicrogptError('MG_DATA_TOO_SMALL', message, 'give a longer text');
  }
  const started: OptimizerState = from.optimizer ?? newByteModel({ width: 1 }).optimizer!;
  const firstStep = totalStep(from);
  // Without its moments Adam begins again, while the steps of the run go on counting.
  const adamStep = started.moments === null ? 0 : started.step;
  const batch = byteBatches(data, batchSize, window, seed);
  const { config, tokenizer, parameters } = from;
  const engine = createEngine(options.backend ?? 'auto', config, parameters, { threads: options.threads });
  try {
    if (started.moments !== null) engine.restore({ parameters, ...started.moments });
    let done = 0;
    for (; done < steps && options.signal?.aborted !== true; done++) {
      const hyper = adamHyper(started, started.learningRate, adamStep + done);
      const { loss } = engine.trainStep([batch()], plainStep(hyper));
      if (!Number.isFinite(loss)) {
        const message = `the loss became ${loss} at step ${firstStep + done + 1}`;
        throw new MicrogptError('MG_TRAIN_NONFINITE', message, 'train with a smaller learning rate');
      }
      yield { step: firstStep + done + 1, loss };
    }
    const moments = adamStep + done > 0 ? engine.moments() : null;
    const step = adamStep + done;
    return {
      config,
      tokenizer,
      parameters: engine.parameters(),
      optimizer: { ...started, step, moments },
      ...(firstStep + done !== step && { run: { step: firstStep + done } }),
    };
  } finally {
    engine.close();
  }
}

/** Windows that begin anywhere, drawn one after the other from the training stream of the seed. */
export function byteBatches(data: Uint8Array, batchSize: number, window: number, seed: number | bigint): () => Batch {
  const random = createXorshift64Star(BigInt.asUintN(64, BigInt(seed)) ^ XORSHIFT_STREAMS.training);
  return () => {
    const sequences = Array.from({ length: batchSize }, () => {
      const start = random.integer(0, data.length - (window + 1));
      return Int32Array.from(data.subarray(start, start + window + 1));
    });
    return collate(sequences, window);
  };
}

/** What is mixed into the seed for a tensor; null for biases, which are not drawn. */
function seedOf(name: string): bigint | null {
  const [, layer, part] = /^layer (\d+) (\w+)$/.exec(name) ?? [];
  if (layer === undefined) return { wte: 0xa11cen, wpe: 0xbeefn, w_lm: 0xc0ffeen }[name] ?? null;
  const number = { w_qkv: 1n, w_proj: 2n, w_fc: 3n, w_out: 4n }[part];
  if (number === undefined) return null;
  return BigInt.asUintN(64, 0x1000n + BigInt(layer) * 0x9e3779b97f4a7c15n) ^ number;
}

/** Two normal numbers from two uniform ones, in float32 throughout. */
function boxMuller(seed: bigint): () => number {
  const random = createXorshift64Star(seed);
  let second: number | null = null;
  return () => {
    if (second !== null) {
      const value = second;
      second = null;
      return value;
    }
    const u1 = Math.fround(Math.max(random.uniform(), Math.fround(1e-7)));
    const u2 = random.uniform();
    const radius = Math.fround(Math.sqrt(Math.fround(-2 * Math.fround(log(u1)))));
    const angle = Math.fround(Math.fround(2 * Math.PI) * u2);
    second = Math.fround(radius * Math.fround(sin(angle)));
    return Math.fround(radius * Math.fround(cos(angle)));
  };
}
