import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { corpusTest } from '../../test/corpora.js';
import { largestDifference } from '../../test/golden.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { decodeModel } from '../checkpoint/decode.js';
import { encodePrefix } from '../checkpoint/prefix.js';
import { parameterTable } from '../model/parameters.js';
import { newByteModel, trainBytes } from './byte-trainer.js';

const fixture = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../test/fixtures/prefix-bin/${name}`, import.meta.url)));
const load = (name: string) =>
  decodeModel(fixture(`${name}.json`), name, { partner: fixture(`${name}.bin`) }).checkpoint;

/** All weights but the key third of b_qkv: its gradient is nothing but rounding, since it moves all scores of a row alike. */
function withoutKeyBias({ config, parameters }: Checkpoint): Float64Array {
  const out = parameters.slice();
  for (const p of parameterTable(config).list) if (p.name.endsWith('attn_bk')) out.fill(0, p.offset, p.offset + p.size);
  return out;
}

function run(from: Checkpoint, options: Parameters<typeof trainBytes>[1]) {
  const losses = new Map<number, number>();
  const steps = trainBytes(from, options);
  for (let next = steps.next(); ; next = steps.next()) {
    if (next.done) return { losses, checkpoint: next.value };
    losses.set(next.value.step, next.value.loss);
  }
}

test('the first weights are those that the C++ trainer draws', () => {
  const ours = newByteModel({ width: 16, layers: 2, context: 16, seed: 1, learningRate: 0.003 });
  const theirs = load('init_d16_l2');
  expect(ours.config).toEqual(theirs.config);
  expect(largestDifference(ours.parameters, theirs.parameters)).toBeLessThan(2e-7);
  expect(encodePrefix(ours).json).toBe(
    encodePrefix({ ...theirs, optimizer: { ...theirs.optimizer!, learningRate: 0.003 } }).json,
  );
  expect(
    largestDifference(newByteModel({ width: 16, layers: 2, context: 16, seed: 2 }).parameters, theirs.parameters),
  ).toBeGreaterThan(0.1);
});

// The figures are those of test/fixtures/prefix-bin/transcript.txt, printed with six digits.
corpusTest(
  'from the first step, and on from step 20: the C++ trainer’s losses and weights',
  'the-verdict.txt',
  async (path) => {
    const data = new Uint8Array(await readFile(path));
    // The untrained model was saved with another learning rate than the run then had.
    const fresh = { ...load('ckpt_d16_l2_step20').optimizer!, step: 0, moments: null };
    const first = run({ ...load('init_d16_l2'), optimizer: fresh }, { data, steps: 20 });
    for (const [step, loss] of [
      [1, 6.12458],
      [10, 5.00814],
      [20, 4.42135],
    ] as const) {
      expect(Math.abs(first.losses.get(step)! - loss), `step ${step}`).toBeLessThan(1.5e-5);
    }
    expect(
      largestDifference(withoutKeyBias(first.checkpoint), withoutKeyBias(load('ckpt_d16_l2_step20'))),
    ).toBeLessThan(1e-5);

    for (const backend of ['wasm', 'reference'] as const) {
      const second = run(load('ckpt_d16_l2_step20'), { data, steps: 20, backend });
      for (const [step, loss] of [
        [21, 4.18971],
        [30, 3.92964],
        [40, 3.59323],
      ] as const) {
        expect(Math.abs(second.losses.get(step)! - loss), `step ${step}`).toBeLessThan(1.5e-5);
      }
      const theirs = load('ckpt_d16_l2_step40');
      expect(largestDifference(withoutKeyBias(second.checkpoint), withoutKeyBias(theirs))).toBeLessThan(1e-5);
      expect(second.checkpoint.optimizer).toMatchObject({ step: 40, learningRate: theirs.optimizer!.learningRate });
      expect(encodePrefix(second.checkpoint).json).toBe(encodePrefix(theirs).json);
    }
    // Without its moments the same run goes elsewhere: the moments count.
    const blank = run(load('ckpt_d16_l2_step20_noopt'), { data, steps: 20 });
    expect(Math.abs(blank.losses.get(40)! - 3.59323)).toBeGreaterThan(1e-3);
    expect(blank.checkpoint).toMatchObject({ optimizer: { step: 20 }, run: { step: 40 } });
  },
);

test('too little text, and models of another architecture', () => {
  const model = newByteModel({ width: 8, context: 8 });
  expect(() => run(model, { data: new Uint8Array(1023) })).toThrow(
    expect.objectContaining({ code: 'MG_DATA_TOO_SMALL' }),
  );
  const other = { ...model, config: { ...model.config, activation: 'relu' as const } };
  expect(() => run(other, { data: new Uint8Array(2000) })).toThrow(expect.objectContaining({ code: 'MG_CKPT_FORMAT' }));
});
