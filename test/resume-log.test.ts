// A process that is killed between two saves leaves a log that is ahead of its newest checkpoint. Here that state is made on purpose, so
// that nothing depends on when a kill comes; test/resume.test.ts kills.
import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { microgpt, temporaryFolder } from './cli.js';

test('a run goes on from its newest checkpoint, and the log has each step once', async () => {
  const cwd = temporaryFolder();
  const train = async (...args: string[]) => {
    const { code, stderr } = await microgpt(['train', ...args, '-n', '0'], { cwd });
    expect(code, stderr).toBe(0);
  };
  const read = (path: string) => readFileSync(join(cwd, path), 'utf8');
  const stepsOf = (path: string): number[] =>
    read(path)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).step);
  const what = ['names', '--steps', '12', '--validation', '0.1', '--eval-every', '4', '--save-every', '3'];
  await train(...what, '--run', 'straight');
  await train(...what, '--run', 'killed', '--stop-after', '8');
  // As if the kill had come after step 8 was written to the log and before it was saved, in the middle of a line.
  rmSync(join(cwd, 'killed/checkpoints/step-00000008.safetensors'));
  appendFileSync(join(cwd, 'killed/timing.jsonl'), '{"step":8,"seconds":1}\n');
  appendFileSync(join(cwd, 'killed/metrics.jsonl'), '{"type":"step","step":9,"los');
  expect(stepsOf('killed/timing.jsonl')).toEqual([3, 6, 8]);
  await train('--resume', 'killed');
  expect(read('killed/metrics.jsonl')).toBe(read('straight/metrics.jsonl'));
  expect(stepsOf('killed/timing.jsonl')).toEqual([3, 6, 9]);
  const steps = read('killed/metrics.jsonl').match(/"type":"step","step":\d+/g);
  expect(steps).toHaveLength(12);
});
