// The same bits everywhere: weights, losses, logits and text of 200 steps from the seed, with any number of threads, alone or among
// others, on every version of Node. What must come out is in test/programs/expected.json; Chromium's turn is in browser.test.ts.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeThreads } from '../dist/node/threads.js';
import { ROOT, runCommand, temporaryFolder } from './cli.js';
import { FULL } from './golden.js';
import { describeFull } from './needs.js';
import { type Outcome, SEED, STEPS, sameBits } from './programs/same-bits.js';
import { PROGRAMS } from './programs.js';
import { EXPECTED, NAMES_FILE, names } from './same-bits.js';

describe(`seed ${SEED}, ${STEPS} steps, Node ${process.versions.node}`, () => {
  test.each([1, 2, 3, 4, 8])(
    'the canonical model, with %i threads at hand: the recorded bits, alone and among 31 others',
    async (count) => {
      const threads = count > 1 ? nodeThreads(count) : undefined;
      const { bits, differs, sharedTraining } = await sameBits('canonical', names(), { threads });
      expect(bits).toEqual(EXPECTED.canonical);
      expect(differs).toEqual([]);
      expect(sharedTraining).toBe(0); // too small to share
    },
  );

  test('control: another seed leaves none of these bits', async () => {
    const { bits } = await sameBits('canonical', names(), { seed: SEED + 1 });
    for (const [what, hash] of Object.entries(bits))
      expect(Object.values(EXPECTED.canonical), what).not.toContain(hash);
  });

  test.each([1, 2, 3, 4, 8])('a model large enough to share, on %i threads: the recorded bits', async (count) => {
    const threads = count > 1 ? nodeThreads(count) : undefined;
    const { bits, differs, sharedTraining, sharedGenerating } = await sameBits('large', names(), { threads });
    expect(bits).toEqual(EXPECTED.large);
    expect(differs).toEqual([]);
    if (count === 1) expect(sharedTraining + sharedGenerating).toBe(0);
    else {
      // Every step was shared, and so was reading many sequences side by side; a shared run waits for all threads.
      expect(sharedTraining).toBe(STEPS);
      expect(sharedGenerating).toBeGreaterThan(10);
    }
  });
});

test.each([1, 8])('1,000 askers of one service at once, on %i threads: each gets what it gets alone', async (count) => {
  const threads = count > 1 ? nodeThreads(count) : undefined;
  for (const model of FULL ? (['canonical', 'large'] as const) : (['canonical'] as const)) {
    const { bits, differs } = await sameBits(model, names(), { threads, askers: 1000 });
    expect(bits).toEqual(EXPECTED[model]);
    expect(differs).toEqual([]);
  }
});

const VERSIONS = [20, 22, 24, 26];

describeFull('other versions of Node', () => {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    test.skip(`Node ${VERSIONS.join(', ')} (skipped: their binaries are for Linux on x64, this is ${process.platform} on ${process.arch})`, () => {});
    return;
  }
  const binary = (version: number): string => {
    const path = join(ROOT, `test/nodes/node_modules/node-${version}/bin/node`);
    expect(existsSync(path), `${path} is missing: npm ci --ignore-scripts in test/nodes`).toBe(true);
    return path;
  };

  test.each(VERSIONS)('Node %i leaves the recorded bits, on one thread and on four', async (version) => {
    const args = [join(PROGRAMS, 'same-bits-node.js'), NAMES_FILE, 'canonical', '1', 'large', '1', 'large', '4'];
    const { code, stdout, stderr } = await runCommand(binary(version), args, { cwd: temporaryFolder() });
    expect(code, stderr).toBe(0);
    const outcomes: Outcome[] = JSON.parse(stdout);
    expect(outcomes.map((o) => o.bits)).toEqual([EXPECTED.canonical, EXPECTED.large, EXPECTED.large]);
    expect(outcomes.map((o) => o.differs)).toEqual([[], [], []]);
    expect(outcomes.map((o) => o.sharedTraining)).toEqual([0, 0, STEPS]);
  });

  test('the command line trains the same model file and prints the same names on each', async () => {
    const results = [];
    for (const version of VERSIONS) {
      const cwd = temporaryFolder();
      const node = binary(version);
      const asked = await runCommand(node, ['--version'], { cwd });
      expect(asked.stdout).toMatch(new RegExp(`^v${version}\\.`));
      const args = [join(ROOT, 'bin/microgpt.js'), 'train', 'names', '--steps', '50'];
      const { code, stdout, stderr } = await runCommand(node, args, { cwd });
      expect(code, stderr).toBe(0);
      expect(stdout.trim().split('\n')).toHaveLength(20);
      const model = readFileSync(join(cwd, 'models/names/model.safetensors'));
      results.push({ stdout, sha256: createHash('sha256').update(model).digest('hex') });
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });
});
