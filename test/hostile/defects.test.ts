// Files with one defect each, made by hand (those of safetensors and model.json are beside their codecs), and files that are no models.
import { describe, expect, test } from 'vitest';
import type { FormatName } from '../../src/checkpoint/checkpoint.js';
import { decodeModel } from '../../src/checkpoint/decode.js';
import { encodeOnnx } from '../../src/export/onnx.js';
import { codeOf } from '../refusals.js';
import { MODELS } from './models.js';

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

// biome-ignore lint/suspicious/noExplicitAny: tests damage a file in ways that no type allows
type Any = any;

describe('prefix .json + .bin', () => {
  const [bin, json] = MODELS['prefix .json + .bin'].files;
  const decode = (j: Uint8Array, b: Uint8Array) => codeOf(() => decodeModel(j, 'p.json', { partner: b }));
  const inJson = (change: (file: Any) => void) => {
    const file = JSON.parse(text(json));
    change(file);
    return utf8(JSON.stringify(file));
  };
  const inBin = (change: (view: DataView) => void) => {
    const copy = bin.slice();
    change(new DataView(copy.buffer));
    return copy;
  };
  const firstNumber = 28 + 8;
  const optimizerAt = (() => {
    const numbers = MODELS['prefix .json + .bin'].model.parameters.length;
    return bin.length - 8 * numbers - 8;
  })();

  test('the whole files are read', () => expect(decode(json, bin)).toBe('none'));

  test.each<[string, string, () => Uint8Array]>([
    ['another version', 'MG_CKPT_VERSION', () => inJson((f) => (f.version = 2))],
    ['version as text', 'MG_CKPT_VERSION', () => inJson((f) => (f.version = '1'))],
    ['a size missing', 'MG_CKPT_CONFIG', () => inJson((f) => delete f.d_model)],
    ['a size as text', 'MG_CKPT_CONFIG', () => inJson((f) => (f.d_model = '2'))],
    ['a size with a fraction', 'MG_CKPT_CONFIG', () => inJson((f) => (f.n_layers = 1.5))],
    ['a negative size', 'MG_CKPT_CONFIG', () => inJson((f) => (f.seq_len = -2))],
    ['an absurd size', 'MG_CKPT_CONFIG', () => inJson((f) => (f.d_model = 2 ** 40))],
    ['an absurd product', 'MG_CKPT_CONFIG', () => inJson((f) => Object.assign(f, { d_model: 16384, n_layers: 128 }))],
    ['another width', 'MG_CKPT_SHAPE', () => inJson((f) => (f.d_model = 4))],
    ['another depth', 'MG_CKPT_SHAPE', () => inJson((f) => (f.n_layers = 2))],
    ['another context', 'MG_CKPT_SHAPE', () => inJson((f) => (f.seq_len = 3))],
    ['a vocabulary that is not bytes', 'MG_CKPT_TOKENIZER', () => inJson((f) => (f.vocab_size = 50257))],
    ['a rate that is null', 'MG_CKPT_CONFIG', () => inJson((f) => (f.lr = null))],
    ['a rate beyond float32', 'MG_CKPT_CONFIG', () => inJson((f) => (f.lr = 1e39))],
    ['a rate of 1e999', 'MG_CKPT_CONFIG', () => utf8(text(json).replace(/"lr": [^,]+/, '"lr": 1e999'))],
    ['step -1', 'MG_CKPT_CONFIG', () => inJson((f) => (f.step = -1))],
    ['has_optim_state as text', 'MG_CKPT_CONFIG', () => inJson((f) => (f.has_optim_state = 'true'))],
    ['__proto__', 'MG_CKPT_NAME', () => utf8(text(json).replace('"lr"', '"__proto__"'))],
    ['a key twice', 'MG_CKPT_JSON', () => utf8(text(json).replace('"lr"', '"step"'))],
    ['JSON of something else', 'MG_CKPT_UNKNOWN', () => utf8('{"a": 1}')],
  ])('.json with %s: %s', (_, code, make) => {
    expect(decode(make(), bin)).toBe(code);
  });

  test.each<[string, string, () => Uint8Array]>([
    ['nothing in it', 'MG_CKPT_TRUNCATED', () => new Uint8Array(0)],
    ['another magic', 'MG_CKPT_UNKNOWN', () => inBin((v) => v.setUint8(0, 0))],
    ['another version', 'MG_CKPT_VERSION', () => inBin((v) => v.setUint32(8, 2, true))],
    ['2 for its optimizer', 'MG_CKPT_CONFIG', () => inBin((v) => v.setUint32(12, 2, true))],
    ['step 2^63', 'MG_CKPT_CONFIG', () => inBin((v) => v.setBigUint64(16, 2n ** 63n, true))],
    ['4 billion tensors', 'MG_CKPT_SHAPE', () => inBin((v) => v.setUint32(24, 0xffffffff, true))],
    ['a tensor of 2^61 numbers', 'MG_CKPT_SHAPE', () => inBin((v) => v.setBigUint64(28, 2n ** 61n, true))],
    ['a tensor of no numbers', 'MG_CKPT_SHAPE', () => inBin((v) => v.setBigUint64(28, 0n, true))],
    ['no optimizer, and its bytes', 'MG_CKPT_TRUNCATED', () => inBin((v) => v.setUint32(12, 0, true))],
    [
      'an Adam step of 2^64 - 1',
      'MG_CKPT_CONFIG',
      () => inBin((v) => v.setBigUint64(optimizerAt, 2n ** 64n - 1n, true)),
    ],
    ['a byte more', 'MG_CKPT_TRUNCATED', () => Uint8Array.of(...bin, 0)],
    ['NaN', 'MG_CKPT_NONFINITE', () => inBin((v) => v.setFloat32(firstNumber, Number.NaN, true))],
    ['an infinite moment', 'MG_CKPT_NONFINITE', () => inBin((v) => v.setFloat32(bin.length - 4, Infinity, true))],
    ['the .json in its place', 'MG_CKPT_UNKNOWN', () => json],
  ])('.bin with %s: %s', (_, code, make) => {
    expect(decode(json, make())).toBe(code);
  });

  test('where they disagree the .bin wins, with a note', () => {
    const { checkpoint, notes } = decodeModel(
      inJson((f) => (f.step = 99)),
      'p.json',
      { partner: bin },
    );
    expect(checkpoint.optimizer?.step).toBe(3);
    expect(notes).toEqual([expect.stringContaining('step 99')]);
  });
});

