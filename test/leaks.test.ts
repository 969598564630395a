// Nothing stays behind: generations and engines leave heap, Wasm memory, threads and open files where they were.
// The work is done by test/programs/leaks.ts in a process of its own.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEngine } from '../src/engine/create-engine.js';
import { modelConfig } from '../src/model/config.js';
import { parameterTable } from '../src/model/parameters.js';
import { ROOT, runCommand } from './cli.js';
import { FULL } from './golden.js';
import type { Leaks } from './programs/leaks.js';
import { PROGRAMS } from './programs.js';

/** What warming up may still add, and what 10,000 generations would add at 200 bytes each: JavaScript engines note what they run. */
const HEAP = 2e6;
const MINUTES = 60_000;

async function leaks(generations: number, engines: number, mode: 'closed' | 'open'): Promise<Leaks> {
  const args = ['--expose-gc', join(PROGRAMS, 'leaks.js'), `${generations}`, `${engines}`, mode];
  const { code, stdout, stderr } = await runCommand(process.execPath, args, { cwd: ROOT });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

const [GENERATIONS, ENGINES] = FULL ? [10_000, 200] : [500, 16];

test(
  `${GENERATIONS} generations on one engine, ${GENERATIONS} with one each, ${ENGINES} engines with 1 to 4 threads: all is given back`,
  async () => {
    const { generating, opening } = await leaks(GENERATIONS, ENGINES, 'closed');
    const detail = JSON.stringify({ generating, opening });
    expect(generating[1].pages, detail).toBe(generating[0].pages);
    expect(generating[1].memories, detail).toBe(1);
    for (const [before, after] of [generating, opening]) {
      expect(after.heap - before.heap, detail).toBeLessThan(HEAP);
      expect(after.memories, detail).toBeLessThanOrEqual(before.memories);
      if (before.threads !== null) expect(after.threads, detail).toBeLessThanOrEqual(before.threads);
      if (before.files !== null) expect(after.files, detail).toBeLessThanOrEqual(before.files);
    }
  },
  5 * MINUTES,
);

test(
  'control: engines and decoders that nobody closes are seen to stay behind',
  async () => {
    const { generating, opening } = await leaks(300, 8, 'open');
    expect(generating[1].pages).toBeGreaterThan(generating[0].pages);
    const [before, after] = opening;
    expect(after.memories).toBe(before.memories + 8);
    expect(after.pages).toBeGreaterThan(before.pages);
    // Engines of one, two, one and four threads in turn: eight have 2 × (0 + 1 + 0 + 3) threads besides the caller's.
    if (process.platform === 'linux') expect(after.threads).toBe((before.threads ?? 0) + 8);
  },
  MINUTES,
);

test('a decoder in the place of a closed one begins at the beginning, and two open ones do not meet', () => {
  const config = modelConfig({ vocabSize: 5 });
  const parameters = new Float64Array(parameterTable(config).total).map((_, i) => ((i * 7919) % 97) / 200 - 0.24);
  for (const name of ['wasm', 'reference', 'value'] as const) {
    const engine = createEngine(name, config, parameters);
    const first = engine.decoder(2);
    const expected = [first.read([1, 2], [0, 0]), first.read([3], [1])].map((logits) => [...logits]);
    first.close();
    first.close();
    const again = engine.decoder(2);
    const other = engine.decoder(2);
    expect([again.position(0), again.position(1)]).toEqual([0, 0]);
    other.read([4, 4, 4], [0, 0, 1]);
    expect([...again.read([1, 2], [0, 0])]).toEqual(expected[0]);
    other.read([4], [1]);
    expect([...again.read([3], [1])]).toEqual(expected[1]);
    engine.close();
  }
});
