// Every format: files of the other systems are read, give their numbers, and are written again byte for byte; round trips between formats.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Json, type JsonObject, parseJson } from '../src/base/json.js';
import { createPythonRandom } from '../src/base/python-random.js';
import type { Checkpoint, FormatName } from '../src/checkpoint/checkpoint.js';
import { decodeModel } from '../src/checkpoint/decode.js';
import { encodeModel, FORMAT_TABLE, formatCalled, formatForPath } from '../src/checkpoint/formats.js';
import { encodePrefix } from '../src/checkpoint/prefix.js';
import { encodeWeightsMeta } from '../src/checkpoint/weights-meta.js';
import { createEngine } from '../src/engine/create-engine.js';
import { type ModelConfig, modelConfig } from '../src/model/config.js';
import { initialParameters, parameterTable } from '../src/model/parameters.js';
import { createByteTokenizer } from '../src/tokenizer/byte.js';
import { charTokenizerFrom } from '../src/tokenizer/char.js';
import type { Tokenizer } from '../src/tokenizer/tokenizer.js';
import { tokenizerToJson } from '../src/tokenizer/tokenizer-json.js';
import { goldenText, largestDifference } from './golden.js';
import { codeOf } from './refusals.js';

const fixture = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`./fixtures/${path}`, import.meta.url)));
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bits = (numbers: Float64Array) => new BigUint64Array(numbers.slice().buffer);

/** Logits after the last of some tokens. */
function logitsAfter(model: Checkpoint, tokens: readonly number[], backend: 'reference' | 'wasm'): Float64Array {
  const engine = createEngine(backend, model.config, model.parameters);
  try {
    const V = model.config.vocabSize;
    const all = engine.decoder().read(tokens, new Array(tokens.length).fill(0)); // [tokens, V], and more rows that mean nothing
    return all.slice((tokens.length - 1) * V, tokens.length * V);
  } finally {
    engine.close();
  }
}

