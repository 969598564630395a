/**
 * The two small models that come with microgpt, and the one rule by which a model is found: where a path, a name, or nothing was given.
 * Refuses to know: what is in a model file. Invariant: what the user trained here comes before what came with the package.
 */
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isModelPath, newestModelIn } from './models.js';

const BUNDLED = fileURLToPath(new URL('../../bundled/', import.meta.url));

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

export interface FoundModel {
  /** For `loadModel`. */
  readonly path: string;
  /** Set when it is one of those that come with microgpt. */
  readonly bundled: BundledModel | null;
}

/** What a model may be called besides by its path: as its folder in ./models, which is called like a text. Nothing that leads elsewhere. */
const NAME = /^[^./\\:\0][^/\\:\0]*$/;

/**
 * The model that `called` means. A path is that path. A name, where there is no such file or folder, is the model trained under it in
 * ./models, or else the one of that name that comes with microgpt. Nothing at all: the newest model in this folder or in ./models, or else
 * the bundled one for this `usual` purpose.
 */
export async function findModel(
  called: string | undefined,
  {
    usual = 'names',
    folder = '.',
  }: { readonly usual?: BundledModel['name'] | undefined; readonly folder?: string | undefined } = {},
): Promise<FoundModel> {
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
