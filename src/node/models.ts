/**
 * Models as files: load, save, and find the one that was trained last. A model is a file, a prefix of two files, or a folder.
 * Invariant: which files are opened follows from the path that was given, never from what is in a file.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { requireNames } from '../base/options.js';
import { shellWord } from '../base/shell-word.js';
import type { Checkpoint, Decoded, DecodeOptions, FormatName } from '../checkpoint/checkpoint.js';
import { DECODE_NAMES, recognise } from '../checkpoint/decode.js';
import { type EncodeOptions, encodeModel, formatForPath } from '../checkpoint/formats.js';
import { requireModel, requireText } from '../engine/options.js';
import { readFileBounded, writeFileDurably } from './files.js';

const TRAIN_FIRST = 'train one first: microgpt train names; or name one that comes with microgpt: names or chat';

/** A model in a folder goes by one of these names; the first that is there counts. */
const IN_FOLDER = ['model.safetensors', 'model.json', 'meta.json'] as const;
const CHECKPOINTS = 'checkpoints';
const CHECKPOINT = /^step-\d+\.safetensors$/;

/** A model and the file that it comes from. */
export interface Loaded extends Decoded {
  /** The file that was opened first. */
  readonly file: string;
  /** Bytes of all its files. */
  readonly bytes: number;
}

/**
 * Reads a model: a file of any format, either file of a pair, the prefix of a pair, or a folder with a model or a run.
 * @throws MG_FILE_* when a file cannot be read, MG_CKPT_* when it is not a sound model.
 */
export async function loadModel(path: string, options: DecodeOptions = {}): Promise<Loaded> {
  requireText('the path of a model', path);
  requireNames('loadModel', options, DECODE_NAMES);
  const file = await modelFile(path);
  const wayOut = (await kindOf(file)) === null ? await otherModels() : TRAIN_FIRST;
  const bytes = await readFileBounded(file, LIMITS.modelBytes, wayOut);
  const recognised = recognise(bytes, file);
  if (recognised.partner === null) return { ...recognised.decode(options), file, bytes: bytes.length };
  const other = join(dirname(file), recognised.partner(basename(file)));
  const partner = await readFileBounded(other, LIMITS.modelBytes, `put it beside ${file}: the two are one model`);
  return { ...recognised.decode({ ...options, partner }), file, bytes: bytes.length + partner.length };
}

const SHOWN = 8;

/** The way out for whoever names a model that is not there. */
async function otherModels(): Promise<string> {
  const names: string[] = [];
  for (const name of (await readdir('models').catch(() => [])).sort()) {
    const files = await readdir(join('models', name)).catch(() => []);
    if (files.some((file) => /^model\.(safetensors|json)$/.test(file))) names.push(name);
  }
  if (names.length === 0) return TRAIN_FIRST;
  const more = names.length > SHOWN ? ' …' : '';
  return `name one that is in ./models (${names.slice(0, SHOWN).join(', ')}${more}), or one that comes with microgpt: names or chat`;
}

/** The file to open for a path. */
async function modelFile(path: string): Promise<string> {
  const kind = await kindOf(path);
  if (kind === 'other') {
    const message = `${path} is a device, a pipe or a socket, expected a regular file`;
    throw new MicrogptError('MG_FILE_KIND', message, 'give the path of a file or a folder');
  }
  if (kind === 'folder') {
    for (const name of IN_FOLDER) if ((await kindOf(join(path, name))) === 'file') return join(path, name);
    // A run that has not come to its end has checkpoints only.
    const names = await readdir(join(path, CHECKPOINTS)).catch(() => []);
    const newest = names.filter((name) => CHECKPOINT.test(name)).sort((a, b) => stepOf(a) - stepOf(b));
    if (newest.length > 0) return join(path, CHECKPOINTS, newest.at(-1)!);
    throw await noModelIn(path);
  }
  if (kind === null && (await kindOf(`${path}.json`)) === 'file' && (await kindOf(`${path}.bin`)) === 'file') {
    return `${path}.json`;
  }
  return path;
}

