import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MicrogptError } from '../base/errors.js';
import { createPythonRandom } from '../base/python-random.js';
import { modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import { tokenizerToJson } from '../tokenizer/tokenizer-json.js';
import type { Checkpoint } from './checkpoint.js';
import { decodeModel } from './decode.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof MicrogptError) return error.code;
    throw error;
  }
  return 'none';
};

/** A whole checkpoint: odd characters, odd numbers, an optimizer and a run. */
function whole(choices: object = {}): Checkpoint {
  const tokenizer = charTokenizerFrom(['zß', '𝔸\u2028"\\', 'é\u0000 \ud800'], 'chat');
  const config = modelConfig({ nEmbd: 4, nHead: 2, blockSize: 3, bias: true, ...choices, vocabSize: tokenizer.size });
  const table = parameterTable(config);
  const numbers = (seed: number) =>
    initialParameters(table, { std: 0.1, residualStd: 1e9 }, createPythonRandom(seed).gauss);
  const parameters = numbers(1);
  parameters.set([-0, 1, 5e-324, 1e22, Number.MAX_VALUE]); // wte stays F64
  parameters.subarray(table.byName.get('wpe')!.offset).set([-0, 2 ** -149, 0.5]);
  for (const p of table.list.slice(1)) {
    for (let i = p.offset; i < p.offset + p.size; i++) parameters[i] = Math.fround(parameters[i]); // all others are F32
  }
  return {
    config,
    tokenizer,
    parameters,
    optimizer: {
      step: 7,
      learningRate: 0.01,
      beta1: 0.85,
      beta2: 0.99,
      eps: 1e-8,
      weightDecay: -0,
      moments: { m: numbers(2), v: numbers(3) },
    },
    run: { seed: '18446744073709551615', note: 'ü"\\', zero: -0, list: [null, true, 1e-7, { deep: [] }] },
  };
}

const bits = (numbers: Float64Array) => new BigUint64Array(numbers.slice().buffer);

function expectSame(a: Checkpoint, b: Checkpoint): void {
  expect(a.config).toEqual(b.config);
  expect(tokenizerToJson(a.tokenizer)).toEqual(tokenizerToJson(b.tokenizer));
  expect(bits(a.parameters)).toEqual(bits(b.parameters));
  expect(a.run).toEqual(b.run); // toEqual tells -0 from 0
  expect({ ...a.optimizer, moments: null }).toEqual({ ...b.optimizer, moments: null });
  for (const which of ['m', 'v'] as const) {
    const [x, y] = [a.optimizer?.moments?.[which], b.optimizer?.moments?.[which]];
    expect(x && bits(x)).toEqual(y && bits(y));
  }
}

/** The file as any safetensors reader sees it. */
function dissect(file: Uint8Array) {
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  return { length, header, data: file.subarray(8 + length) };
}

/** A file with another header, and by default without checksums: then what is tested is not only that they differ. */
// biome-ignore lint/suspicious/noExplicitAny: tests damage a file in ways that no type allows
function rebuilt(file: Uint8Array, change: (header: any) => void, keepSums = false): Uint8Array {
  const { header, data } = dissect(file);
  if (!keepSums) for (const sum of ['sha256', 'sha256_header']) delete header.__metadata__[sum];
  change(header);
  return joined(JSON.stringify(header), data);
}

function joined(header: string, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  out.set(data, 8 + json.length);
  return out;
}

const file = encodeSafetensors(whole());
const decode = (bytes: Uint8Array) => decodeSafetensors(bytes, 'x');

