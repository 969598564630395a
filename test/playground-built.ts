// The playground, built once for all test files of a run: they work side by side, and a build replaces the folder that the others read.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playgroundFiles, type StaticFile } from '../src/node/playground.js';
import { ROOT, runCommand } from './cli.js';

const MODULES = join(ROOT, 'node_modules');
const PREFIX = '.playground-';

/** The files as they are served. The first who asks builds them, the others wait for that. */
export async function builtPlayground(): Promise<ReadonlyMap<string, StaticFile>> {
  const run = process.env['MICROGPT_TEST_RUN'];
  if (run === undefined) throw new Error('test/programs.ts has not been run: it names the run');
  const folder = join(MODULES, PREFIX + run);
  const outcome = join(folder, 'outcome');
  if (first(folder)) {
    const { code, stderr } = await runCommand(process.execPath, [join(ROOT, 'scripts/playground.mjs')], { cwd: ROOT });
    writeFileSync(`${outcome}.part`, code === 0 ? '' : stderr || `exit code ${code}`);
    renameSync(`${outcome}.part`, outcome);
  }
  while (!existsSync(outcome)) await new Promise((resolve) => setTimeout(resolve, 100));
  const problem = readFileSync(outcome, 'utf8');
  if (problem !== '') throw new Error(problem);
  return playgroundFiles(join(ROOT, 'dist/playground'));
}

function first(folder: string): boolean {
  try {
    mkdirSync(folder);
  } catch {
    return false;
  }
  for (const name of readdirSync(MODULES)) {
    if (name.startsWith(PREFIX) && !folder.endsWith(name)) rmSync(join(MODULES, name), { recursive: true });
  }
  return true;
}
