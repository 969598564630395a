/**
 * The text that a model was trained on, found again: by what the model file says of its run, or by the run.json beside it.
 * Invariant: never gives another text than the one that was trained on, as its sha256 tells.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LIMITS } from '../base/limits.js';
import type { Checkpoint, JsonValue } from '../checkpoint/checkpoint.js';
import { readFileBounded } from './files.js';

const MOST_RECORD_BYTES = 1_000_000;

/** What is needed of a run's record. */
export interface RunData {
  readonly path: string;
  readonly sha256: string;
  readonly seed: string;
  readonly settings: { readonly [name: string]: JsonValue };
}

/** What a model's run says of its text; null when nothing is known of a run. */
export async function runDataOf(checkpoint: Checkpoint, modelPath: string): Promise<RunData | null> {
  return readRunData(checkpoint.run?.['record']) ?? readRunData(await recordBeside(modelPath));
}

async function recordBeside(modelPath: string): Promise<JsonValue | undefined> {
  const info = await stat(modelPath).catch(() => null);
  const path = join(info?.isDirectory() ? modelPath : dirname(modelPath), 'run.json');
  try {
    const bytes = await readFileBounded(path, MOST_RECORD_BYTES, '');
    return JSON.parse(new TextDecoder().decode(bytes)) as JsonValue;
  } catch {
    return undefined;
  }
}

function readRunData(record: JsonValue | undefined): RunData | null {
  const data = field(record, 'data');
  const [path, sha256] = [field(data, 'path'), field(data, 'sha256')];
  const settings = field(record, 'settings');
  const seed = field(settings, 'seed');
  if (typeof path !== 'string' || typeof sha256 !== 'string' || !isObject(settings)) return null;
  return { path, sha256, seed: String(seed ?? '42'), settings };
}

function isObject(value: JsonValue | undefined): value is { readonly [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function field(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isObject(value) ? value[name] : undefined;
}

/** The text of a run, if the file is still there and still the same; otherwise why not, as the rest of a sentence. */
export async function unchangedText(run: RunData): Promise<{ readonly path: string } | { readonly why: string }> {
  const info = await stat(run.path).catch(() => null);
  if (!info?.isFile() || info.size > LIMITS.textBytes) return { why: `its training text ${run.path} is not there` };
  const hash = createHash('sha256')
    .update(await readFile(run.path))
    .digest('hex');
  return hash === run.sha256 ? { path: run.path } : { why: `its training text ${run.path} has changed since` };
}

/** Lines that training never saw; null when none were held out, or when the text is not made of lines. */
export type HeldOutLines = (run: RunData, checkpoint: Checkpoint) => Promise<string[] | null>;
