/**
 * Models as files: load, save, and find the one that was trained last.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Checkpoint, Decoded, DecodeOptions } from '../checkpoint/checkpoint.js';
import { decodeModel } from '../checkpoint/decode.js';
import { encodeNestedJson } from '../checkpoint/nested-json.js';
import { readFileBounded, writeFileDurably } from './files.js';

const TRAIN_FIRST = 'train one first: microgpt train names';

/**
 * Reads a model file, or the model.json in a folder.
 * @throws MG_FILE_* when the file cannot be read, MG_CKPT_* when it is not a sound model.
 */
export async function loadModel(path: string, options: DecodeOptions = {}): Promise<Decoded> {
  const info = await stat(path).catch(() => null);
  const file = info?.isDirectory() ? join(path, 'model.json') : path;
  return decodeModel(await readFileBounded(file, LIMITS.modelJsonBytes, TRAIN_FIRST), file, options);
}

/** Writes a nested model.json, replacing what is there whole or not at all. Returns the number of bytes. */
export async function saveModel(path: string, model: Checkpoint): Promise<number> {
  const bytes = new TextEncoder().encode(encodeNestedJson(model));
  await writeFileDurably(path, bytes);
  return bytes.length;
}

/**
 * The newest of ./model.json and ./models/<name>/model.json.
 * @throws MG_FILE_MISSING when there is none.
 */
export async function findNewestModel(folder = '.'): Promise<string> {
  const names = await readdir(join(folder, 'models')).catch(() => []);
  const candidates = [
    join(folder, 'model.json'),
    ...names.sort().map((name) => join(folder, 'models', name, 'model.json')),
  ];
  let newest: { readonly path: string; readonly time: number } | null = null;
  for (const path of candidates) {
    const info = await stat(path).catch(() => null);
    if (info?.isFile() && info.mtimeMs > (newest?.time ?? Number.NEGATIVE_INFINITY))
      newest = { path, time: info.mtimeMs };
  }
  if (newest === null) {
    throw new MicrogptError('MG_FILE_MISSING', 'there is no model in ./model.json or ./models', TRAIN_FIRST);
  }
  return newest.path;
}
