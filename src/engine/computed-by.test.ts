/**
 * A run remembers who computed its large matrix products, because their bits may be others; a run of the kernels alone says nothing of it.
 */
import { expect, test } from 'vitest';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { decodeSafetensors, encodeSafetensors } from '../checkpoint/safetensors.js';
import { plainGemm } from '../node/blas/gemm.js';
import type { NamedProducts } from './engine.js';
import { createTraining } from './training.js';

const loops: NamedProducts = { gemm: plainGemm, least: 0, leastRows: 0, about: 'plain loops' };

/** Two more steps of a run, saved and read again. */
async function goOn(options: { readonly resume?: Checkpoint; readonly products?: NamedProducts }) {
  const documents = ['ann', 'bea', 'cleo', 'dora'];
  const training = createTraining({ documents, steps: 8, batchSize: 2, ...options });
  const until = training.startStep + 2;
  const controller = new AbortController();
  for await (const event of training.events({ signal: controller.signal }))
    if (event.type === 'step' && event.step === until) controller.abort();
  const { checkpoint } = decodeSafetensors(encodeSafetensors(training.checkpoint({ optimizer: true })), 'it');
  training.close();
  return { resume: checkpoint, computedBy: training.computedBy };
}

test('in the order in which they took turns, each once in a row', async () => {
  const first = await goOn({ products: loops });
  expect(first.resume.run?.['computedBy']).toEqual(['plain loops']);
  const second = await goOn({ resume: first.resume, products: loops });
  expect(second.computedBy).toEqual(['plain loops']);
  const third = await goOn({ resume: second.resume });
  expect(third.resume.run?.['computedBy']).toEqual(['plain loops', 'the Wasm kernels']);
});

test('a run of the kernels has no word of it, until somebody else takes over', async () => {
  const first = await goOn({});
  expect(first.resume.run).not.toHaveProperty('computedBy');
  const second = await goOn({ resume: first.resume });
  expect(second.resume.run).not.toHaveProperty('computedBy');
  const third = await goOn({ resume: second.resume, products: loops });
  expect(third.computedBy).toEqual(['the Wasm kernels', 'plain loops']);
});
