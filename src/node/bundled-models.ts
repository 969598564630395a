/**
 * The two small models that come with microgpt, and the one rule by which a model is found: where a path, a name, or nothing was given.
 * Refuses to know: what is in a model file. Invariant: what the user trained here comes before what came with the package.
 */
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNames } from '../base/options.js';
import { isModelPath, newestModelIn } from './models.js';

const BUNDLED = fileURLToPath(new URL('../../bundled/', import.meta.url));

/** A model that comes with microgpt. */
export interface BundledModel {
  readonly name: 'names' | 'chat';
  /** What it is, as the rest of a sentence. */
  readonly about: string;
  readonly path: string;
  /** How to train one of one's own. */
  readonly ownModel: string;
}

/** Made by scripts/bundled-models.mjs from the corpora in datasets/. */
export const BUNDLED_MODELS: readonly BundledModel[] = [
  {
    name: 'names',
    about: 'a small model of given names',
    path: join(BUNDLED, 'names.safetensors'),
    ownModel: 'microgpt train --data FILE',
  },
  {
    name: 'chat',
    about: 'a small model of short conversations',
    path: join(BUNDLED, 'chat.safetensors'),
    ownModel: 'microgpt train --data FILE.jsonl --chat',
  },
];

/** Where to look for a model, and which to take where there is none. */
export interface FindModelOptions {
  /** Which of those that come with microgpt is taken where none was trained; `names` if left out. */
  readonly usual?: BundledModel['name'] | undefined;
  /** Where to look; the current folder if left out. */
  readonly folder?: string | undefined;
}

/** Where a model is. */
export interface FoundModel {
  /** For `loadModel`. */
  readonly path: string;
  /** Set when it is one of those that come with microgpt. */
  readonly bundled: BundledModel | null;
}

/**
 * What a model may be called besides by its path: as its folder in ./models, which is called like the text. Nothing that leads elsewhere,
 * nothing that is the name of a file.
 */
const NAME = /^(?!.*\.(?:safetensors|json|bin)$)[^./\\:\0][^/\\:\0]*$/s;

/**
 * The model that `called` means. A path is that path. A name, where there is no such file or folder, is the model trained under it in
 * ./models, or else the one of that name that comes with microgpt. Nothing at all: the newest model in this folder or in ./models, or else
 * the bundled one for this `usual` purpose.
 */
export async function findModel(called?: string | undefined, options: FindModelOptions = {}): Promise<FoundModel> {
  requireNames('findModel', options, { usual: true, folder: true });
  const { usual = 'names', folder = '.' } = options;
  if (called === undefined) {
    const newest = await newestModelIn(folder);
    return newest === null ? bundledModel(usual)! : { path: newest, bundled: null };
  }
  const path = folder === '.' || isAbsolute(called) ? called : join(folder, called);
  if (!NAME.test(called) || (await isModelPath(path))) return { path, bundled: null };
  const trained = join(folder, 'models', called);
  if (await isModelPath(trained)) return { path: trained, bundled: null };
  return bundledModel(called) ?? { path, bundled: null };
}

function bundledModel(name: string): FoundModel | null {
  const bundled = BUNDLED_MODELS.find((one) => one.name === name);
  return bundled === undefined ? null : { path: bundled.path, bundled };
}