describe('the pair of the C++ trainer', () => {
  const names = ['init_d16_l2', 'ckpt_d16_l2_step20', 'ckpt_d16_l2_step20_noopt', 'ckpt_d16_l2_step40'];
  const read = (name: string) =>
    decodeModel(fixture(`prefix-bin/${name}.json`), `${name}.json`, { partner: fixture(`prefix-bin/${name}.bin`) });

  test.each(names)('%s: read, and written again byte for byte, from either half', (name) => {
    const { checkpoint, format, notes } = read(name);
    expect([format, notes]).toEqual(['prefix .json + .bin', []]);
    const { json, bin } = encodePrefix(checkpoint);
    expect(json).toBe(text(fixture(`prefix-bin/${name}.json`)));
    expect(Buffer.compare(bin, fixture(`prefix-bin/${name}.bin`))).toBe(0);
    const turned = decodeModel(bin, `${name}.bin`, { partner: fixture(`prefix-bin/${name}.json`) });
    expect(turned.checkpoint.parameters).toEqual(checkpoint.parameters);
  });

  test('what they hold', () => {
    expect(read('ckpt_d16_l2_step40').checkpoint).toMatchObject({
      config: { nEmbd: 16, nHead: 1, nLayer: 2, blockSize: 16, vocabSize: 256, norm: 'layernorm', activation: 'gelu' },
      optimizer: { step: 40, learningRate: Math.fround(0.003), weightDecay: Math.fround(0.01) },
    });
    expect(read('ckpt_d16_l2_step20_noopt').checkpoint.optimizer).toMatchObject({ step: 20, moments: null });
    expect(read('init_d16_l2').checkpoint.optimizer).toMatchObject({ step: 0, moments: null });
  });

  test.each(['init_d16_l2', 'ckpt_d16_l2_step20'])(
    '%s: the logits that an independent float32 forward pass gave',
    (name) => {
      const { context_bytes, last_logits } = JSON.parse(text(fixture('prefix-bin/expected_logits_numpy_f32.json')))[
        name
      ];
      const { checkpoint } = read(name);
      for (const backend of ['reference', 'wasm'] as const) {
        expect(largestDifference(logitsAfter(checkpoint, context_bytes, backend), last_logits)).toBeLessThan(3e-6);
      }
    },
  );

  test('a run that went on without its moments: steps of the run and of Adam are told apart', () => {
    const { checkpoint } = read('ckpt_d16_l2_step40');
    const later = { ...checkpoint, optimizer: { ...checkpoint.optimizer!, step: 20 }, run: { step: 40 } };
    const { json, bin } = encodePrefix(later);
    expect(JSON.parse(json).step).toBe(40);
    const again = decodeModel(bin, 'x.bin', { partner: new TextEncoder().encode(json) }).checkpoint;
    expect(again).toMatchObject({ optimizer: { step: 20 }, run: { step: 40 } });
  });

  test('the settings are written as C writes them: %.12e of a float32, ties to even', () => {
    const { checkpoint } = read('init_d16_l2');
    const written = (learningRate: number) =>
      /"lr": (.+),/.exec(
        encodePrefix({ ...checkpoint, optimizer: { ...checkpoint.optimizer!, learningRate } }).json,
      )![1];
    const cases: [number, string][] = [
      [3e-4, '3.000000142492e-04'],
      [1 + 2 ** -13, '1.000122070312e+00'],
      [1 + 3 * 2 ** -13, '1.000366210938e+00'],
      [0, '0.000000000000e+00'],
      [-0, '-0.000000000000e+00'],
      [1e-40, '9.999946101115e-41'],
      [3.4e38, '3.399999952144e+38'],
    ];
    for (const [x, expected] of cases) expect(written(x)).toBe(expected);
  });

  test('other architectures are refused, and all that differs is named', () => {
    const model = some({ nEmbd: 4, nHead: 2 }, charTokenizerFrom(['ab'], 'last'));
    expect(() => encodePrefix(model)).toThrow(
      /only models whose tokens are bytes; .* 2 characters and 1 special token$/,
    );
    expect(() => encodePrefix(some({ nEmbd: 4, nHead: 2, finalNorm: true }, createByteTokenizer('chat')))).toThrow(
      /the bytes and 4 special tokens$/,
    );
    expect(codeOf(() => encodePrefix(model))).toBe('MG_CKPT_FORMAT');
    const { checkpoint } = read('init_d16_l2');
    const twoHeads = {
      ...checkpoint,
      config: modelConfig({ ...checkpoint.config, nHead: 2, norm: 'rmsnorm' as const }),
    };
    expect(() => encodePrefix(twoHeads)).toThrow(/holds models with 1 head, layernorm; this one has 2 heads, rmsnorm$/);
    expect(codeOf(() => encodePrefix({ ...checkpoint, parameters: checkpoint.parameters.with(0, 1e39) }))).toBe(
      'MG_CKPT_FORMAT',
    );
  });
});

