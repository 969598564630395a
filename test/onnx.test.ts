// The exported ONNX graph: sound in itself, and (full tier) run by ONNX Runtime, token by token and many at once, against our own logits.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPythonRandom } from '../src/base/python-random.js';
import type { Checkpoint } from '../src/checkpoint/checkpoint.js';
import { createEngine } from '../src/engine/create-engine.js';
import { encodeOnnx } from '../src/export/onnx.js';
import { modelConfig } from '../src/model/config.js';
import { initialParameters, parameterTable } from '../src/model/parameters.js';
import { createByteTokenizer } from '../src/tokenizer/byte.js';
import { charTokenizerFrom } from '../src/tokenizer/char.js';
import { ROOT } from './cli.js';
import { describeFullWith } from './needs.js';

function model(choices: object, bytes = false): Checkpoint {
  const tokenizer = bytes ? createByteTokenizer() : charTokenizerFrom(['abcdefghij'], 'last');
  const config = modelConfig({ nEmbd: 24, nHead: 3, nLayer: 2, blockSize: 12, ...choices, vocabSize: tokenizer.size });
  const random = createPythonRandom(11);
  const parameters = initialParameters(parameterTable(config), { std: 0.15, residualStd: 0.15 }, random.gauss);
  for (const p of parameterTable(config).list) {
    if (p.kind === 'bias') for (let i = 0; i < p.size; i++) parameters[p.offset + i] = random.gauss(0, 0.3);
  }
  return { config, tokenizer, parameters: parameters.map(Math.fround) };
}

const MODELS: Record<string, Checkpoint> = {
  canonical: model({}),
  'squared relu, layernorm, final norm': model({ activation: 'relu2', norm: 'layernorm', finalNorm: true }),
  'C++ trainer': model(
    { nHead: 1, activation: 'gelu', norm: 'layernorm', bias: true, embedNorm: false, finalNorm: true },
    true,
  ),
};

/** The fields of a protobuf message: number → values, as whole numbers or bytes. */
function fields(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const out = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    let value: number | Uint8Array;
    if (key % 8 === 0) value = varint();
    else {
      const length = key % 8 === 5 ? 4 : varint();
      value = bytes.subarray(at, at + length);
      at += length;
    }
    out.set(field, [...(out.get(field) ?? []), value]);
  }
  expect(at).toBe(bytes.length);
  return out;
}
const messages = (from: Map<number, (number | Uint8Array)[]>, field: number) =>
  (from.get(field) ?? []).map((x) => x as Uint8Array);
const texts = (from: Map<number, (number | Uint8Array)[]>, field: number) =>
  messages(from, field).map((x) => new TextDecoder().decode(x));

test.each(Object.keys(MODELS))('%s: every value is made once, before it is used; weights fill their shapes', (name) => {
  const checkpoint = MODELS[name];
  const file = encodeOnnx(checkpoint);
  expect(encodeOnnx(checkpoint)).toEqual(file);
  const whole = fields(file);
  const graph = fields(messages(whole, 7)[0]);
  const constants = messages(graph, 5).map(fields);
  const made = new Set<string>();
  const make = (value: string) => {
    expect(made.has(value), value).toBe(false);
    made.add(value);
  };
  for (const constant of constants) {
    make(texts(constant, 8)[0]);
    const size = ((constant.get(1) ?? []) as number[]).reduce((a, b) => a * b, 1);
    expect(messages(constant, 9)[0].length).toBe(size * (constant.get(2)![0] === 7 ? 8 : 4));
  }
  for (const input of messages(graph, 11).map(fields)) make(texts(input, 1)[0]);
  for (const node of messages(graph, 1).map(fields)) {
    for (const input of texts(node, 1)) expect(made.has(input), input).toBe(true);
    texts(node, 2).forEach(make);
  }
  const outputs = messages(graph, 12).map((output) => texts(fields(output), 1)[0]);
  expect(outputs).toEqual(['logits', 'present_key_0', 'present_value_0', 'present_key_1', 'present_value_1']);
  for (const output of outputs) expect(made.has(output)).toBe(true);
  const weights = constants.filter((constant) => constant.get(2)![0] === 1 && texts(constant, 8)[0].match(/^(w|l)/));
  const count = weights.reduce((sum, constant) => sum + messages(constant, 9)[0].length / 4, 0);
  expect(count).toBe(checkpoint.parameters.length);
  const metadata = messages(whole, 14).map(fields);
  expect(metadata.map((entry) => texts(entry, 1)[0])).toEqual(['config', 'tokenizer']);
});

