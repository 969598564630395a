/**
 * The text that a model was trained on, found again: by the run.json beside the model, or by what the model file says of its run.
 * Invariant: never gives another text than the one that was trained on, as its sha256 tells.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { RunSettings } from '../train/settings.js';
import { cacheFolder } from './corpora.js';
import { readFileBounded } from './files.js';

const MOST_RECORD_BYTES = 1_000_000;
const DATASETS = fileURLToPath(new URL('../../datasets/', import.meta.url));

/** What is needed of a run's record. */
export interface RunData {
  /** Where the text may be. A model file says its name alone. */
  readonly paths: readonly string[];
  readonly sha256: string;
  readonly settings: Pick<RunSettings, 'data' | 'bosPlace'>;
}

/** What a model's run says of its text; null when nothing is known of a run. */
export async function runDataOf(checkpoint: Checkpoint, modelPath: string): Promise<RunData | null> {
  const beside = readRunData(await recordBeside(modelPath));
  const inside = readRunData(checkpoint.run);
  // A run.json of another run may lie beside a model that was put there.
  if (inside === null || beside === null) return inside ?? beside;
  return beside.sha256 === inside.sha256 ? { ...inside, paths: [...beside.paths, ...inside.paths] } : inside;
}

async function recordBeside(modelPath: string): Promise<unknown> {
  const info = await stat(modelPath).catch(() => null);
  const folder = info?.isDirectory() ? modelPath : dirname(modelPath);
  try {
    const bytes = await readFileBounded(join(folder, 'run.json'), MOST_RECORD_BYTES, '');
    return field(JSON.parse(new TextDecoder().decode(bytes)), 'settings');
  } catch {
    return undefined;
  }
}

/** From a run.json: settings, config and data. From a model file: settings and data, with a name in the place of the path. */
function readRunData(record: unknown): RunData | null {
  const data = field(record, 'data');
  const [path, name, sha256] = [field(data, 'path'), field(data, 'name'), field(data, 'sha256')];
  const settings = field(record, 'settings');
  const read = field(settings, 'data');
  const sound =
    typeof sha256 === 'string' &&
    typeof field(read, 'format') === 'string' &&
    typeof field(read, 'validation') === 'number' &&
    typeof field(settings, 'bosPlace') === 'string';
  if (!sound) return null;
  const paths = [
    ...(typeof path === 'string' ? [path] : []),
    ...(typeof name === 'string' ? [name, join(DATASETS, name), join(cacheFolder(), name)] : []),
  ];
  return { paths, sha256, settings: settings as RunData['settings'] };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** The text of a run, if the file is still there and still the same; otherwise why not, as the rest of a sentence. */
export async function unchangedText({
  paths,
  sha256,
}: RunData): Promise<{ readonly path: string } | { readonly why: string }> {
  let changed: string | null = null;
  for (const path of paths) {
    const info = await stat(path).catch(() => null);
    if (!info?.isFile()) continue;
    if ((await hashOf(path)) === sha256) return { path };
    changed ??= path;
  }
  return changed === null
    ? { why: `its training text ${paths[0] ?? ''} is not there` }
    : { why: `its training text ${changed} has changed since` };
}

async function hashOf(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
    return hash.digest('hex');
  } catch {
    return null;
  }
}
