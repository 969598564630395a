// The page on what many processes cost: its tables are those of the model, and the model is that of the code.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createOrderedSum, type Transport } from '../src/train/ranks.js';
import { ROOT } from './cli.js';

const cost = await import(join(ROOT, 'bench/ranks-cost.mjs'));

test('the tables of docs/distributed.md are current', () => {
  const page = readFileSync(join(ROOT, 'docs/distributed.md'), 'utf8');
  expect(page.match(/<!-- costs: \w+ -->/g)).toHaveLength(3);
  expect(page, 'run node bench/ranks-cost.mjs --write').toBe(cost.withTables(page));
});

test.each([2, 3, 8])('the bytes that the model counts are those that leave a process: %i processes', (size) => {
  const parameters = 4096;
  let all = 0;
  for (let rank = 0; rank < size; rank++) {
    const transport: Transport = {
      rank,
      size,
      broadcast: () => {},
      allToAll(_send, sent) {
        for (let s = 0; s < size; s++) if (s !== rank) all += sent.count[s] as number;
      },
      allGather(mine) {
        all += mine.length * (size - 1);
      },
      seconds: () => 0,
      close: () => {},
    };
    const sum = createOrderedSum(transport, parameters, 'f32');
    sum.add(size);
    sum.finish();
  }
  expect(all).toBeCloseTo(size * cost.bytesOut(parameters, size), 6);
});

test('sharing a batch pays until half of a step is communication', () => {
  for (const model of cost.MODELS) {
    for (const network of cost.NETWORKS) {
      const ranks = cost.paysUntil(model, network, 65_536);
      const share = (n: number) => cost.communication(model, network, n) / (65_536 / model.speed / n);
      expect(share(ranks)).toBeLessThanOrEqual(1);
      expect(share(ranks + 1)).toBeGreaterThan(1);
    }
  }
});
