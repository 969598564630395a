/**
 * Everything that decides what a training run computes, as one record of plain data: the same settings, the same text and the same seed
 * give the same bits. Written into run folders and checkpoints, and compared when a run goes on.
 * Refuses to know: files, threads, clocks. Invariant: settings survive JSON unchanged.
 */
import { MicrogptError } from '../base/errors.js';
import type { ModelConfig } from '../model/config.js';
import type { InitialSpread } from '../model/parameters.js';
import type { AdamSettings } from './optimizer.js';
import type { Schedule } from './schedules.js';

export const DATA_FORMATS = ['lines', 'chunked', 'bytes', 'chat', 'csv', 'tsv'] as const;
/** How a text becomes examples. */
export type DataFormat = (typeof DATA_FORMATS)[number];

export const HEADERS = ['yes', 'no'] as const;
/** Whether the first row of a table has names. */
export type Header = (typeof HEADERS)[number];

/** How a file becomes examples. */
export interface DataSettings {
  /** One example per line, windows of prose, raw bytes, conversations as JSON lines, or a column of a CSV or TSV file. */
  readonly format: DataFormat;
  /** For `csv` and `tsv`: the column's name, or its number from 1; null for the first. */
  readonly column: string | null;
  /** For `chunked`: characters in a window, and how many of them the next window repeats. */
  readonly chunkSize: number;
  readonly chunkOverlap: number;
  /** For `chunked`: whether BOS also ends a window. */
  readonly trailingBos: boolean;
  /** For `chat`: whose words count in the loss. */
  readonly lossOn: 'assistant' | 'all';
  /** What to do about bytes that are not UTF-8: refuse, or read U+FFFD in their place. */
  readonly encoding: 'strict' | 'lossy';
  /** Share of the text that is held out for validation, 0 for none. */
  readonly validation: number;
  /** `python`: shuffled once, as the earlier programs do. `keyed`: in another order each time round, without a list in memory. */
  readonly order: 'python' | 'keyed';
  /** For `csv` and `tsv`: whether the first row has names. Left out of the record where nobody said: then it has, unless the column is a number. */
  readonly header?: Header | undefined;
}

/** Everything that decides what a run computes, besides its seed, its backend and its text. */
export interface Settings {
  readonly data: DataSettings;
  readonly model: Omit<ModelConfig, 'vocabSize'>;
  /** Where BOS stands among the token ids. */
  readonly bosPlace: 'first' | 'last';
  readonly spread: InitialSpread;
  readonly adam: AdamSettings;
  readonly schedule: Schedule;
  /** Steps over which the learning rate rises to its full height. */
  readonly warmup: number;
  /** The share of the full learning rate that it never falls below. */
  readonly floor: number;
  readonly steps: number;
  /** Examples per step. */
  readonly batchSize: number;
  /** Parts that each batch is computed in, one after the other, to save memory. */
  readonly accumulate: number;
  /** Largest global norm of the gradient; 0 for no limit. */
  readonly clip: number;
  /** Share of the activations that is set to 0 at random in training. */
  readonly dropout: number;
  /** Steps between two looks at the held-out text; 0 for none. */
  readonly evalEvery: number;
  /** Looks without a better result after which training ends; 0 to go on to the end. */
  readonly patience: number;
  /** For the samples that training prints. */
  readonly temperature: number;
}

/** The settings of one run. */
export interface RunSettings extends Settings {
  readonly recipe: string;
  /** A whole number of up to 64 bits, in decimal digits. */
  readonly seed: string;
  readonly backend: string;
}

/** What is known of the text that a run trains on. */
export interface DataFacts {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Examples to learn from, and held out. */
  readonly documents: number;
  readonly heldOut: number;
  readonly tokens: number;
  readonly characters: number;
}

/** Some settings, at any depth. */
export type Overrides<T = Settings> = {
  readonly [K in keyof T]?: (T[K] extends object ? Overrides<T[K]> : T[K]) | undefined;
};

/** Settings with others on top. What is undefined there does not count. */
export function withOverrides<T extends object>(base: T, over: Overrides<T> | undefined): T {
  const out = { ...base } as Record<string, unknown>;
  for (const [name, value] of Object.entries(over ?? {})) {
    if (value === undefined) continue;
    const below = out[name];
    out[name] = isRecord(below) && isRecord(value) ? withOverrides(below, value) : value;
  }
  return out as T;
}

export interface Difference {
  /** As in `adam.learningRate`. */
  readonly name: string;
  readonly before: unknown;
  readonly now: unknown;
}

/** Where two records of plain data differ, in the order of their names. */
export function differences(before: unknown, now: unknown, name = ''): Difference[] {
  if (isRecord(before) && isRecord(now)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
    return names.flatMap((key) => differences(before[key], now[key], name === '' ? key : `${name}.${key}`));
  }
  return before === now ? [] : [{ name, before, now }];
}

/**
 * Settings from JSON, checked against a record of the same form: every name there (a `header` only where it is), none that is unknown,
 * each of the same type.
 * @throws MG_RUN_INVALID
 */
export function settingsFromJson<T extends object>(like: T, value: unknown, source: string, at = ''): T {
  const wrong = (what: string) =>
    new MicrogptError('MG_RUN_INVALID', `${source}: ${what}`, 'this record of a run is damaged; start a new run');
  if (!isRecord(value)) throw wrong(`${at || 'the settings'} are ${kind(value)}, expected an object`);
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(like, name) && !isHeader(at, name, value[name]))
      throw wrong(`there is a setting "${at}${name}" that this version does not know`);
  }
  const out = Object.entries(like).map(([name, example]): [string, unknown] => {
    const given = value[name];
    if (isRecord(example)) return [name, settingsFromJson(example, given, source, `${at}${name}.`)];
    const fits =
      typeof given === typeof example || (name === 'column' && (given === null || typeof given === 'string'));
    if (!fits) throw wrong(`${at}${name} is ${kind(given)}, expected a ${typeof example}`);
    return [name, given];
  });
  if (Object.hasOwn(value, 'header')) out.push(['header', value['header']]);
  return Object.fromEntries(out) as T;
}

/** The one setting that records may lack: those from before it was there do. */
const isHeader = (at: string, name: string, value: unknown): boolean =>
  at === 'data.' && name === 'header' && HEADERS.some((header) => header === value);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kind(value: unknown): string {
  if (value === undefined) return 'missing';
  return value === null ? 'null' : `a ${typeof value}`;
}