describe('weights.json + meta.json', () => {
  const [weights, meta] = MODELS['weights.json + meta.json'].files;
  const inMeta = (change: (file: Any) => void) => {
    const file = JSON.parse(text(meta));
    change(file);
    return utf8(JSON.stringify(file));
  };
  const inWeights = (change: (file: Any) => void) => {
    const file = JSON.parse(text(weights));
    change(file);
    return utf8(JSON.stringify(file));
  };

  test.each<[string, string, () => Uint8Array]>([
    ['as it was', 'none', () => meta],
    ['a size missing', 'MG_CKPT_CONFIG', () => inMeta((f) => delete f.n_head)],
    ['a size with a fraction', 'MG_CKPT_CONFIG', () => inMeta((f) => (f.n_layer = 0.5))],
    ['an absurd size', 'MG_CKPT_CONFIG', () => inMeta((f) => (f.block_size = 2 ** 33))],
    ['another width', 'MG_CKPT_SHAPE', () => inMeta((f) => (f.n_embd = 4))],
    ['an unknown activation', 'MG_CKPT_CONFIG', () => inMeta((f) => (f.activation = 'swish'))],
    ['characters missing', 'MG_CKPT_UNKNOWN', () => inMeta((f) => delete f.chars)],
    ['characters that are text', 'MG_CKPT_TOKENIZER', () => inMeta((f) => (f.chars = 'ab'))],
    ['a character that is a number', 'MG_CKPT_TOKENIZER', () => inMeta((f) => (f.chars[0] = 1))],
    ['a character of two', 'MG_CKPT_TOKENIZER', () => inMeta((f) => (f.chars[0] = 'ab'))],
    ['a character twice', 'MG_CKPT_TOKENIZER', () => inMeta((f) => (f.chars[0] = 'b'))],
    ['one character more', 'MG_CKPT_TOKENIZER', () => inMeta((f) => f.chars.push('c'))],
    ['no special tokens where the sizes count them', 'MG_CKPT_TOKENIZER', () => inMeta((f) => delete f.special_tokens)],
    ['special tokens that are text', 'MG_CKPT_TOKENIZER', () => inMeta((f) => (f.special_tokens = 'user'))],
    ['constructor', 'MG_CKPT_NAME', () => utf8(text(meta).replace('"chars"', '"constructor"'))],
    ['weights.json in its place', 'MG_CKPT_UNKNOWN', () => weights],
  ])('meta.json with %s: %s', (_, code, make) => {
    expect(codeOf(() => decodeModel(make(), 'meta.json', { partner: weights }))).toBe(code);
  });

  test.each<[string, string, () => Uint8Array]>([
    ['a matrix missing', 'MG_CKPT_SHAPE', () => inWeights((f) => delete f.lm_head)],
    ['a matrix too many', 'MG_CKPT_SHAPE', () => inWeights((f) => (f.extra = [[1]]))],
    ['a row missing', 'MG_CKPT_SHAPE', () => inWeights((f) => f.wte.pop())],
    ['an object for a matrix', 'MG_CKPT_SHAPE', () => inWeights((f) => (f.wte = {}))],
    ['null', 'MG_CKPT_NONFINITE', () => inWeights((f) => (f.wte[0][0] = null))],
    ['text', 'MG_CKPT_NONFINITE', () => inWeights((f) => (f.wte[0][0] = '0'))],
    ['NaN', 'MG_CKPT_NONFINITE', () => utf8(text(weights).replace(/-?\d+\.\d+/, 'NaN'))],
    ['no wte', 'MG_CKPT_UNKNOWN', () => inWeights((f) => delete f.wte)],
    ['nothing in it', 'MG_CKPT_UNKNOWN', () => new Uint8Array(0)],
    ['a list', 'MG_CKPT_UNKNOWN', () => utf8('[]')],
  ])('weights.json with %s: %s', (_, code, make) => {
    expect(codeOf(() => decodeModel(meta, 'meta.json', { partner: make() }))).toBe(code);
  });
});

