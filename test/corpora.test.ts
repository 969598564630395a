// The canonical run on the real list of 32,033 names, through the doors that users take.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createPythonRandom } from '../src/base/python-random.js';
import { DOWNLOADS, readDocuments } from '../src/node/corpora.js';
import { microgpt, ROOT, runCommand, temporaryFolder } from './cli.js';
import { corpusTest } from './corpora.js';
import { FULL, goldenJson, goldenText, shuffledNames } from './golden.js';

const canonicalNames = goldenText('canonical/samples.txt').trim().split('\n');

corpusTest('the documents of names.txt, and their order after the shuffle', 'names.txt', async (path) => {
  expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(DOWNLOADS[0].sha256);
  const documents = await readDocuments(path);
  createPythonRandom(42).shuffle(documents);
  const recorded = goldenJson('canonical/shuffled_docs.json');
  expect(documents).toHaveLength(recorded.num_docs);
  expect(documents.slice(0, 20)).toEqual(recorded.first_20);
  expect(documents.slice(-20)).toEqual(recorded.last_20);
  expect(documents.slice(0, 1000)).toEqual(shuffledNames());
});

corpusTest('microgpt train names --data names.txt prints the twenty canonical names', 'names.txt', async (path) => {
  const cwd = temporaryFolder();
  const { code, stdout, stderr } = await microgpt(['train', 'names', '--data', path], { cwd });
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toEqual(canonicalNames);
  const log = readFileSync(join(cwd, 'models/names/metrics.jsonl'), 'utf8').trim().split('\n');
  expect(JSON.parse(log[999]).loss).toBeCloseTo(2.6496944697, 5);
  expect(stderr).toContain('saved models/names/model.safetensors');
});

corpusTest(
  `examples/microgpt.ts reproduces the canonical run (${FULL ? '1,000' : '50'} steps)`,
  'names.txt',
  async (path) => {
    // The whole run of the quick tier is shorter, so its learning rate falls faster: only its first loss is comparable.
    const args = [join(ROOT, 'dist/examples/microgpt.js'), path, FULL ? '1000' : '50'];
    const { code, stdout } = await runCommand(process.execPath, args, { cwd: temporaryFolder() });
    expect(code).toBe(0);
    expect(stdout).toContain(`step 1/${FULL ? 1000 : 50}  loss 3.3660`);
    if (!FULL) return;
    expect(stdout).toContain('step 1000/1000  loss 2.6497');
    expect(stdout.trim().split('\n').slice(-20)).toEqual(canonicalNames);
  },
);
