import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { goldenJson, goldenText } from '../../test/golden.js';
import { codeOf } from '../../test/refusals.js';
import { pythonFloat } from '../base/json.js';
import { createPythonRandom } from '../base/python-random.js';
import { modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import type { Checkpoint } from './checkpoint.js';
import { decodeModel } from './decode.js';
import { encodeFlatJson } from './flat-json.js';
import { encodeNestedJson } from './nested-json.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const decode = (text: string) => decodeModel(bytes(text), 'model.json');

test('a nested model.json of the Python scripts is read and written back byte for byte', () => {
  const text = goldenText('persistence/model.json');
  const { checkpoint, format, notes } = decode(text);
  expect(format).toBe('nested model.json');
  expect(checkpoint.config).toMatchObject({
    nEmbd: 16,
    nHead: 4,
    nLayer: 1,
    blockSize: 8,
    vocabSize: 27,
    activation: 'relu2',
  });
  expect(checkpoint.tokenizer.bos).toBe(0);
  expect(notes).toHaveLength(1);
  expect(encodeNestedJson(checkpoint)).toBe(text);
});

test('a flat model.json of the scenario scripts is read and written back byte for byte', () => {
  const text = goldenText('scenario-names/model.json');
  const { checkpoint, format } = decode(text);
  expect(format).toBe('flat model.json');
  expect(checkpoint.tokenizer.bos).toBe(26);
  expect(encodeFlatJson(checkpoint)).toBe(text);
});

test('BOS is found wherever the file says: first, last, or unnamed (then last)', () => {
  expect(decode(goldenText('canonical/model_seed0_format.json')).checkpoint.tokenizer.bos).toBe(26);
  expect(decode(goldenText('canonical/model.json')).checkpoint.tokenizer.bos).toBe(26);
  expect(decode(goldenText('persistence/model.json')).checkpoint.tokenizer.bos).toBe(0);
});

test('the activation: from the marker, else from the caller, else relu² with a note', () => {
  const text = goldenText('canonical/model.json');
  expect(decode(text).checkpoint.config.activation).toBe('relu2');
  const told = decodeModel(bytes(text), 'x', { activation: 'relu' });
  expect(told.checkpoint.config.activation).toBe('relu');
  expect(told.notes).toEqual([]);
  const written = encodeNestedJson(told.checkpoint);
  expect(JSON.parse(written).config.activation).toBe('relu');
  expect(decode(written)).toMatchObject({ checkpoint: { config: { activation: 'relu' } }, notes: [] });
  // The file knows better than the caller.
  const contradicted = decodeModel(bytes(written), 'x', { activation: 'gelu' });
  expect(contradicted.checkpoint.config.activation).toBe('relu');
  expect(contradicted.notes).toEqual(['the activation of x is relu, as the file says: gelu is not used']);
  // What an old reader looks at is unchanged by the marker.
  const { activation: _, ...config } = JSON.parse(written).config;
  expect(config).toEqual(goldenJson('canonical/model.json').config);
});

function randomCheckpoint(seed: number, choices: Parameters<typeof modelConfig>[0] | object = {}): Checkpoint {
  const tokenizer = charTokenizerFrom(['zß', '𝔸\u2028"\\', 'é\u0000 '], seed % 2 ? 'first' : 'last');
  const config = modelConfig({ nEmbd: 4, nHead: 2, blockSize: 3, ...choices, vocabSize: tokenizer.size });
  const random = createPythonRandom(seed);
  const parameters = initialParameters(parameterTable(config), { std: 1e-3, residualStd: 1e9 }, random.gauss);
  parameters.set([-0, 1, 5e-324, 1e22, -1.5e-7, 1e16, 123456789012345680, 0.0001]);
  return { config, tokenizer, parameters };
}

test.each([
  ['canonical', {}],
  [
    'everything else',
    { norm: 'layernorm', activation: 'gelu', bias: true, embedNorm: false, finalNorm: true, nLayer: 2 },
  ],
])('round trip of odd characters, odd numbers and every marker (%s)', (_, choices) => {
  for (const seed of [1, 2]) {
    const model = randomCheckpoint(seed, choices);
    const encoders = seed % 2 ? [encodeNestedJson] : [encodeNestedJson, encodeFlatJson];
    for (const encode of encoders) {
      const { checkpoint } = decode(encode(model));
      expect(checkpoint.config).toEqual(model.config);
      expect(checkpoint.tokenizer.pieces).toEqual(model.tokenizer.pieces);
      expect(new BigUint64Array(checkpoint.parameters.buffer)).toEqual(new BigUint64Array(model.parameters.buffer));
    }
  }
  expect(codeOf(() => encodeFlatJson(randomCheckpoint(1)))).toBe('MG_CKPT_FORMAT');
});

test('floats are written as Python writes them', () => {
  const cases: [number, string][] = [
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [-2.5, '-2.5'],
    [1e-4, '0.0001'],
    [1e-5, '1e-05'],
    [-1.25e-7, '-1.25e-07'],
    [1e15, '1000000000000000.0'],
    [1e16, '1e+16'],
    [1.5e22, '1.5e+22'],
    [5e-324, '5e-324'],
    [0.1, '0.1'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
  ];
  for (const [x, text] of cases) expect(pythonFloat(x)).toBe(text);
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => Object.is(Number(pythonFloat(x)), x)),
  );
});

