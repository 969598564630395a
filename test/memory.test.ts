// The memory that training takes, seen from outside: the peak of a process that trains a large model.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, runCommand, temporaryFolder } from './cli.js';
import { describeFull } from './needs.js';

const script = `
  const load = (path) => import(${JSON.stringify(join(ROOT, 'dist/'))} + path);
  const { createTraining } = await load('engine/training.js');
  const { trainingMemory } = await load('engine/memory.js');
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,';
  const documents = Array.from({ length: 16 }, (_, d) => Array.from({ length: 300 }, (_, i) => letters[(d * 7 + i * 13) % 64]).join(''));
  const model = { nEmbd: 384, nHead: 6, nLayer: 6, blockSize: 256 };
  const training = createTraining({ documents, model, batchSize: 8, steps: 2 });
  for await (const event of training.events()) if (event.type === 'step') console.error(event.loss);
  const { model: kept, step } = trainingMemory('wasm', training.config, 8, 256);
  console.log(JSON.stringify({ predicted: kept + step, peak: process.resourceUsage().maxRSS * 1024 }));`;

const values = `
  const { createTraining } = await import(${JSON.stringify(join(ROOT, 'dist/engine/training.js'))});
  const { trainingMemory } = await import(${JSON.stringify(join(ROOT, 'dist/engine/memory.js'))});
  const documents = ['abcdefghijklmno', 'bcdefghijklmnop'];
  const training = createTraining({ documents, batchSize: 4, steps: 1, backend: 'value', model: { nEmbd: 32 } });
  gc();
  const before = process.memoryUsage().heapUsed;
  training.gradients();
  gc();
  const { model, step } = trainingMemory('value', training.config, 4, 16);
  console.log(JSON.stringify({ predicted: model + step, kept: process.memoryUsage().heapUsed - before }));`;

test('what a step takes in Values is near what was predicted, and not above it', async () => {
  const args = ['--expose-gc', '--input-type=module', '-e', values];
  const { code, stdout, stderr } = await runCommand(process.execPath, args, { cwd: temporaryFolder() });
  expect(code, stderr).toBe(0);
  const { predicted, kept } = JSON.parse(stdout) as { predicted: number; kept: number };
  expect(kept).toBeGreaterThan(0.5 * predicted);
  expect(kept).toBeLessThan(predicted);
});

describeFull('memory', () => {
  test('training 6 × 384, context 256, batch 8 peaks under 1.2 GB, and near what was predicted', async () => {
    const args = ['--input-type=module', '-e', script];
    const { code, stdout, stderr } = await runCommand(process.execPath, args, { cwd: temporaryFolder() });
    expect(code, stderr).toBe(0);
    const { predicted, peak } = JSON.parse(stdout) as { predicted: number; peak: number };
    expect(peak).toBeLessThan(1.2e9);
    expect(peak).toBeGreaterThan(0.8 * predicted);
    expect(peak).toBeLessThan(1.5 * predicted);
  });
});