/** The way out is one of its files, when it has some that may be models under other names. */
async function noModelIn(folder: string): Promise<MicrogptError> {
  const files = (await readdir(folder).catch(() => [])).filter((name) => /\.(safetensors|json)$/.test(name)).sort();
  return new MicrogptError(
    'MG_FILE_MISSING',
    `the folder ${folder} holds no model: no ${IN_FOLDER.join(', no ')}, and no checkpoints of a run`,
    files.length === 0 ? TRAIN_FIRST : `name a file in it, such as ${shellWord(join(folder, files[0]))}`,
  );
}

const stepOf = (name: string): number => Number(/\d+/.exec(name)?.[0]);

async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | null> {
  const info = await stat(path).catch(() => null);
  if (info === null) return null;
  return info.isFile() ? 'file' : info.isDirectory() ? 'folder' : 'other';
}

/** How a model becomes files. */
export interface SaveModelOptions extends EncodeOptions {
  /** Instead of the format that the path asks for. */
  readonly format?: FormatName | undefined;
}

/**
 * Writes a model in the format that the path asks for (see `formatForPath`), replacing each file whole or not at all.
 * Gives the number of bytes, and what the format could not hold.
 * @throws MG_CKPT_FORMAT when the format cannot hold the model, MG_SAVE_FAILED
 */
export async function saveModelAs(
  path: string,
  model: Checkpoint,
  options: SaveModelOptions = {},
): Promise<{
  readonly format: FormatName;
  readonly bytes: number;
  readonly lost: readonly string[];
  readonly paths: readonly string[];
}> {
  requireText('the path of a model', path);
  requireModel(model);
  requireNames('saveModelAs', options, { format: true, precision: true });
  const { format, precision } = options;
  const chosen = format ?? formatForPath(path, (await kindOf(path)) === 'folder');
  const { files, lost } = encodeModel(model, chosen, path, { precision });
  for (const file of files) await writeFileDurably(file.path, file.bytes);
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  return { format: chosen, bytes, lost, paths: files.map((file) => file.path) };
}

/** As `saveModelAs`, for those who only want to know the number of bytes. */
export async function saveModel(path: string, model: Checkpoint): Promise<number> {
  return (await saveModelAs(path, model)).bytes;
}

/** Whether there is something at this path that `loadModel` would open, or say why not. */
export async function isModelPath(path: string): Promise<boolean> {
  return (await kindOf(path)) !== null || (await modelFile(path)) !== path;
}

/**
 * The newest of ./model.safetensors, ./model.json and the same in ./models/<name>/.
 * @throws MG_FILE_MISSING when there is none.
 */
export async function findNewestModel(folder = '.'): Promise<string> {
  const newest = await newestModelIn(folder);
  if (newest !== null) return newest;
  throw new MicrogptError('MG_FILE_MISSING', 'there is no model in this folder or in ./models', TRAIN_FIRST);
}

/** As `findNewestModel`; null when there is none. */
export async function newestModelIn(folder: string): Promise<string | null> {
  return (await modelsByAge(folder))[0] ?? null;
}

/** ./model.safetensors, ./model.json and the same in ./models/<name>/, the newest first. */
export async function modelsByAge(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'models')).catch(() => []);
  const folders = [folder, ...names.sort().map((name) => join(folder, 'models', name))];
  const found: { readonly path: string; readonly time: number }[] = [];
  for (const path of folders.flatMap((place) => [join(place, 'model.json'), join(place, 'model.safetensors')])) {
    const info = await stat(path).catch(() => null);
    if (info?.isFile()) found.unshift({ path, time: info.mtimeMs }); // of equally old ones, the last by name
  }
  return found.sort((a, b) => b.time - a.time).map(({ path }) => path);
}
