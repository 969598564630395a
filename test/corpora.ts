// The large texts lie outside the project, in the folder named by MICROGPT_CORPORA. Without it their tests say that they are skipped;
// under CI=true a missing text is a failure.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { cannotRun } from './needs.js';

const folder = process.env['MICROGPT_CORPORA'];

/** A test that needs one of the texts; `run` gets its path. `timeout` in ms, where a minute is too little. */
export function corpusTest(
  name: string,
  file: string,
  run: (path: string) => Promise<void>,
  timeout: number = 60_000,
): void {
  const path = folder ? join(folder, file) : null;
  if (path !== null && existsSync(path)) test(name, { timeout }, () => run(path));
  else cannotRun(name, `MICROGPT_CORPORA names no folder with ${file}`);
}
