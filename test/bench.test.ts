// microgpt bench as a user runs it. What it prints has a shape; how fast this machine is, is not tested.
import { expect, test } from 'vitest';
import { roughly } from '../src/cli/bench/table.js';
import { microgpt, temporaryFolder } from './cli.js';

const tiny = '--n-embd 8 --n-head 2 --block-size 4 --runs 1'.split(' ');

test('bench names: what was checked, a line per backend and thread count, the time of a full run', async () => {
  const { code, stdout, stderr } = await microgpt(
    ['bench', 'names', ...tiny, '--backend', 'wasm,reference', '--threads', '1,2'],
    { cwd: temporaryFolder() },
  );
  expect(code, stderr).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^checked: first loss \d\.\d{6} on the first sequence; wasm and reference differ by /);
  expect(lines[2]).toMatch(/^backend +threads +steps\/s +median +tokens\/s +GFLOP\/s +peak +share /);
  expect(lines.slice(3, 6).map((line) => line.split(/ +/).slice(0, 2))).toEqual([
    ['wasm', '1'],
    ['wasm', '2*'], // too small to be shared, and said so
    ['reference', '1'],
  ]);
  expect(stdout).toContain('* steps of this size are too small to share');
  expect(lines.at(-1)).toMatch(/^Full run \(1,000 steps\) would take ~[\d.]+ s \(wasm, \d threads?\)$/);
});

test('bench --json: one object on stdout, sizes as given, nothing else', async () => {
  const { code, stdout } = await microgpt(
    ['bench', ...tiny, '--vocab-size', '9', '--batch-size', '3', '--threads', '1', '--json'],
    { cwd: temporaryFolder() },
  );
  expect(code).toBe(0);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({
    node: process.version,
    scenario: null,
    model: { nEmbd: 8, nHead: 2, nLayer: 1, blockSize: 4, vocabSize: 9, parameters: 72 + 32 + 72 + 12 * 64 },
    batchSize: 3,
    steps: 1000,
  });
  expect(report.rows).toHaveLength(1);
  const [row] = report.rows;
  expect(row).toMatchObject({ backend: 'wasm', threads: 1, shared: false, check: { sequences: 3 } });
  expect(row.check.relative).toBeLessThan(1e-4);
  expect(row.tokensPerSecond.best).toBeCloseTo(row.stepsPerSecond.best * 3 * 4, 3); // full contexts
  expect(row.fullRunSeconds).toBeCloseTo(1000 / row.stepsPerSecond.best, 9);
  expect(row.decode.sequences).toBe(32);
});

test('bench --scenario names --steps 5, as the earlier scripts are asked: five steps, and what remains', async () => {
  const cwd = temporaryFolder();
  const flags = ['bench', '--scenario', 'names', '-n', '5'];
  const { code, stdout, stderr } = await microgpt([...flags, '--backend', 'python'], { cwd });
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^Benchmark: 5 steps in [\d.]+ m?s \([\d.,]+ steps\/s; value\)\n/);
  expect(stdout).toMatch(
    /\nFull run \(1,000 steps\): the remaining 995 would take ~[\dhms. ]+, at [\dhms. ]+ a step\n$/,
  );
  const report = JSON.parse((await microgpt([...flags, '-b', 'numpy', '--json'], { cwd })).stdout);
  const [row] = report.rows;
  expect(row).toMatchObject({ backend: 'wasm', steps: 5, remaining: 995 });
  expect(row.stepsPerSecond).toBeCloseTo(5 / row.seconds, 6);
  expect(row.remainingSeconds).toBeCloseTo(995 * row.medianStep, 9);
  const whole = await microgpt(['bench', 'names', '--steps', '2000', '--json', '--threads', '1'], { cwd });
  expect(JSON.parse(whole.stdout).rows[0]).toMatchObject({ steps: 1000, remaining: 0, remainingSeconds: null });
});

test.each([
  [['bench', '--data', 'names.txt'], 'MG_CLI_USAGE'],
  [['bench', 'nothing'], 'MG_CLI_SCENARIO'],
  [['bench', 'names', '--vocab-size', '9'], 'MG_CLI_USAGE'],
  [['bench', '--backend', 'wasm,abacus'], 'MG_CLI_VALUE'],
  [['bench', '--threads', '1,0'], 'MG_CLI_VALUE'],
  [['bench', 'names', '--backend', 'value', '--n-embd', '64', '--batch-size', '512'], 'MG_ENGINE_MEMORY'],
  [['bench', '--n-embd', '10', '--n-head', '4'], 'MG_CONFIG_INVALID'],
])('%j is refused: %s', async (args, error) => {
  const { code, stdout, stderr } = await microgpt(args, { cwd: temporaryFolder() });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(error);
});

test('times of a full run, roughly', () => {
  expect([0.0123, 0.52, 3.21, 9.99, 42.4, 491, 7500].map(roughly)).toEqual([
    '0.01 s',
    '0.5 s',
    '3.2 s',
    '10 s',
    '42 s',
    '8m 11s',
    '2h 05m',
  ]);
});