/** As much of onnxruntime-node as is used here: it is installed for the full tier only. */
interface Runtime {
  readonly InferenceSession: { create(file: Uint8Array): Promise<Session> };
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array, dims: readonly number[]) => Tensor;
}
interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
interface Session {
  run(feeds: { readonly [name: string]: Tensor }): Promise<{ readonly [name: string]: Tensor }>;
}

const FOLDER = join(ROOT, 'test/onnx/node_modules/onnxruntime-node');

const missing = existsSync(FOLDER) ? null : `there is no ${FOLDER}: npm ci in test/onnx`;

describeFullWith(missing, 'ONNX Runtime', () => {
  test.each(Object.keys(MODELS))(
    '%s: the logits of 100 prompts within 1e-5, at once, in parts, and side by side',
    async (name) => {
      const { InferenceSession, Tensor } = createRequire(import.meta.url)(FOLDER) as Runtime;
      const { config, parameters } = MODELS[name];
      const { nLayer, nHead: H, nEmbd, vocabSize: V, blockSize: N } = config;
      const session = await InferenceSession.create(encodeOnnx(MODELS[name]));
      const D = nEmbd / H;

      const empty = (batch: number) => {
        const past: Record<string, Tensor> = {};
        for (let i = 0; i < nLayer; i++) {
          for (const part of ['key', 'value'])
            past[`past_${part}_${i}`] = new Tensor('float32', new Float32Array(0), [batch, H, 0, D]);
        }
        return past;
      };
      const read = async (tokens: readonly (readonly number[])[], past: Record<string, Tensor>) => {
        const ids = new Tensor('int64', BigInt64Array.from(tokens.flat().map(BigInt)), [
          tokens.length,
          tokens[0].length,
        ]);
        const out = await session.run({ tokens: ids, ...past });
        const next = Object.fromEntries(
          Object.keys(past).map((key) => [key, out[key.replace('past', 'present')]]),
        ) as Record<string, Tensor>;
        return { logits: out['logits'].data, next };
      };

      const engine = createEngine('reference', config, parameters);
      const decoder = engine.decoder();
      const random = createPythonRandom(77);
      let worst = 0;
      const compare = (ours: Float64Array, theirs: Float32Array) => {
        for (let i = 0; i < theirs.length; i++) worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
      };
      for (let prompt = 0; prompt < 100; prompt++) {
        const length = 1 + Math.floor(random.random() * N);
        const tokens = Array.from({ length }, () => Math.floor(random.random() * V));
        decoder.restart(0);
        const ours = decoder.read(tokens, new Array(length).fill(0)).slice(0, length * V);
        const [first, second] = [tokens, tokens.map((t) => (t + 1) % V)];
        const together = await read([first, second], empty(2));
        compare(ours, together.logits.subarray(0, length * V));
        // Cut somewhere, the second part goes on from the first.
        const cut = 1 + Math.floor(random.random() * (length - 1));
        const start = await read([tokens.slice(0, cut)], empty(1));
        compare(ours.subarray(0, cut * V), start.logits);
        if (cut < length) compare(ours.subarray(cut * V), (await read([tokens.slice(cut)], start.next)).logits);
      }
      engine.close();
      expect(worst).toBeGreaterThan(0);
      expect(worst).toBeLessThan(1e-5);
    },
  );
});