describe('files that are no sound models are refused, each with its code', () => {
  const good = () => JSON.parse(encodeNestedJson(randomCheckpoint(1)));
  // biome-ignore lint/suspicious/noExplicitAny: tests damage a file in ways that no type allows
  const damaged = (damage: (file: any) => void) => {
    const file = good();
    damage(file);
    return JSON.stringify(file);
  };
  const text = encodeNestedJson(randomCheckpoint(1));

  test.each<[string, string, string]>([
    ['empty', '', 'MG_CKPT_UNKNOWN'],
    ['a zip (PyTorch)', 'PK\u0003\u0004', 'MG_CKPT_UNKNOWN'],
    ['a list', '[1]', 'MG_CKPT_UNKNOWN'],
    ['another JSON object', '{"a": 1}', 'MG_CKPT_UNKNOWN'],
    ['text after the end', `${text}x`, 'MG_CKPT_JSON'],
    ['a key twice', text.replace('"chars"', '"config": {}, "chars"'), 'MG_CKPT_JSON'],
    ['a forbidden name', text.replace('"wte"', '"__proto__"'), 'MG_CKPT_NAME'],
    ['another forbidden name', text.replace('"wte"', '"constructor"'), 'MG_CKPT_NAME'],
    ['a line break in a string', text.replace('"wte"', '"w\nte"'), 'MG_CKPT_JSON'],
    ['too deep', `{"config": ${'['.repeat(100)}`, 'MG_CKPT_JSON'],
    ['a size missing', damaged((f) => delete f.config.n_head), 'MG_CKPT_CONFIG'],
    ['a size as text', damaged((f) => (f.config.n_head = '2')), 'MG_CKPT_CONFIG'],
    ['a size with a fraction', damaged((f) => (f.config.n_layer = 1.5)), 'MG_CKPT_CONFIG'],
    ['a negative size', damaged((f) => (f.config.block_size = -1)), 'MG_CKPT_CONFIG'],
    ['an absurd size', damaged((f) => (f.config.n_embd = 2 ** 40)), 'MG_CKPT_CONFIG'],
    ['an absurd product', damaged((f) => Object.assign(f.config, { n_embd: 16384, n_layer: 128 })), 'MG_CKPT_CONFIG'],
    ['heads that do not divide', damaged((f) => (f.config.n_head = 3)), 'MG_CKPT_CONFIG'],
    ['an unknown activation', damaged((f) => (f.config.activation = 'swish')), 'MG_CKPT_CONFIG'],
    ['config not an object', damaged((f) => (f.config = 3)), 'MG_CKPT_CONFIG'],
    ['another vocabulary', damaged((f) => f.chars.push('q')), 'MG_CKPT_TOKENIZER'],
    ['a character twice', damaged((f) => (f.chars[1] = f.chars[2])), 'MG_CKPT_TOKENIZER'],
    ['a token of two characters', damaged((f) => (f.chars[1] = 'ab')), 'MG_CKPT_TOKENIZER'],
    ['two BOS', damaged((f) => (f.chars[1] = '<BOS>')), 'MG_CKPT_TOKENIZER'],
    ['characters not a list', damaged((f) => (f.chars = 'abc')), 'MG_CKPT_TOKENIZER'],
    ['a weight missing', damaged((f) => delete f.weights.wpe), 'MG_CKPT_SHAPE'],
    ['a weight too many', damaged((f) => (f.weights.extra = [[1]])), 'MG_CKPT_SHAPE'],
    ['a row missing', damaged((f) => f.weights.wte.pop()), 'MG_CKPT_SHAPE'],
    ['a row too short', damaged((f) => f.weights.wte[1].pop()), 'MG_CKPT_SHAPE'],
    ['a weight that is null', damaged((f) => (f.weights.wte[1][1] = null)), 'MG_CKPT_NONFINITE'],
    ['a weight that is text', damaged((f) => (f.weights.wte[1][1] = '1')), 'MG_CKPT_NONFINITE'],
    ['NaN as Python writes it', text.replace(/-?\d+\.\d+(?=\])/, 'NaN'), 'MG_CKPT_NONFINITE'],
    ['a number beyond range', text.replace(/-?\d+\.\d+(?=\])/, '1e999'), 'MG_CKPT_NONFINITE'],
  ])('%s', (_, file, code) => {
    expect(codeOf(() => decode(file))).toBe(code);
  });

  test('cut off after any byte', () => {
    for (let length = 0; length < text.length; length++) {
      expect(
        codeOf(() => decode(text.slice(0, length))),
        `first ${length}`,
      ).toMatch(/^MG_CKPT_(JSON|UNKNOWN)$/);
    }
  });

  test('200 random single-character changes: a model or one typed error, and no prototype touched', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'{}[]",:-0e9nt\\\u0000é'), (at, c) => {
        codeOf(() => decode(text.slice(0, at) + c + text.slice(at + 1)));
        return true;
      }),
      { numRuns: 200 },
    );
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
  });
});