describe('the pair of the Rust system', () => {
  const path = (name: string) => `weights-meta/names-model/${name}.json`;
  const read = (weights = 'weights') =>
    decodeModel(fixture(path('meta')), 'meta.json', { partner: fixture(path(weights)) });

  test('gives the logits that it computed', () => {
    const { checkpoint, format, notes } = read();
    expect([format, notes.length]).toEqual(['weights.json + meta.json', 1]);
    const { forward_tokens, forward_logits } = JSON.parse(text(fixture(path('expected'))));
    forward_logits.forEach((expected: number[], i: number) => {
      const logits = logitsAfter(checkpoint, forward_tokens.slice(0, i + 1), 'reference');
      expect(largestDifference(logits, expected)).toBeLessThan(1e-12);
    });
  });

  test.each(['weights', 'init_weights'])(
    '%s: every float is written again as it was, and meta.json byte for byte',
    (name) => {
      const { weights, meta } = encodeWeightsMeta(read(name).checkpoint);
      expect(meta).toBe(text(fixture(path('meta'))));
      const theirs = text(fixture(path(name)));
      const matrices = (file: string) =>
        file
          .slice(1, -1)
          .split(/,(?=")/)
          .sort(); // theirs come in any order
      expect(matrices(weights)).toEqual(matrices(theirs));
    },
  );

  test('a chat model: user, assistant, end of turn and BOS after the characters', () => {
    const model = some({ nEmbd: 4, nHead: 1 }, charTokenizerFrom(['hi'], 'chat'));
    const { weights, meta } = encodeWeightsMeta(model);
    expect(JSON.parse(meta)).toMatchObject({
      chars: ['h', 'i'],
      special_tokens: ['user', 'assistant', 'end_turn'],
      vocab_size: 6,
    });
    const utf8 = new TextEncoder();
    const again = decodeModel(utf8.encode(weights), 'weights.json', { partner: utf8.encode(meta) }).checkpoint;
    expect(again.tokenizer).toMatchObject({ bos: 5, roles: { user: 2, assistant: 3, end: 4 } });
  });
});

function some(choices: object, tokenizer: Tokenizer): Checkpoint {
  const config: ModelConfig = modelConfig({ nEmbd: 4, blockSize: 3, nHead: 2, ...choices, vocabSize: tokenizer.size });
  const parameters = initialParameters(
    parameterTable(config),
    { std: 0.3, residualStd: 1e-7 },
    createPythonRandom(5).gauss,
  );
  return { config, tokenizer, parameters: parameters.map(Math.fround).fill(-0, 0, 2) };
}

describe('round trips', () => {
  const cpp = { nHead: 1, norm: 'layernorm', activation: 'gelu', bias: true, embedNorm: false, finalNorm: true };
  const models: Record<string, Checkpoint> = {
    canonical: some({}, charTokenizerFrom(['aé𝔸"'], 'last')),
    'squared relu, BOS first': some({ activation: 'relu2', nLayer: 2 }, charTokenizerFrom(['aé\u2028\\'], 'first')),
    'all markers': some({ ...cpp, nLayer: 2 }, charTokenizerFrom(['xyz'], 'last')),
    chat: some({}, charTokenizerFrom(['abc'], 'chat')),
    bytes: some({ ...cpp, nLayer: 2 }, createByteTokenizer()),
    'bytes, chat': some({}, createByteTokenizer('chat')),
    'f64 weights': (() => {
      const model = some({}, charTokenizerFrom(['abc'], 'last'));
      return { ...model, parameters: model.parameters.map((x) => x / 3) };
    })(),
  };
  const formats = Object.keys(FORMAT_TABLE) as FormatName[];
  const through = (model: Checkpoint, format: FormatName): Checkpoint => {
    const { files } = encodeModel(model, format, 'model');
    const [first, second] = files;
    return decodeModel(first.bytes, first.path, { partner: second?.bytes }).checkpoint;
  };
  const holds = (model: Checkpoint, format: FormatName) => codeOf(() => encodeModel(model, format, 'model')) === 'none';

  test('which model goes into which format', () => {
    const table = Object.entries(models).map(([name, model]) => [
      name,
      formats.filter((format) => holds(model, format)).map((format) => FORMAT_TABLE[format].word),
    ]);
    expect(Object.fromEntries(table)).toEqual({
      canonical: ['nested', 'flat', 'safetensors', 'weights-meta'],
      'squared relu, BOS first': ['nested', 'safetensors'],
      'all markers': ['nested', 'flat', 'safetensors', 'weights-meta'],
      chat: ['safetensors', 'weights-meta'],
      bytes: ['safetensors', 'prefix .json + .bin'].map((name) => name.replace(' .json + .bin', '')),
      'bytes, chat': ['safetensors'],
      'f64 weights': ['nested', 'flat', 'safetensors', 'weights-meta'],
    });
    for (const model of Object.values(models)) {
      for (const format of formats.filter((name) => !holds(model, name))) {
        expect(codeOf(() => encodeModel(model, format, 'model'))).toBe('MG_CKPT_FORMAT');
      }
    }
  });

  test.each(Object.keys(models))(
    '%s: through every pair of formats that hold it, the same model to the bit',
    (name) => {
      const model = models[name];
      const able = formats.filter((format) => holds(model, format));
      for (const a of able) {
        for (const b of able) {
          const again = through(through(model, a), b);
          expect(again.config, `${a} → ${b}`).toEqual(model.config);
          expect(tokenizerToJson(again.tokenizer)).toEqual(tokenizerToJson(model.tokenizer));
          expect(bits(again.parameters)).toEqual(bits(model.parameters));
        }
      }
    },
  );

  test('what is lost is said, exactly', () => {
    const model: Checkpoint = {
      ...models['bytes'],
      optimizer: {
        step: 1234,
        learningRate: 1,
        beta1: 0,
        beta2: 0,
        eps: 0,
        weightDecay: 0,
        moments: { m: models['bytes'].parameters.with(0, 0.1), v: models['bytes'].parameters },
      },
      run: { seed: 1 },
    };
    const lost = (checkpoint: Checkpoint, format: FormatName, precision?: 'half') =>
      encodeModel(checkpoint, format, 'x', { precision }).lost;
    expect(lost(model, 'safetensors')).toEqual([]);
    expect(lost(model, 'safetensors', 'half')).toEqual([expect.stringContaining('moments')]);
    const cppLost = [
      'what it knows about its run',
      expect.stringMatching(/^1 of [\d,]+ means m rounded to float32, by 1\.5e-9 at most$/),
    ];
    expect(lost(model, 'prefix .json + .bin')).toEqual(cppLost);
    const { optimizer, run } = model;
    expect(lost({ ...models['canonical'], optimizer, run }, 'nested model.json')).toEqual([
      'the optimizer after 1,234 steps',
      'what it knows about its run',
      expect.stringContaining('activation relu'),
    ]);
    for (const format of ['flat model.json', 'weights.json + meta.json'] as const) {
      expect(lost({ ...models['canonical'], optimizer, run }, format).slice(0, 2)).toEqual([
        'the optimizer after 1,234 steps',
        'what it knows about its run',
      ]);
    }
    expect(lost(models['squared relu, BOS first'], 'nested model.json')).toEqual([]);
    // Whatever is not there any more after a way through another format has been said, and nothing else.
    for (const [name, whole] of Object.entries(models)) {
      const full = {
        ...whole,
        optimizer: { ...optimizer!, moments: { m: whole.parameters, v: whole.parameters } },
        run,
      };
      for (const format of formats.filter((one) => holds(full, one))) {
        const said = lost(full, format).join();
        const again = through(full, format);
        expect(said.includes('the optimizer'), `${name} → ${format}`).toBe(again.optimizer === undefined);
        expect(said.includes('its run'), `${name} → ${format}`).toBe(again.run?.['seed'] === undefined);
      }
    }
    expect(codeOf(() => lost(model, 'prefix .json + .bin', 'half'))).toBe('MG_CKPT_FORMAT');
  });
});

test('the format that a path asks for', () => {
  const cases: [string, boolean, FormatName][] = [
    ['a/model.json', false, 'nested model.json'],
    ['model.safetensors', false, 'safetensors'],
    ['out/', false, 'weights.json + meta.json'],
    ['out', true, 'weights.json + meta.json'],
    ['out', false, 'prefix .json + .bin'],
    ['ckpt.v1', false, 'prefix .json + .bin'],
    ['ckpt.bin', false, 'prefix .json + .bin'],
  ];
  for (const [path, isFolder, format] of cases) expect(formatForPath(path, isFolder)).toBe(format);
  for (const path of ['m.gguf', 'm.pt', 'm.onnx', 'm.html']) {
    expect(codeOf(() => formatForPath(path, false))).toBe('MG_CKPT_FORMAT');
  }
  expect(formatCalled('flat')).toBe('flat model.json');
});

test('a weight that is not finite is written by no format', () => {
  const canonical = some({}, charTokenizerFrom(['ab'], 'last'));
  const broken = { ...canonical, parameters: canonical.parameters.with(3, Number.NaN) };
  for (const format of ['nested model.json', 'flat model.json', 'safetensors', 'weights.json + meta.json'] as const) {
    expect(codeOf(() => encodeModel(broken, format, 'x'))).toBe('MG_CKPT_NONFINITE');
  }
});

test('JSON with keys in any order is the same model', () => {
  const reversed = (value: Json): Json => {
    if (!(value instanceof Map)) return value;
    return new Map([...(value as JsonObject)].reverse().map(([name, x]) => [name, reversed(x)]));
  };
  const dump = (value: Json): string => {
    if (value instanceof Map) {
      return `{${[...(value as JsonObject)].map(([name, x]) => `${JSON.stringify(name)}:${dump(x)}`).join(',')}}`;
    }
    return Array.isArray(value)
      ? `[${value.map(dump).join(',')}]`
      : Object.is(value, -0)
        ? '-0'
        : JSON.stringify(value);
  };
  const utf8 = new TextEncoder();
  for (const name of ['persistence/model.json', 'scenario-names/model.json']) {
    const original = goldenText(name);
    const turned = dump(reversed(parseJson(original, name, 'MG_CKPT_JSON')));
    expect(turned).not.toBe(original);
    expect(decodeModel(utf8.encode(turned), name).checkpoint.parameters).toEqual(
      decodeModel(utf8.encode(original), name).checkpoint.parameters,
    );
  }
});
