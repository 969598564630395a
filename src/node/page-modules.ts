/**
 * The compiled modules that an exported page needs: `browser/page.js` and all that it imports, read from where this package is installed.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importsOf } from '../export/html.js';
import { readFileBounded } from './files.js';

const COMPILED = fileURLToPath(new URL('..', import.meta.url));
const MODULE_BYTES = 2 ** 22;

/** By path below `folder`. */
export async function pageModules(folder = COMPILED): Promise<Map<string, string>> {
  const modules = new Map<string, string>();
  const wanted = ['browser/page.js'];
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (modules.has(path)) continue;
    const bytes = await readFileBounded(join(folder, path), MODULE_BYTES, 'build it: npm run build');
    const source = new TextDecoder().decode(bytes);
    modules.set(path, source);
    wanted.push(...importsOf(path, source));
  }
  return modules;
}