describe('what is written', () => {
  test('is read again to the bit, with everything, from any place in memory', () => {
    for (const model of [whole(), whole({ bias: false, nLayer: 3, activation: 'gelu', norm: 'layernorm' })]) {
      const bytes = encodeSafetensors(model);
      const { checkpoint, format, notes } = decode(bytes);
      expectSame(checkpoint, model);
      expect([format, notes]).toEqual(['safetensors', []]);
      const shifted = new Uint8Array(bytes.length + 3).subarray(3);
      shifted.set(bytes);
      expectSame(decodeModel(shifted, 'x').checkpoint, model);
    }
  });

  test('a model alone, a byte tokenizer, an optimizer without moments', () => {
    const { config, parameters } = whole();
    const tokenizer = createByteTokenizer('chat');
    const table = parameterTable({ ...config, vocabSize: tokenizer.size });
    const alone: Checkpoint = {
      config: { ...config, vocabSize: tokenizer.size },
      tokenizer,
      parameters: new Float64Array(table.total).fill(parameters[7]),
    };
    const { checkpoint } = decode(encodeSafetensors(alone));
    expectSame(checkpoint, alone);
    expect('optimizer' in checkpoint || 'run' in checkpoint).toBe(false);
    const paused = { ...alone, optimizer: { ...whole().optimizer!, moments: null } };
    expectSame(decode(encodeSafetensors(paused)).checkpoint, paused);
  });

  test('the same checkpoint gives the same bytes, also after a round trip', () => {
    expect(encodeSafetensors(whole())).toEqual(file);
    expect(encodeSafetensors(decode(file).checkpoint)).toEqual(file);
  });

  test('is safetensors: aligned, covering, named as the parameters are, text in the metadata, sums that others can check', () => {
    const { length, header, data } = dissect(file);
    const { __metadata__: metadata, ...tensors } = header;
    expect((8 + length) % 8).toBe(0);
    let at = 0;
    for (const { dtype, shape, data_offsets } of Object.values(tensors) as {
      dtype: 'F32' | 'F64';
      shape: number[];
      data_offsets: [number, number];
    }[]) {
      const width = { F32: 4, F64: 8 }[dtype];
      expect(data_offsets[0]).toBe(at);
      expect(at % width).toBe(0);
      at += shape.reduce((a, b) => a * b, width);
      expect(data_offsets[1]).toBe(at);
    }
    expect(at).toBe(data.length);
    expect(tensors.wte).toMatchObject({ dtype: 'F64' });
    expect(tensors['layer0.mlp_fc1']).toMatchObject({ dtype: 'F32', shape: [16, 4] });
    expect(tensors['optimizer.v.layer0.mlp_fc1']).toMatchObject({ dtype: 'F64', shape: [16, 4] });
    for (const value of Object.values(metadata)) expect(typeof value).toBe('string');
    expect(metadata.sha256).toBe(createHash('sha256').update(data).digest('hex'));
    expect(metadata).toMatchObject({ format: 'microgpt', version: '1' });
  });

  test('a number outside of float32 by one bit makes the tensor F64, and -0 does not', () => {
    const dtype = (x: number) => {
      const model = whole();
      model.parameters[model.config.vocabSize * 4] = x; // first of wpe
      return dissect(encodeSafetensors(model)).header.wpe.dtype;
    };
    expect([0.1, 1 + 2 ** -24, 1e39, 2 ** -150].map(dtype)).toEqual(['F64', 'F64', 'F64', 'F64']);
    expect([-0, 1 + 2 ** -23, 2 ** -149, Math.fround(0.1)].map(dtype)).toEqual(['F32', 'F32', 'F32', 'F32']);
  });

  test('what could not be read again is refused', () => {
    const model = whole();
    const refusal = (change: object) => codeOf(() => encodeSafetensors({ ...model, ...change } as Checkpoint));
    expect(refusal({ parameters: model.parameters.with(9, Number.NaN) })).toBe('MG_CKPT_NONFINITE');
    const { m } = model.optimizer!.moments!;
    const moments = { m: m.with(0, Infinity), v: m };
    expect(refusal({ optimizer: { ...model.optimizer, moments } })).toBe('MG_CKPT_NONFINITE');
    let deep: unknown = 1;
    for (let i = 0; i < 40; i++) deep = [deep];
    for (const value of [Number.NaN, deep, { constructor: 1 }, undefined]) {
      expect(refusal({ run: { value } })).toBe('MG_CKPT_FORMAT');
    }
    expect(refusal({ run: { value: 'x'.repeat(3_000_000) } })).toBe('MG_CKPT_FORMAT');
  });
});