describe('cut off after any byte', () => {
  const cases = (Object.keys(MODELS) as FormatName[]).flatMap((format) =>
    MODELS[format].files.map((_, i) => [format, i] as const),
  );
  test.each(cases)('%s, file %i', (format, which) => {
    const { files } = MODELS[format];
    const other = files[1 - which];
    const whole = files[which];
    // White space at the end of a text says nothing.
    const end = /[\n ]$/.test(text(whole)) ? text(whole).trimEnd().length : whole.length;
    for (let length = 0; length < end; length++) {
      const cut = whole.subarray(0, length);
      const codes = [
        codeOf(() => decodeModel(cut, format === 'safetensors' ? 'x.safetensors' : 'x', { partner: other })),
      ];
      if (other !== undefined) codes.push(codeOf(() => decodeModel(other, 'x', { partner: cut })));
      for (const code of codes) expect(code, `first ${length} bytes`).toMatch(/^MG_CKPT_(TRUNCATED|JSON|UNKNOWN)$/);
    }
  });
});

test.each<[string, string, string]>([
  ['JSON with { at the ninth byte', '{"abcd":{}}', 'MG_CKPT_UNKNOWN'],
  ['JSON with other letters before it', '{"éé":{', 'MG_CKPT_JSON'],
  ['JSON after white space', '      \n\n{}', 'MG_CKPT_UNKNOWN'],
])('%s is not taken for safetensors', (_, content, code) => {
  expect(codeOf(() => decodeModel(utf8(content), 'x'))).toBe(code);
});

test('half of a pair says which other half is missing', () => {
  const message = (bytes: Uint8Array, name: string) => {
    try {
      decodeModel(bytes, name);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  const [bin, json] = MODELS['prefix .json + .bin'].files;
  const [weights, meta] = MODELS['weights.json + meta.json'].files;
  expect(message(json, 'a/ckpt.json')).toContain('the other is ckpt.bin');
  expect(message(bin, 'a\\ckpt.bin')).toContain('the other is ckpt.json');
  expect(message(weights, 'a/weights.json')).toContain('the other is meta.json');
  expect(message(meta, 'meta.json')).toContain('the other is weights.json');
});

test.each<[string, number[] | string, RegExp]>([
  ['empty', '', /is empty/],
  ['PyTorch', 'PK\u0003\u0004', /zip, as PyTorch saves; microgpt never opens pickle files/],
  ['pickle', [0x80, 2, 0x7d], /pickle; microgpt never opens/],
  ['pickle of protocol 4', [0x80, 4, 0x95], /pickle/],
  ['GGUF', 'GGUF\u0003\0\0\0', /GGUF/],
  ['ONNX', [...encodeOnnx(MODELS.safetensors.model).subarray(0, 40)], /is an ONNX graph/],
  ['a web page', '<!doctype html>', /web page/],
  ['gzip', [0x1f, 0x8b, 8], /gzip/],
  ['PNG', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a], /PNG/],
  ['NumPy', [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], /NumPy/],
  ['UTF-16', [0xff, 0xfe, 0x7b, 0], /UTF-16/],
  ['a byte order mark', '\ufeff{"a":{{{}}}', /byte order mark/],
  ['Git LFS', 'version https://git-lfs.github.com/spec/v1\n', /Git LFS/],
  ['prose', 'hello', /begins with "hello"/],
  ['control characters', [1, 2, 27, 91], /begins with "\\u0001\\u0002\\u001b\["/],
])('%s is recognised and named', (_, content, message) => {
  const bytes = typeof content === 'string' ? utf8(content) : Uint8Array.from(content);
  expect(() => decodeModel(bytes, 'x')).toThrow(message);
  expect(codeOf(() => decodeModel(bytes, 'x'))).toBe('MG_CKPT_UNKNOWN');
});

test('a file by the reference implementation of safetensors, F16, F32 and F64 in its own order, is read', async () => {
  const { readFileSync } = await import('node:fs');
  const { checkpoint, notes } = decodeModel(
    new Uint8Array(readFileSync(new URL('../fixtures/safetensors/reference.safetensors', import.meta.url))),
    'reference',
  );
  const names = JSON.parse(
    readFileSync(new URL('../fixtures/weights-meta/names-model/weights.json', import.meta.url), 'utf8'),
  );
  expect(notes).toEqual([expect.stringContaining('no checksums')]);
  expect(checkpoint.parameters[0]).toBe(names.wte[0][0]);
  expect(checkpoint.parameters[27 * 16 + 16 * 16]).toBe(Math.fround(names.lm_head[0][0]));
  expect(checkpoint.parameters[27 * 16] / names.wpe[0][0]).toBeCloseTo(1, 3);
  expect(checkpoint.parameters.at(-1)).toBe(names['layer0.mlp_fc2'][15][63]);
});
