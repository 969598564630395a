/**
 * Where scenarios lie: in scenarios/ of the package, or in a file of the user's. Finds the text that they train on, and fetches it where
 * it is one of the well-known ones.
 */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MicrogptError } from '../base/errors.js';
import { parseJson } from '../base/json.js';
import { shellWord } from '../base/shell-word.js';
import { decodeUtf8 } from '../data/documents.js';
import { readScenario, type Scenario } from '../train/scenario.js';
import { DOWNLOADS, type Download, fetchCorpus } from './corpora.js';
import { readFileBounded } from './files.js';

/** The package's own folder, where datasets/ and scenarios/ lie. */
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const MOST_BYTES = 65_536;
const MOST_DOWNLOADED = 100_000_000;

/** A scenario and the folders that its paths may be relative to. */
export interface FoundScenario extends Scenario {
  readonly homes: readonly string[];
}

/** The scenarios that come with microgpt, sorted. */
export async function scenarioNames(): Promise<string[]> {
  const files = await readdir(join(PACKAGE, 'scenarios'));
  return files
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'))
    .sort();
}

/** @throws MG_CLI_SCENARIO when there is none of that name. */
export async function loadScenario(name: string): Promise<FoundScenario> {
  const names = await scenarioNames();
  if (!names.includes(name)) {
    const own = (await stat(name).catch(() => null))?.isFile() ? shellWord(name) : 'FILE';
    throw new MicrogptError(
      'MG_CLI_SCENARIO',
      `there is no scenario "${name}"`,
      `choose ${names.join(', ')}, or train on a text of your own: microgpt train --data ${own}`,
    );
  }
  return { ...(await read(join(PACKAGE, 'scenarios', `${name}.json`))), homes: [PACKAGE] };
}

/** A scenario file of the user's; those of the earlier scenario scripts too. @throws MG_FILE_*, MG_CLI_SCENARIO */
export async function loadScenarioFile(path: string): Promise<FoundScenario> {
  const folder = dirname(resolve(path));
  return { ...(await read(path)), homes: ['.', folder, dirname(folder)] };
}

async function read(path: string): Promise<Scenario> {
  const bytes = await readFileBounded(path, MOST_BYTES, 'give the path of a scenario file');
  const json = parseJson(decodeUtf8(bytes, path), path, 'MG_CLI_SCENARIO');
  return readScenario(json, path, basename(path, extname(path)));
}

/** The path of a scenario's text; a well-known one that is not here yet is fetched. @throws MG_FILE_MISSING, MG_DOWNLOAD_* */
export async function findScenarioText({ name, path, corpus, url, homes }: FoundScenario): Promise<string> {
  if (path !== null) {
    for (const home of homes) {
      const candidate = resolve(home, path);
      if ((await stat(candidate).catch(() => null))?.isFile()) return candidate;
    }
  }
  const wellKnown = DOWNLOADS.find((download) => download.name === (corpus ?? name));
  if (wellKnown !== undefined && (url === null || url === wellKnown.url)) return (await fetchCorpus(wellKnown)).path;
  if (url !== null) return (await fetchCorpus(textAt(url))).path;
  throw new MicrogptError(
    'MG_FILE_MISSING',
    path === null ? `scenario ${name} says no text to train on` : `${path}, the text of scenario ${name}, is not there`,
    'name a text with --data FILE',
  );
}

/** A text that a scenario file gives the address of, kept under a name that follows from the address. */
function textAt(url: string): Download {
  const name = `text-${createHash('sha256').update(url).digest('hex').slice(0, 12)}`;
  return { name, about: url, url, sha256: null, bytes: MOST_DOWNLOADED, format: 'lines' };
}
