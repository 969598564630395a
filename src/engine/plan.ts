/**
 * From a model and options to what the scheduler needs: what is read first, what ends a sample, how tokens are chosen, what is demanded.
 * Refuses to know: how samples are run. Invariant: a pure function of model and options.
 */
import { createPythonRandom } from '../base/python-random.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { TokenSymbols } from '../generate/constraints/acceptor.js';
import { type Choose, createChoose, type Sampling } from '../generate/filters.js';
import { endTokens } from '../generate/generate.js';
import { counterDraw, cppDraw, type Draw, pythonDraw, rustDraw } from '../generate/sampler.js';
import { type Window, windowFor } from '../generate/sliding.js';
import { readPrompt } from '../tokenizer/small-letters.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { GenerateOptions, SamplingOptions } from './generate-options.js';

/** As much of a checkpoint as is needed to ask for text. */
export type Model = Pick<Checkpoint, 'config' | 'tokenizer'>;

export interface SamplePlan {
  /** Read first: BOS where there is one, and what the model knows of the prompt, capitals as small letters where it has only those. */
  readonly start: readonly number[];
  /** Draws are numbered from here. */
  readonly firstSample: number;
  readonly ends: Uint8Array;
  readonly window: Window | undefined;
  /** Most tokens to draw, bounded by the context too. */
  readonly room: number;
  /** How tokens are chosen in each attempt at a sample; the first is 0. */
  readonly choose: (attempt: number) => Choose;
  readonly sampling: Sampling;
  /** The draws are one running stream: samples have to be made one after the other. */
  readonly running: boolean;
}

const CPP_TOKENS = 128;
const CHAIN_TOKENS = 2000;

/** `draw` replaces the one that seed and compat name. */
export function planSamples({ config, tokenizer }: Model, options: GenerateOptions, draw?: Draw): SamplePlan {
  const { blockSize, vocabSize } = config;
  const { compat, prompt = '', stopTokens = [], stopAtBos = true } = options;
  const bos = compat === 'cpp' ? null : tokenizer.bos;
  const window = windowOf(options, blockSize, bos !== null);
  const start = startOf(
    tokenizer,
    compat === undefined ? readPrompt(tokenizer, prompt) : tokenizer.encode(prompt),
    bos,
  );
  const read = window === undefined ? start.slice(0, blockSize) : start;
  const sampling = samplingOf(options, tokenizer);
  return {
    sampling,
    start: read,
    firstSample: 0,
    ends: endTokens(vocabSize, [...(compat === 'cpp' ? [] : stopTokens), stopAtBos ? bos : null]),
    window,
    room: start.length === 0 ? 0 : roomFor(options, read.length, blockSize, window !== undefined),
    choose: chooser(sampling, vocabSize, options, draw, bos),
    running: draw !== undefined || compat !== undefined,
  };
}

/** A model without BOS has to be given something to go on from: the end of a line, as before a new text. The C++ program gives nothing. */
function startOf(tokenizer: Tokenizer, { ids }: { readonly ids: readonly number[] }, bos: number | null): number[] {
  if (bos !== null) return [bos, ...ids];
  if (ids.length > 0 || tokenizer.bos !== null) return [...ids];
  return tokenizer.encode('\n').ids;
}

function windowOf({ chain, compat }: GenerateOptions, blockSize: number, hasBos: boolean): Window | undefined {
  if (compat === 'cpp') return windowFor(blockSize, false, blockSize - 1);
  if (chain === undefined || chain === false) return undefined;
  return windowFor(blockSize, hasBos, chain === true ? undefined : chain);
}

function roomFor(
  { maxTokens, compat, prompt }: GenerateOptions,
  read: number,
  blockSize: number,
  chained: boolean,
): number {
  if (compat === 'cpp') return prompt ? (maxTokens ?? CPP_TOKENS) : 0;
  if (chained) return maxTokens ?? CHAIN_TOKENS;
  const room = blockSize - read + (compat === 'python-scenario' ? 0 : 1);
  return Math.min(maxTokens ?? room, room);
}

/** Token ids as the filters take them. */
export function samplingOf(options: SamplingOptions, tokenizer: Tokenizer): Sampling {
  const { temperature = 0.5, topK, topP, minP, repetitionPenalty, repetitionWindow, bias, asciiOnly } = options;
  const allowed = asciiOnly ? asciiTokens(tokenizer) : undefined;
  return { temperature, topK, topP, minP, repetitionPenalty, repetitionWindow, bias, allowed };
}

/** [V] 1 for tokens of printable ASCII, tab, line feed, carriage return, and for those without text. */
function asciiTokens(tokenizer: Tokenizer): Uint8Array {
  const { symbols } = tokenSymbols(tokenizer);
  return Uint8Array.from(symbols, (c) => (c < 0 || c === 9 || c === 10 || c === 13 || (c >= 32 && c <= 126) ? 1 : 0));
}

function chooser(
  sampling: Sampling,
  vocabSize: number,
  { compat, seed = 42 }: GenerateOptions,
  given: Draw | undefined,
  bos: number | null,
): (attempt: number) => Choose {
  const running = given ?? runningDraw(compat, seed);
  const made = new Map<number, Choose>();
  return (attempt) => {
    const key = running === null ? attempt : 0;
    let choose = made.get(key);
    if (choose === undefined) {
      choose = createChoose(sampling, vocabSize, running ?? counterDraw(seed, attempt), [bos]);
      made.set(key, choose);
    }
    return choose;
  };
}

function runningDraw(compat: GenerateOptions['compat'], seed: number | bigint): Draw | null {
  switch (compat) {
    case undefined:
      return null;
    case 'cpp':
      return cppDraw(seed);
    case 'rust':
      return rustDraw(seed);
    case 'python':
    case 'python-scenario':
      return pythonDraw(createPythonRandom(seed));
    default:
      return compat satisfies never;
  }
}

/** The code point or the byte of each token, −1 for those without text. */
export function tokenSymbols({ kind, pieces }: Tokenizer): TokenSymbols {
  const symbols = Int32Array.from(pieces, (piece, id) => {
    if (piece === null) return -1;
    return kind === 'byte' ? id : piece.codePointAt(0)!;
  });
  return { alphabet: kind === 'byte' ? 'bytes' : 'code points', symbols };
}