describe('fewer bits', () => {
  const model = (() => {
    const exact = whole();
    return { ...exact, parameters: exact.parameters.map((x) => Math.fround(x / 1e9)).fill(0.1, 0, 5) };
  })();

  test('half: each number to 11 bits, the file of less than half the size, no optimizer', () => {
    const bytes = encodeSafetensors(model, { precision: 'half' });
    const { checkpoint } = decode(bytes);
    expect(checkpoint.optimizer).toMatchObject({ step: 7, moments: null });
    checkpoint.parameters.forEach((x, i) => {
      const exact = model.parameters[i];
      expect(Math.abs(x - exact)).toBeLessThanOrEqual(Math.max(Math.abs(exact) * 2 ** -11, 2 ** -25));
      expect(Object.is(Math.sign(x), Math.sign(exact)) || x === 0).toBe(true);
    });
    expect(encodeSafetensors(checkpoint, { precision: 'half' })).toEqual(bytes);
    expect(codeOf(() => encodeSafetensors(whole(), { precision: 'half' }))).toBe('MG_CKPT_FORMAT');
  });

  test('int8: each number to 1/254 of the largest of its row; biases stay', () => {
    const { checkpoint } = decode(encodeSafetensors(model, { precision: 'int8' }));
    for (const p of parameterTable(model.config).list) {
      const width = p.shape[1] ?? 1;
      for (let i = 0; i < p.size; i++) {
        const start = p.offset + i - (i % width);
        const most = Math.max(...model.parameters.subarray(start, start + width).map(Math.abs));
        const error = Math.abs(checkpoint.parameters[p.offset + i] - model.parameters[p.offset + i]);
        expect(error).toBeLessThanOrEqual(p.shape.length === 1 ? 0 : (most / 254) * (1 + 1e-5));
      }
    }
    expect(codeOf(() => encodeSafetensors(whole(), { precision: 'int8' }))).toBe('MG_CKPT_FORMAT');
  });

  test('every half reads as the number it is, and that number writes as the same half', () => {
    const C = 64; // wte [1024, 64]: all 65,536 patterns
    const tokenizer = charTokenizerFrom(
      [Array.from({ length: 1023 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('')],
      'last',
    );
    const config = modelConfig({ nEmbd: C, nHead: 1, blockSize: 1, vocabSize: 1024 });
    const blank = { config, tokenizer, parameters: new Float64Array(parameterTable(config).total) };
    const bytes = encodeSafetensors(blank, { precision: 'half' });
    const patched = rebuilt(bytes, () => {});
    const { header, length } = dissect(patched);
    const start = 8 + length + header.wte.data_offsets[0];
    const halves = Array.from({ length: 65_536 }, (_, h) => (((h >> 10) & 31) === 31 ? 0 : h)); // no NaN, no infinity
    const view = new DataView(patched.buffer);
    for (const [i, h] of halves.entries()) view.setUint16(start + 2 * i, h, true);
    const { parameters } = decode(patched).checkpoint;
    expect([parameters[1], parameters[0x3c00], parameters[0xc000], parameters[0x7bff]]).toEqual([
      2 ** -24,
      1,
      -2,
      65504,
    ]);
    expect(Object.is(parameters[0x8000], -0)).toBe(true);
    const again = dissect(encodeSafetensors({ ...blank, parameters }, { precision: 'half' }));
    const written = new DataView(again.data.buffer, again.data.byteOffset + again.header.wte.data_offsets[0]);
    expect(halves.every((h, i) => written.getUint16(2 * i, true) === h)).toBe(true);
  });

  test('BF16 of other programs is read: the upper half of a float32', () => {
    const exact = encodeSafetensors({ ...model, optimizer: undefined });
    const { header } = dissect(exact);
    const shorter = new Uint8Array(dissect(exact).data.length);
    const view = new DataView(shorter.buffer);
    let at = 0;
    for (const p of parameterTable(model.config).list) {
      header[p.name] = { dtype: 'BF16', shape: p.shape, data_offsets: [at, at + 2 * p.size] };
      for (let i = 0; i < p.size; i++, at += 2) view.setUint16(at, 0xc020, true); // -2.5
    }
    for (const sum of ['sha256', 'sha256_header']) delete header.__metadata__[sum];
    const { checkpoint, notes } = decode(joined(JSON.stringify(header), shorter.subarray(0, at)));
    expect(new Set(checkpoint.parameters)).toEqual(new Set([-2.5]));
    expect(notes).toHaveLength(1);
  });
});

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
