// Our safetensors files: what is written is read again to the bit, in fewer bits too, and other programs can read it.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { codeOf } from '../../test/refusals.js';
import { dissect, expectSame, joined, rebuilt, whole } from '../../test/whole-checkpoint.js';
import { modelConfig } from '../model/config.js';
import { parameterTable } from '../model/parameters.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import type { Checkpoint } from './checkpoint.js';
import { decodeModel } from './decode.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';

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
