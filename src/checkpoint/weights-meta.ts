/**
 * The Rust system's pair in a folder: `meta.json` (sizes, characters, whether it is a chat model) and `weights.json` (matrices by name).
 * Its model is the canonical one with relu; what differs goes into extra fields of meta.json, which its reader ignores.
 * Special tokens come after the characters: BOS, or user, assistant, end of turn, BOS. Its weights come in no particular order of names.
 * Invariant: every float reads back to the same bits.
 */
import { MicrogptError } from '../base/errors.js';
import type { Json, JsonObject } from '../base/json.js';
import { rustFloat } from '../base/json.js';
import { createCharTokenizer } from '../tokenizer/char.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Checkpoint, Decoded, DecodeOptions } from './checkpoint.js';
import { configFields, type Habit, readConfig, readWeights, weightFields } from './json-fields.js';
import { requireJsonSize } from './nested-json.js';
import { bad, describe } from './refusal.js';

/** The habit of the Rust system. */
export const RUST: Habit = { norm: 'rmsnorm', activation: 'relu', bias: false, embedNorm: true, finalNorm: false };
const ROLES = ['user', 'assistant', 'end_turn'] as const;

export function isMeta(file: JsonObject): boolean {
  return file.has('chars') && file.has('n_embd');
}

export function isWeights(file: JsonObject): boolean {
  return file.has('wte') && file.has('wpe');
}

/** @throws MG_CKPT_CONFIG, MG_CKPT_TOKENIZER, MG_CKPT_SHAPE, MG_CKPT_NONFINITE */
export function decodeWeightsMeta(
  weights: JsonObject,
  meta: JsonObject,
  options: DecodeOptions,
  source: string,
): Decoded {
  const { config, notes } = readConfig(meta, options, source, RUST);
  const tokenizer = readTokenizer(meta, config.vocabSize, source);
  const parameters = readWeights(weights, config, source);
  return { checkpoint: { config, tokenizer, parameters }, format: 'weights.json + meta.json', notes };
}

/** The texts of the two files. @throws MG_CKPT_FORMAT */
export function encodeWeightsMeta(checkpoint: Checkpoint): { readonly weights: string; readonly meta: string } {
  requireWeightsMeta(checkpoint);
  const { config, tokenizer, parameters } = checkpoint;
  const { vocab_size, n_embd, n_head, n_layer, block_size, ...markers } = configFields(config, RUST);
  const meta = {
    ...{ vocab_size, n_embd, n_head, n_layer, block_size },
    chars: tokenizer.pieces.filter((piece) => piece !== null),
    ...(tokenizer.roles && { special_tokens: ROLES }),
    ...markers,
  };
  const row = (numbers: Float64Array) => `[${Array.from(numbers, rustFloat).join(',')}]`;
  const matrices = Object.entries(weightFields(config, parameters)).map(
    ([name, rows]) => `${JSON.stringify(name)}:${Array.isArray(rows) ? `[${rows.map(row).join(',')}]` : row(rows)}`,
  );
  return { weights: `{${matrices.join(',')}}`, meta: JSON.stringify(meta, null, 2) };
}

/** @throws MG_CKPT_FORMAT when the tokenizer is another one, or the weights are too many for JSON. */
export function requireWeightsMeta({ tokenizer, parameters }: Checkpoint): void {
  requireJsonSize(parameters.length);
  const { kind, roles, bos, size } = tokenizer;
  const n = size - (roles === null ? 1 : 4);
  const inPlace = roles === null || (roles.user === n && roles.assistant === n + 1 && roles.end === n + 2);
  if (kind === 'char' && bos === size - 1 && inPlace) return;
  const found = kind === 'byte' ? 'its tokens are bytes' : `BOS is token ${bos} of ${size}`;
  throw new MicrogptError(
    'MG_CKPT_FORMAT',
    `weights.json + meta.json holds characters with the special tokens after them; of this model ${found}`,
    'convert to a .safetensors file, which holds every model',
  );
}

function readTokenizer(meta: JsonObject, vocabSize: number, source: string): Tokenizer {
  const characters: Json | undefined = meta.get('chars');
  if (!Array.isArray(characters) || !characters.every((c) => typeof c === 'string')) {
    throw bad('MG_CKPT_TOKENIZER', source, `"chars" is ${describe(characters)}, expected a list of characters`);
  }
  const special = meta.get('special_tokens') ?? null;
  if (special !== null && !Array.isArray(special)) {
    throw bad('MG_CKPT_TOKENIZER', source, `"special_tokens" is ${describe(special)}, expected a list of names`);
  }
  const n = characters.length;
  const specials = special === null ? 1 : 4;
  if (n + specials !== vocabSize) {
    const what = `${n} characters and ${specials} special tokens, but vocab_size ${vocabSize}`;
    throw bad('MG_CKPT_TOKENIZER', source, `${what}: this tokenizer belongs to another model`);
  }
  const pieces = [...characters, ...new Array<null>(specials).fill(null)];
  try {
    return createCharTokenizer(pieces, special === null ? null : { user: n, assistant: n + 1, end: n + 2 });
  } catch (error) {
    if (error instanceof MicrogptError) throw bad('MG_CKPT_TOKENIZER', source, error.message);
    throw error;
  }
}
