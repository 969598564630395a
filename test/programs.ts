// Compiles test/programs/ to JavaScript that any Node and any browser runs. The folder lies two below the root, as the sources do,
// so that the compiled programs find dist/ by the same paths.
import { join } from 'node:path';
import { expect } from 'vitest';
import { ROOT, runCommand } from './cli.js';

export const PROGRAMS = join(ROOT, 'node_modules/.programs');

export async function compilePrograms(): Promise<void> {
  const args = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'test/programs/tsconfig.json'];
  const { code, stdout, stderr } = await runCommand(process.execPath, args, { cwd: ROOT });
  expect(code, stdout + stderr).toBe(0);
}
