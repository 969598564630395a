#!/usr/bin/env node
// The command `microgpt`. In a fresh clone, where nothing is compiled yet, it sets the clone up first.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const main = join(root, 'dist/cli/main.js');
if (!existsSync(main)) {
  const { setUp } = await import(pathToFileURL(join(root, 'scripts/setup.mjs')).href);
  setUp();
}
const { main: runMain } = await import(pathToFileURL(main).href);
process.exitCode = await runMain(process.argv.slice(2));
