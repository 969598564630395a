// A whole checkpoint for the tests of our safetensors files, and such a file taken apart and put together again.
import { expect } from 'vitest';
import { createPythonRandom } from '../src/base/python-random.js';
import type { Checkpoint } from '../src/checkpoint/checkpoint.js';
import { modelConfig } from '../src/model/config.js';
import { initialParameters, parameterTable } from '../src/model/parameters.js';
import { charTokenizerFrom } from '../src/tokenizer/char.js';
import { tokenizerToJson } from '../src/tokenizer/tokenizer-json.js';

/** A whole checkpoint: odd characters, odd numbers, an optimizer and a run. */
export function whole(choices: object = {}): Checkpoint {
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

export const bits = (numbers: Float64Array) => new BigUint64Array(numbers.slice().buffer);

export function expectSame(a: Checkpoint, b: Checkpoint): void {
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
export function dissect(file: Uint8Array) {
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  return { length, header, data: file.subarray(8 + length) };
}

/** A file with another header, and by default without checksums: then what is tested is not only that they differ. */
// biome-ignore lint/suspicious/noExplicitAny: tests damage a file in ways that no type allows
export function rebuilt(file: Uint8Array, change: (header: any) => void, keepSums = false): Uint8Array {
  const { header, data } = dissect(file);
  if (!keepSums) for (const sum of ['sha256', 'sha256_header']) delete header.__metadata__[sum];
  change(header);
  return joined(JSON.stringify(header), data);
}

export function joined(header: string, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + data.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  out.set(data, 8 + json.length);
  return out;
}
