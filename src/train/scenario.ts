/**
 * A scenario: what to train on and how, read from JSON. The files of the earlier scenario scripts are scenarios too: their fields have
 * the same names here, and a file that names no recipe means what those scripts did.
 * Refuses to know: where files lie. Invariant: a field that is not known is refused, because a slip of the pen must not be a default.
 */
import { MicrogptError } from '../base/errors.js';
import type { Json, JsonObject } from '../base/json.js';
import { ACTIVATIONS } from '../model/config.js';
import { isRecipe, RECIPES, type RecipeName } from './recipes.js';
import { DATA_FORMATS, HEADERS, type Overrides, type Settings } from './settings.js';

/** A text and the settings to train on it with. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly recipe: RecipeName;
  /** What differs from the recipe. */
  readonly settings: Overrides<Settings>;
  /** Where the text is: a path, relative to the scenario's home; or the name of a corpus that can be fetched; or an address. */
  readonly path: string | null;
  readonly corpus: string | null;
  readonly url: string | null;
  readonly backend: string | null;
}

type Kind = 'text' | 'address' | 'number' | 'whole' | 'flag' | readonly string[];

/** Field in the file → place in the settings. */
type Fields = Readonly<Record<string, { readonly is: Kind; readonly to?: string }>>;

const DATA: Fields = {
  path: { is: 'text' },
  corpus: { is: 'text' },
  download_url: { is: 'address' },
  format: { is: DATA_FORMATS, to: 'format' },
  column: { is: 'text', to: 'column' },
  header: { is: HEADERS, to: 'header' },
  chunk_size: { is: 'whole', to: 'chunkSize' },
  chunk_overlap: { is: 'whole', to: 'chunkOverlap' },
  trailing_bos: { is: 'flag', to: 'trailingBos' },
  loss_on: { is: ['assistant', 'all'], to: 'lossOn' },
  encoding: { is: ['strict', 'lossy'], to: 'encoding' },
  validation: { is: 'number', to: 'validation' },
};

const MODEL: Fields = {
  n_embd: { is: 'whole', to: 'nEmbd' },
  n_head: { is: 'whole', to: 'nHead' },
  n_layer: { is: 'whole', to: 'nLayer' },
  block_size: { is: 'whole', to: 'blockSize' },
  activation: { is: ACTIVATIONS, to: 'activation' },
};

const TRAINING: Fields = {
  learning_rate: { is: 'number', to: 'adam.learningRate' },
  beta1: { is: 'number', to: 'adam.beta1' },
  beta2: { is: 'number', to: 'adam.beta2' },
  eps_adam: { is: 'number', to: 'adam.eps' },
  weight_decay: { is: 'number', to: 'adam.weightDecay' },
  num_steps: { is: 'whole', to: 'steps' },
  batch_size: { is: 'whole', to: 'batchSize' },
  grad_accum: { is: 'whole', to: 'accumulate' },
  schedule: { is: ['constant', 'linear', 'cosine'], to: 'schedule' },
  warmup_steps: { is: 'whole', to: 'warmup' },
  min_lr_share: { is: 'number', to: 'floor' },
  clip: { is: 'number', to: 'clip' },
  dropout: { is: 'number', to: 'dropout' },
  eval_every: { is: 'whole', to: 'evalEvery' },
  patience: { is: 'whole', to: 'patience' },
  temperature: { is: 'number', to: 'temperature' },
  backend: { is: ['value', 'python', 'reference', 'wasm', 'numpy', 'auto'] },
};

const TOP = ['name', 'description', 'recipe', 'data', 'model', 'training'];

/** @throws MG_CLI_SCENARIO with the field that is wrong. */
export function readScenario(file: Json, source: string, fallbackName: string): Scenario {
  if (!(file instanceof Map)) throw wrong(source, 'not a JSON object');
  for (const name of file.keys()) if (!TOP.includes(name)) throw wrong(source, `there is no field "${name}"`, TOP);

  const recipe = optionalText(file, 'recipe', source) ?? 'scenario';
  if (!isRecipe(recipe)) throw wrong(source, `there is no recipe "${recipe}"`, Object.keys(RECIPES));
  const data = readFields(part(file, 'data', source), DATA, 'data', source);
  const model = readFields(part(file, 'model', source), MODEL, 'model', source);
  const training = readFields(part(file, 'training', source), TRAINING, 'training', source);

  const settings: Record<string, unknown> = { data: data.settings, model: model.settings, ...training.settings };
  // The earlier scripts overlap windows by half when the file does not say.
  if (data.settings['chunkSize'] !== undefined && data.settings['chunkOverlap'] === undefined)
    data.settings['chunkOverlap'] = Math.floor((data.settings['chunkSize'] as number) / 2);
  const text = (name: string) => (data.other.get(name) as string | undefined) ?? null;
  return {
    name: optionalText(file, 'name', source) ?? fallbackName,
    description: optionalText(file, 'description', source) ?? '',
    recipe,
    settings: settings as Overrides<Settings>,
    path: text('path'),
    corpus: text('corpus'),
    url: text('download_url'),
    backend: (training.other.get('backend') as string | undefined) ?? null,
  };
}

function part(file: JsonObject, name: string, source: string): JsonObject {
  const value = file.get(name) ?? new Map<string, Json>();
  if (!(value instanceof Map)) throw wrong(source, `"${name}" is not an object`);
  return value;
}

function readFields(from: JsonObject, fields: Fields, at: string, source: string) {
  const settings: Record<string, unknown> = {};
  const other = new Map<string, Json>();
  for (const [name, value] of from) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) throw wrong(source, `there is no field "${at}.${name}"`, Object.keys(fields));
    if (!fits(value, field.is)) {
      const expected = typeof field.is === 'string' ? NAMES[field.is] : field.is.join(', ');
      throw wrong(source, `${at}.${name} is ${JSON.stringify(value)}, expected ${expected}`);
    }
    if (field.to === undefined) other.set(name, value);
    else put(settings, field.to.split('.'), value);
  }
  return { settings, other };
}

const NAMES = {
  text: 'a text',
  address: 'an http or https address',
  number: 'a number from 0 up',
  whole: 'a whole number from 0 up',
  flag: 'true or false',
} as const;

function fits(value: Json, kind: Kind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string' && value !== '';
    case 'address':
      return typeof value === 'string' && /^https?:\/\/[^/]/.test(value) && URL.canParse(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) && value >= 0;
    case 'whole':
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
    case 'flag':
      return typeof value === 'boolean';
    default:
      return typeof value === 'string' && kind.includes(value);
  }
}

function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path;
  if (rest.length === 0) into[first] = value;
  else {
    into[first] ??= {};
    put(into[first] as Record<string, unknown>, rest, value);
  }
}

function optionalText(file: JsonObject, name: string, source: string): string | null {
  const value = file.get(name);
  if (value === undefined) return null;
  if (typeof value !== 'string') throw wrong(source, `"${name}" is not a text`);
  return value;
}

function wrong(source: string, what: string, known?: readonly string[]): MicrogptError {
  const remedy = known === undefined ? 'mend the scenario file' : `the fields here are ${known.join(', ')}`;
  return new MicrogptError('MG_CLI_SCENARIO', `${source}: ${what}`, remedy);
}
