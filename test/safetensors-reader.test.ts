// Files that we write, read by the JavaScript library of those who made safetensors: its header, and the numbers where the header says they lie.
// That library asks for parts of a file by HTTP; here a function answers, and nothing leaves this machine.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeSafetensors } from '../src/checkpoint/safetensors.js';
import { parameterTable } from '../src/model/parameters.js';
import { ROOT } from './cli.js';
import { MODELS } from './hostile/models.js';
import { describeFull } from './needs.js';

/** As much of @huggingface/hub as is used here: it is installed for the full tier only, so its types cannot be counted on. */
interface Hub {
  parseSafetensorsMetadata(file: { repo: string; path: string; fetch: typeof fetch }): Promise<{ header: Header }>;
}
type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> & {
  __metadata__: Record<string, string>;
};

async function headerOf(bytes: Uint8Array): Promise<Header> {
  const hub = join(ROOT, 'test/safetensors/node_modules/@huggingface/hub/dist/index.mjs');
  const { parseSafetensorsMetadata }: Hub = await import(/* @vite-ignore */ hub);
  const answer = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get('range') ?? '') ?? [];
    const part = Uint8Array.from(bytes.subarray(Number(from), Number(to) + 1));
    const headers = { 'Content-Range': `bytes ${from}-${to}/${bytes.length}`, ETag: '"x"' };
    return new Response(part, { status: 206, headers });
  };
  return (await parseSafetensorsMetadata({ repo: 'a/b', path: 'model.safetensors', fetch: answer })).header;
}

/** The numbers of a tensor, read with nothing but what the header says. */
function numbersOf(bytes: Uint8Array, { dtype, data_offsets: [from, to] }: Header[string]): number[] {
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const data = Uint8Array.from(bytes.subarray(start + from, start + to)).buffer;
  if (dtype === 'I8') return [...new Int8Array(data)];
  if (dtype === 'F32') return [...new Float32Array(data)];
  expect(dtype).toBe('F64');
  return [...new Float64Array(data)];
}

describeFull('safetensors by an independent reader', () => {
  test.each(Object.entries(MODELS).map(([name, { model }]) => [name, model] as const))(
    'the model of %s: every tensor, every number',
    async (_, { config, parameters, tokenizer, optimizer }) => {
      // Some tensors of numbers that only 64 bits hold.
      const model = { config, parameters: parameters.with(0, 0.1), tokenizer, ...(optimizer && { optimizer }) };
      const bytes = encodeSafetensors(model);
      const { __metadata__: metadata, ...tensors } = await headerOf(bytes);
      expect(metadata).toMatchObject({ format: 'microgpt', version: '1' });
      const { list } = parameterTable(config);
      const moments = Object.entries(optimizer?.moments ?? {});
      const all = [['', model.parameters] as const, ...moments.map(([m, x]) => [`optimizer.${m}.`, x] as const)];
      for (const [prefix, values] of all) {
        for (const { name, shape, offset, size } of list) {
          expect(tensors[prefix + name].shape, prefix + name).toEqual(shape);
          expect(numbersOf(bytes, tensors[prefix + name])).toEqual([...values.subarray(offset, offset + size)]);
        }
      }
      expect(tensors['wte'].dtype).toBe('F64');
      expect(Object.keys(tensors)).toHaveLength(all.length * list.length);
    },
  );

  test('rounded to 8 bits: a scale for each row', async () => {
    const { model } = MODELS['nested model.json'];
    const bytes = encodeSafetensors(model, { precision: 'int8' });
    const tensors = await headerOf(bytes);
    const { offset, shape } = parameterTable(model.config).list[0]; // [V,C]
    expect(tensors['wte']).toMatchObject({ dtype: 'I8', shape });
    const scales = numbersOf(bytes, tensors['wte.scale']);
    numbersOf(bytes, tensors['wte']).forEach((q, i) => {
      const scale = scales[Math.floor(i / model.config.nEmbd)];
      expect(Math.abs(q * scale - model.parameters[offset + i])).toBeLessThanOrEqual(scale * 0.5001);
    });
  });
});
