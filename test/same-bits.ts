// What every engine must return from test/programs/same-bits.ts, and the names it is given.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './cli.js';
import type { Bits, ModelName } from './programs/same-bits.js';

export const NAMES_FILE = join(ROOT, 'datasets/names.txt');
export const names = (): string[] => readFileSync(NAMES_FILE, 'utf8').trimEnd().split('\n');
export const EXPECTED: Record<ModelName, Bits> = JSON.parse(
  readFileSync(join(ROOT, 'test/programs/expected.json'), 'utf8'),
);
