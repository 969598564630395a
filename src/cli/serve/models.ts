/**
 * Which models are served, and by which names.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { MicrogptError } from '../../base/errors.js';
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import type { ModelConfig } from '../../model/config.js';
import { BUNDLED_MODELS, findModel } from '../../node/bundled-models.js';
import { loadModel, newestModelIn } from '../../node/models.js';
import { note } from '../output.js';

interface Served {
  readonly name: string;
  readonly path: string;
}

/** `asked`: the flags --model; `folder`: MODEL_DIR. @throws what loading throws, MG_CLI_VALUE for a name that stands twice */
export async function servedModels(
  asked: readonly string[] | undefined,
  folder: string | undefined,
  activation: ModelConfig['activation'] | undefined,
): Promise<Map<string, Checkpoint>> {
  const named = asked?.map(namedModel) ?? (folder ? [namedModel(folder)] : null);
  const list = named ?? (await foundModels());
  const models = new Map<string, Checkpoint>();
  for (const { name, path } of list) {
    if (models.has(name)) {
      const message = `two models go by the name ${JSON.stringify(name)}`;
      throw new MicrogptError('MG_CLI_VALUE', message, 'give them names: --model NAME=PATH');
    }
    const { checkpoint, notes } = await loadModel((await findModel(path)).path, { activation });
    for (const sentence of notes) note(`${name}: ${sentence}`);
    models.set(name, checkpoint);
  }
  return models;
}

/** NAME=PATH, or a path, from whose last part the name comes. @throws MG_CLI_VALUE */
function namedModel(value: string): Served {
  const [, name, path] = /^([A-Za-z0-9][\w.-]{0,63})=(.+)$/s.exec(value) ?? [];
  if (path !== undefined) return { name, path };
  if (value === '') throw new MicrogptError('MG_CLI_VALUE', '--model is "", expected a path', 'give --model a path');
  return { name: nameOf(value), path: value };
}

/** models/names/model.json → names; pets.safetensors → pets. */
function nameOf(path: string): string {
  const file = basename(path);
  const name = /^(model|meta|weights)\.\w+$/.test(file) ? basename(dirname(path)) : basename(file, extname(file));
  return name.replace(/[^\w.-]/g, '_').slice(0, 64) || 'model';
}

/** Every model in ./models, or the one in this folder, or those that come with microgpt. Says which. */
async function foundModels(): Promise<Served[]> {
  const found: Served[] = [];
  for (const name of (await readdir('models').catch(() => [])).sort()) {
    const path = join('models', name);
    const files = await readdir(path).catch(() => []);
    if (files.some((file) => /^model\.(safetensors|json)$/.test(file))) found.push({ name: nameOf(path), path });
  }
  if (found.length > 0) {
    note(`serving what is in ./models: ${found.map(({ name }) => name).join(', ')}`);
    return found;
  }
  const path = await newestModelIn('.');
  if (path !== null) {
    note(`serving ${path}`);
    return [{ name: nameOf(path), path }];
  }
  const about = BUNDLED_MODELS.map(({ name, about }) => `${name}, ${about}`).join('; ');
  note(`there is no model here, so the models that come with microgpt are served: ${about}`);
  return [...BUNDLED_MODELS];
}
