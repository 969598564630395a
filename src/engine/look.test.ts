import { expect, test } from 'vitest';
import { canonicalModel, randomModel } from '../../test/scored-models.js';
import { encodeDocuments, sequentialBatches } from '../data/batches.js';
import { likeliest } from '../score/surprise.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { createCompleter } from './completer.js';
import { createEngine } from './create-engine.js';
import { inspect } from './inspect.js';

test.each(['reference', 'wasm'] as const)(
  'a look shows the logits that decoding computes, and attention that sums to 1 (%s)',
  (name) => {
    const model = randomModel(createByteTokenizer(), { blockSize: 16 });
    const engine = createEngine(name, model.config, model.parameters);
    for (const T of [1, 3, 16, 3]) {
      const tokens = Array.from({ length: T }, (_, i) => 97 + ((i * 5) % 11));
      const { logits, attention, length } = engine.look(tokens);
      const decoder = engine.decoder(1);
      const decoded = decoder.read(tokens, new Array(T).fill(0));
      logits.forEach((logit, i) => {
        expect(logit).toBeCloseTo(decoded[i], 4);
      });
      decoder.close();
      expect([length, attention.length]).toEqual([T, 2]);
      for (const layer of attention) {
        expect(layer.length).toBe(2 * T * T);
        for (let row = 0; row < 2 * T; row++) {
          const [seen, hidden] = [
            layer.slice(row * T, row * T + (row % T) + 1),
            layer.slice(row * T + (row % T) + 1, (row + 1) * T),
          ];
          expect(seen.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
          expect(hidden.every((p) => p === 0)).toBe(true);
        }
      }
    }
    engine.close();
  },
);

test('looking while training changes nothing of it', () => {
  const { config, tokenizer, parameters } = canonicalModel();
  const batches = sequentialBatches(
    encodeDocuments(['anna', 'bob', 'christopher'], tokenizer, 'test'),
    2,
    config.blockSize,
  );
  const run = (looks: boolean) => {
    const engine = createEngine('wasm', config, parameters);
    const losses = Array.from({ length: 6 }, (_, step) => {
      if (looks) engine.look([26, ...tokenizer.encode('looking'.slice(0, step)).ids]);
      return engine.gradients(batches(step)).loss;
    });
    const { gradients } = engine.gradients(batches(1));
    engine.close();
    return { losses, gradients };
  };
  expect(run(true)).toEqual(run(false));
});

test('the value backend says that it cannot look', () => {
  expect(() => inspect(canonicalModel(), 'a', { backend: 'value' })).toThrow(
    expect.objectContaining({ code: 'MG_TRAIN_BACKEND' }),
  );
});

test('an inspection lists what is read, the end of the text too when it is too long', () => {
  const model = canonicalModel();
  const found = inspect(model, 'em7ma', { top: 3 });
  expect(found.tokens.map(({ text }) => text)).toEqual([null, 'e', 'm', 'm', 'a']);
  expect(found.next.map((next) => next.length)).toEqual([3, 3, 3, 3, 3]);
  for (const next of found.next) expect(next[0].probability).toBeGreaterThanOrEqual(next[1].probability);
  const long = inspect(model, 'abcdefghijklmnopqrstuvwxyz');
  expect(long.tokens.length).toBeLessThanOrEqual(16);
  expect([long.tokens[0].text, long.tokens.at(-1)?.text]).toEqual([null, 'z']);
});

test('a completer answers by the text alone, and reads only what changed', () => {
  const model = canonicalModel();
  const completer = createCompleter(model);
  const fresh = (text: string) => {
    const one = createCompleter(model);
    const answer = one.complete(text);
    one.close();
    return answer;
  };
  const typed = [
    '',
    'a',
    'an',
    'ann',
    'ann',
    'an',
    'anx',
    'bnx',
    '',
    'christopher',
    'christophe',
    'abcdefghijklmnopqrstuvwxyz',
    'abcdefghijklmnopqrstuvwxy',
    'an',
  ];
  for (const text of typed) expect(completer.complete(text), text).toEqual(fresh(text));
  let before = completer.reads();
  for (const text of ['an', 'ann', 'anna', 'anna']) completer.complete(text);
  expect(completer.reads() - before).toBeLessThanOrEqual(3);
  before = completer.reads();
  completer.complete('anna');
  expect(completer.reads()).toBe(before);
  expect(completer.complete('anna', 100)).toHaveLength(27);
  completer.close();
});

test('the likeliest tokens, of equal ones the lowest id first', () => {
  expect(likeliest([1, 3, 3, 2, 3], 0, 5, 4).map(({ id }) => id)).toEqual([1, 2, 4, 3]);
  expect(likeliest([9, 9, 0, 0], 2, 2, 1)).toEqual([{ id: 0, probability: 0.5 }]);
});

test('the stages of a look are those of the model, the same on every backend, and each follows from those before it', () => {
  for (const embedNorm of [true, false]) {
    const model = randomModel(createByteTokenizer(), { blockSize: 16, finalNorm: true, embedNorm });
    const { config } = model;
    const tokens = [97, 98, 99, 97, 100];
    const [exact, fast] = (['reference', 'wasm'] as const).map((name) => {
      const engine = createEngine(name, config, model.parameters);
      const look = engine.look(tokens);
      engine.close();
      return look;
    });
    expect(exact.stages.length).toBe((embedNorm ? 2 : 1) + 10 * config.nLayer + 2);
    exact.stages.forEach((stage, i) => {
      const { values, ...about } = fast.stages[i];
      expect(about).toEqual({ name: stage.name, layer: stage.layer, width: stage.width });
      expect(values.length).toBe(tokens.length * stage.width);
      values.forEach((x, at) => {
        expect(x).toBeCloseTo(stage.values[at], 4);
      });
      // The stream is what came in and what the branch adds; its kind is told by where it comes from.
      if (stage.name !== 'stream') return;
      const cameIn = exact.stages
        .slice(0, i)
        .findLast(({ name, layer }) => name === 'stream' || (layer === null && name !== 'logits'))!;
      stage.values.forEach((x, at) => {
        expect(x).toBeCloseTo(cameIn.values[at] + exact.stages[i - 1].values[at], 10);
      });
    });
    expect(exact.stages.at(-1)!.values).toEqual(exact.logits);
  }
});
