/**
 * Scenarios: what to train on and how, as data files in scenarios/. Never code.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MicrogptError } from '../base/errors.js';
import { parseJson } from '../base/json.js';
import { decodeUtf8 } from '../data/documents.js';
import { RECIPES, type RecipeName } from '../train/recipes.js';
import { readFileBounded } from './files.js';

/** The package's own folder, where datasets/ and scenarios/ lie. */
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));

export interface Scenario {
  readonly name: string;
  readonly description: string;
  /** Absolute path of the text. */
  readonly data: string;
  readonly recipe: RecipeName;
}

export async function scenarioNames(): Promise<string[]> {
  const files = await readdir(join(PACKAGE, 'scenarios'));
  return files
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** @throws MG_CLI_SCENARIO when there is none of that name. */
export async function loadScenario(name: string): Promise<Scenario> {
  const names = await scenarioNames();
  if (!names.includes(name)) {
    throw new MicrogptError(
      'MG_CLI_SCENARIO',
      `there is no scenario "${name}"`,
      `choose ${names.join(' or ')}, or train on a text of your own: microgpt train --data FILE`,
    );
  }
  const path = join(PACKAGE, 'scenarios', `${name}.json`);
  const file = parseJson(decodeUtf8(await readFileBounded(path, 65_536, ''), path), path, 'MG_CLI_SCENARIO');
  const fields = file instanceof Map ? file : new Map();
  const [description, data, recipe] = ['description', 'data', 'recipe'].map((field) => fields.get(field));
  if (typeof description !== 'string' || typeof data !== 'string' || typeof recipe !== 'string' || !isRecipe(recipe)) {
    throw new MicrogptError('MG_CLI_SCENARIO', `${path} is not a scenario`, 'it needs description, data and recipe');
  }
  return { name, description, data: join(PACKAGE, data), recipe };
}

export function isRecipe(name: string): name is RecipeName {
  return Object.hasOwn(RECIPES, name);
}
