// Compiles test/programs/ once before all tests, to JavaScript that any Node and any browser runs. The folder lies two below the root,
// as the sources do, so that the compiled programs find dist/ by the same paths.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const PROGRAMS = join(ROOT, 'node_modules/.programs');

/** Vitest's global set-up. */
export function setup(): void {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'test/programs/tsconfig.json'], { cwd: ROOT, stdio: ['ignore', 2, 2] });
}
