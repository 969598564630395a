// Files that claim to be ours and are not sound: each is refused with its code and the place.
import { describe, expect, test } from 'vitest';
import { codeOf } from '../../test/refusals.js';
import { dissect, joined, rebuilt, whole } from '../../test/whole-checkpoint.js';
import { parameterTable } from '../model/parameters.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';
import { readContainer } from './safetensors-container.js';

const file = encodeSafetensors(whole());
const decode = (bytes: Uint8Array) => decodeSafetensors(bytes, 'x');

describe('files that are no sound checkpoints are refused, each with its code', () => {
  // biome-ignore lint/suspicious/noExplicitAny: tests damage a file in ways that no type allows
  type Any = any;
  const changed = (change: (header: Any) => void) => rebuilt(file, change);
  const metadata = (name: string, change: (value: Any) => void) =>
    changed((h) => {
      const value = JSON.parse(h.__metadata__[name]);
      change(value);
      h.__metadata__[name] = JSON.stringify(value);
    });
  const text = (name: string, from: string, to: string) =>
    changed((h) => {
      expect(h.__metadata__[name]).toContain(from);
      h.__metadata__[name] = h.__metadata__[name].replace(from, to);
    });
  const headerLength = (length: bigint) => {
    const bytes = file.slice();
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    return bytes;
  };
  const data = () => dissect(file).data;
  const patched = (name: string, index: number, value: number) => {
    const bytes = rebuilt(file, () => {});
    const { header, length } = dissect(bytes);
    const { dtype, data_offsets } = header[name];
    const at = 8 + length + data_offsets[0];
    const view = new DataView(bytes.buffer);
    if (dtype === 'F64') view.setFloat64(at + 8 * index, value, true);
    else view.setFloat32(at + 4 * index, value, true);
    return bytes;
  };

  test.each<[string, string, () => Uint8Array]>([
    ['empty', 'MG_CKPT_TRUNCATED', () => new Uint8Array(0)],
    ['7 bytes', 'MG_CKPT_TRUNCATED', () => file.slice(0, 7)],
    ['header length 0', 'MG_CKPT_HEADER_SIZE', () => headerLength(0n)],
    ['header length 2^63', 'MG_CKPT_HEADER_SIZE', () => headerLength(2n ** 63n)],
    ['header length 2^64 - 1', 'MG_CKPT_HEADER_SIZE', () => headerLength(2n ** 64n - 1n)],
    ['header length 100 MB + 1', 'MG_CKPT_HEADER_SIZE', () => headerLength(100_000_001n)],
    ['header longer than the file', 'MG_CKPT_TRUNCATED', () => headerLength(BigInt(file.length))],
    ['a byte at the end', 'MG_CKPT_TRUNCATED', () => Uint8Array.of(...file, 0)],
    ['not an object', 'MG_CKPT_JSON', () => joined('[]', data())],
    ['a byte order mark', 'MG_CKPT_JSON', () => joined('\ufeff{}', data())],
    ['not UTF-8', 'MG_CKPT_JSON', () => joined('{"a": "b"}', data()).fill(0xff, 12, 13)],
    ['cut JSON', 'MG_CKPT_JSON', () => joined('{"wte": {"dtype"', data())],
    ['a million brackets', 'MG_CKPT_JSON', () => joined(`{"a": ${'['.repeat(1e6)}`, data())],
    ['a name twice', 'MG_CKPT_JSON', () => joined('{"wte": {}, "wte": {}}', data())],
    ['__proto__ as a tensor', 'MG_CKPT_NAME', () => joined('{"__proto__": {}}', data())],
    ['constructor in the metadata', 'MG_CKPT_NAME', () => joined('{"__metadata__": {"constructor": ""}}', data())],
    ['__proto__ in the configuration', 'MG_CKPT_NAME', () => text('config', '{', '{"__proto__":1,')],
    ['a name of 300 bytes', 'MG_CKPT_NAME', () => changed((h) => (h['x'.repeat(300)] = h.wte))],
    ['an empty name', 'MG_CKPT_NAME', () => changed((h) => (h[''] = h.wte))],
    ['a tensor that is a list', 'MG_CKPT_JSON', () => changed((h) => (h.wte = []))],
    ['a tensor with a field more', 'MG_CKPT_JSON', () => changed((h) => (h.wte.file = '/etc/passwd'))],
    ['metadata that is no text', 'MG_CKPT_JSON', () => changed((h) => (h.__metadata__.step = 1))],
    ['metadata that is a list', 'MG_CKPT_JSON', () => changed((h) => (h.__metadata__ = []))],
    [
      '10,000 tensors',
      'MG_CKPT_SHAPE',
      () =>
        changed((h) => {
          for (let i = 0; i < 1e4; i++) h[i] = { dtype: 'I8', shape: [0], data_offsets: [0, 0] };
        }),
    ],
    ['dtype U8', 'MG_CKPT_DTYPE', () => changed((h) => (h.wte.dtype = 'U8'))],
    ['dtype toString', 'MG_CKPT_DTYPE', () => changed((h) => (h.wte.dtype = 'toString'))],
    ['dtype null', 'MG_CKPT_DTYPE', () => changed((h) => (h.wte.dtype = null))],
    ['a product beyond counting', 'MG_CKPT_SHAPE', () => changed((h) => (h.wte.shape = [2 ** 32, 2 ** 32]))],
    ['a negative length', 'MG_CKPT_SHAPE', () => changed((h) => (h.wte.shape = [-1, -4]))],
    [
      'a length of -0',
      'MG_CKPT_SHAPE',
      () => joined('{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}', data()),
    ],
    ['a length with a fraction', 'MG_CKPT_SHAPE', () => changed((h) => (h.wte.shape = [1.5, 4]))],
    ['a length as text', 'MG_CKPT_SHAPE', () => changed((h) => (h.wte.shape = ['4', 4]))],
    [
      'a length of 1e999',
      'MG_CKPT_SHAPE',
      () => joined('{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,0]}}', data()),
    ],
    [
      'a length of 2^53 + 1',
      'MG_CKPT_SHAPE',
      () => joined('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,0]}}', data()),
    ],
    ['64 dimensions', 'MG_CKPT_SHAPE', () => changed((h) => (h.wte.shape = new Array(64).fill(1)))],
    ['no dimensions', 'MG_CKPT_SHAPE', () => changed((h) => (h.wte.shape = []))],
    ['a length of 0', 'MG_CKPT_SHAPE', () => changed((h) => (h.wte.shape = [0, 4]))],
    ['rows and columns swapped', 'MG_CKPT_SHAPE', () => changed((h) => h['layer0.mlp_fc1'].shape.reverse())],
    ['one offset', 'MG_CKPT_SHAPE', () => changed((h) => h.wte.data_offsets.pop())],
    ['offsets swapped', 'MG_CKPT_SHAPE', () => changed((h) => h.wte.data_offsets.reverse())],
    [
      'overlap',
      'MG_CKPT_SHAPE',
      () => changed((h) => (h['layer0.attn_wq'].data_offsets = h['layer0.attn_wk'].data_offsets)),
    ],
    ['a gap', 'MG_CKPT_SHAPE', () => changed((h) => delete h.lm_head)],
    [
      'beyond the end',
      'MG_CKPT_TRUNCATED',
      () =>
        changed((h) => {
          const last = Object.values(h).at(-1) as Any;
          for (const name of Object.keys(h))
            if (h[name] === last)
              h[name] = {
                dtype: 'F32',
                shape: [1000],
                data_offsets: [last.data_offsets[0], last.data_offsets[0] + 4000],
              };
        }),
    ],
    [
      '8 EB',
      'MG_CKPT_TRUNCATED',
      () =>
        joined(
          '{"a":{"dtype":"I8","shape":[9007199254740991],"data_offsets":[0,9007199254740991]}}',
          new Uint8Array(0),
        ),
    ],
    [
      'another name for a tensor',
      'MG_CKPT_SHAPE',
      () =>
        changed((h) => {
          h.wtf = h.wte;
          delete h.wte;
        }),
    ],
    [
      'an extra empty tensor',
      'MG_CKPT_SHAPE',
      () => changed((h) => (h.extra = { dtype: 'F32', shape: [0], data_offsets: [0, 0] })),
    ],
    [
      'a moment of bytes',
      'MG_CKPT_DTYPE',
      () => {
        const { header, data } = dissect(rebuilt(file, () => {}));
        const last = Object.keys(header)
          .filter((name) => name.startsWith('optimizer.'))
          .reduce((a, b) => (header[a].data_offsets[1] > header[b].data_offsets[1] ? a : b));
        const entry = header[last];
        const size = entry.shape.reduce((a: number, b: number) => a * b, 1);
        const cut = data.length - (entry.data_offsets[1] - entry.data_offsets[0]) + 2 * size;
        header[last] = {
          dtype: 'F16',
          shape: entry.shape,
          data_offsets: [entry.data_offsets[0], entry.data_offsets[0] + 2 * size],
        };
        return joined(JSON.stringify(header), entry.data_offsets[1] === data.length ? data.subarray(0, cut) : data);
      },
    ],
    ['one checksum of two', 'MG_CKPT_HASH', () => rebuilt(file, (h) => delete h.__metadata__.sha256, true)],
    ['no metadata of ours', 'MG_CKPT_UNKNOWN', () => changed((h) => delete h.__metadata__)],
    ['another program’s metadata', 'MG_CKPT_UNKNOWN', () => changed((h) => (h.__metadata__ = { format: 'pt' }))],
    ['no tokenizer', 'MG_CKPT_UNKNOWN', () => changed((h) => delete h.__metadata__.tokenizer)],
    ['a newer version', 'MG_CKPT_VERSION', () => changed((h) => (h.__metadata__.version = '3'))],
    ['no version', 'MG_CKPT_VERSION', () => changed((h) => delete h.__metadata__.version)],
    ['configuration not JSON', 'MG_CKPT_JSON', () => changed((h) => (h.__metadata__.config = 'n_embd=4'))],
    ['configuration a list', 'MG_CKPT_JSON', () => changed((h) => (h.__metadata__.config = '[]'))],
    ['a size missing', 'MG_CKPT_CONFIG', () => metadata('config', (c) => delete c.n_head)],
    ['a marker missing', 'MG_CKPT_CONFIG', () => metadata('config', (c) => delete c.activation)],
    ['heads that do not divide', 'MG_CKPT_CONFIG', () => metadata('config', (c) => (c.n_head = 3))],
    [
      'an absurd product',
      'MG_CKPT_CONFIG',
      () => metadata('config', (c) => Object.assign(c, { n_embd: 16384, n_layer: 128 })),
    ],
    ['another width', 'MG_CKPT_SHAPE', () => metadata('config', (c) => (c.n_embd = 8))],
    ['another depth', 'MG_CKPT_SHAPE', () => metadata('config', (c) => (c.n_layer = 2))],
    ['without biases', 'MG_CKPT_SHAPE', () => metadata('config', (c) => (c.bias = false))],
    ['a character twice', 'MG_CKPT_TOKENIZER', () => metadata('tokenizer', (t) => (t.characters[0] = t.characters[1]))],
    ['an empty token', 'MG_CKPT_TOKENIZER', () => metadata('tokenizer', (t) => (t.characters[0] = ''))],
    ['a special id out of range', 'MG_CKPT_TOKENIZER', () => metadata('tokenizer', (t) => (t.bos = 99))],
    ['a character more', 'MG_CKPT_TOKENIZER', () => metadata('tokenizer', (t) => t.characters.push('q'))],
    ['another kind of tokenizer', 'MG_CKPT_TOKENIZER', () => metadata('tokenizer', (t) => (t.kind = 'bpe'))],
    ['step -1', 'MG_CKPT_CONFIG', () => metadata('optimizer', (o) => (o.step = -1))],
    ['step 2^53 + 1', 'MG_CKPT_CONFIG', () => text('optimizer', '"step":7', '"step":9007199254740993')],
    ['a rate as text', 'MG_CKPT_CONFIG', () => metadata('optimizer', (o) => (o.learning_rate = '0.01'))],
    ['a rate of 1e999', 'MG_CKPT_CONFIG', () => text('optimizer', '0.01', '1e999')],
    [
      'an optimizer that says nothing of moments',
      'MG_CKPT_CONFIG',
      () => metadata('optimizer', (o) => delete o.moments),
    ],
    ['moments that are not to be there', 'MG_CKPT_SHAPE', () => metadata('optimizer', (o) => (o.moments = false))],
    ['moments without an optimizer', 'MG_CKPT_SHAPE', () => changed((h) => delete h.__metadata__.optimizer)],
    ['a run with NaN', 'MG_CKPT_JSON', () => text('run', '1e-7', 'NaN')],
    ['a run that is text', 'MG_CKPT_JSON', () => changed((h) => (h.__metadata__.run = '"x"'))],
    ['NaN in a weight', 'MG_CKPT_NONFINITE', () => patched('wte', 5, Number.NaN)],
    ['an infinite weight', 'MG_CKPT_NONFINITE', () => patched('lm_head', 5, -Infinity)],
    ['an infinite moment', 'MG_CKPT_NONFINITE', () => patched('optimizer.m.lm_head', 5, Infinity)],
  ])('%s: %s', (_, code, make) => {
    expect(codeOf(() => decode(make()))).toBe(code);
  });

  test('the place of what is not finite is named', () => {
    expect(() => decode(patched('wte', 6, Number.NaN))).toThrow(
      'wte has 1 numbers that are not finite, the first NaN at [1,2]',
    );
  });

  test('damage anywhere is seen: every bit of a byte here and there', () => {
    for (let at = 0; at < file.length; at += 7) {
      const bytes = file.slice();
      bytes[at] ^= 1 << (at % 8);
      expect(
        codeOf(() => decode(bytes)),
        `byte ${at}`,
      ).toMatch(/^MG_CKPT_/);
    }
  });

  test('cut off after any byte', () => {
    for (let length = 0; length < file.length; length++) {
      expect(
        codeOf(() => decode(file.slice(0, length))),
        `first ${length}`,
      ).toBe('MG_CKPT_TRUNCATED');
    }
  });
});

test('a gap is refused as such, where nothing is missing', () => {
  const at = (from: number) => ({ dtype: 'I8', shape: [1], data_offsets: [from, from + 1] });
  const container = (second: number) =>
    readContainer(joined(JSON.stringify({ a: at(0), b: at(second) }), new Uint8Array(second + 1)), 'x');
  expect([...container(1).tensors.keys()]).toEqual(['a', 'b']);
  expect(() => container(2)).toThrow('leaves a gap of 1 bytes before it');
});

test('a tokenizer with fewer tokens than the model has rows belongs to another model', () => {
  const { config, tokenizer } = whole();
  const larger = { ...config, vocabSize: tokenizer.size + 1 };
  const parameters = new Float64Array(parameterTable(larger).total);
  expect(() => decode(encodeSafetensors({ config: larger, tokenizer, parameters }))).toThrow(
    expect.objectContaining({ code: 'MG_CKPT_TOKENIZER' }),
  );
});
