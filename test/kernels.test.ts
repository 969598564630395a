// The committed Wasm module is what kernels/ compiles to, and the compiler's checks (no data, no globals, no import but memory) hold.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PLAIN, SHARED } from '../src/backend/wasm/kernels.gen.js';
import { ROOT, runCommand } from './cli.js';
import { describeFull } from './needs.js';

/** The sections of a Wasm module, by number. */
function sections(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64');
  const found: number[] = [];
  for (let at = 8; at < bytes.length; ) {
    found.push(bytes[at++]);
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      size |= (bytes[at] & 127) << shift;
      more = bytes[at++] >= 128;
    }
    at += size;
  }
  return found;
}

test('the kernels are pure functions: no data, global, table, element or start section', () => {
  const [TABLE, GLOBAL, START, ELEMENT, DATA, DATA_COUNT] = [4, 6, 8, 9, 11, 12];
  for (const module of [PLAIN, SHARED]) {
    const present = sections(module);
    expect(present).toContain(10); // code: the parser does find sections
    for (const id of [TABLE, GLOBAL, START, ELEMENT, DATA, DATA_COUNT]) expect(present).not.toContain(id);
  }
});

describeFull('built anew', () => {
  test('kernels/ compiles to the committed module, byte for byte', async () => {
    const outcome = await runCommand(process.execPath, [join(ROOT, 'kernels/build.mjs'), '--check'], { cwd: ROOT });
    expect(outcome.code, outcome.stderr).toBe(0);
  });
});
