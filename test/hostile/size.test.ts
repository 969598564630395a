// Files of 100 MB: how long they take, and how much memory, whether they are sound or not. Measured in a process of its own.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodePrefix } from '../../src/checkpoint/prefix.js';
import { type Checkpoint, encodeNestedJson, encodeSafetensors, modelConfig, parameterTable } from '../../src/index.js';
import { createByteTokenizer } from '../../src/tokenizer/byte.js';
import { charTokenizerFrom } from '../../src/tokenizer/char.js';
import { ROOT, runCommand, temporaryFolder } from '../cli.js';
import { describeFull } from '../needs.js';

/**
 * Decodes the files in its arguments; how many times the processor time of reading 100 MB byte by byte that takes, which hardly depends on the
 * machine, and the bytes beyond those of the file that the process had at its peak.
 */
const script = `
  import { readFileSync } from 'node:fs';
  const { decodeModel } = await import(${JSON.stringify(join(ROOT, 'dist/checkpoint/decode.js'))});
  const [first, second] = process.argv.slice(1).map((path) => new Uint8Array(readFileSync(path)));
  const used = () => process.cpuUsage().user + process.cpuUsage().system;
  let [sum, begun] = [0, used()];
  for (let again = 0; again < 100; again++) for (let i = 0; i < 1e6; i++) sum += first[i % first.length];
  const yardstick = used() - begun;
  const [start, before] = [used(), process.resourceUsage().maxRSS];
  let code = 'none', parameters = 0;
  try {
    parameters = decodeModel(first, 'model', { partner: second }).checkpoint.parameters.length;
  } catch (error) {
    code = error.code;
  }
  const times = (used() - start) / yardstick;
  console.log(JSON.stringify({ code, parameters, times, sum, ms: yardstick / 1000, extra: (process.resourceUsage().maxRSS - before) * 1024 }));`;

async function measure(...files: readonly Uint8Array[]) {
  const cwd = temporaryFolder();
  const paths = files.map((file, i) => {
    writeFileSync(join(cwd, `${i}`), file);
    return join(cwd, `${i}`);
  });
  const { stdout, stderr } = await runCommand(process.execPath, ['--input-type=module', '-e', script, ...paths], {
    cwd,
  });
  expect(stderr).toBe('');
  console.log(stdout.trim());
  return JSON.parse(stdout) as { code: string; parameters: number; times: number; extra: number };
}

const MIB = 2 ** 20;
/** 100 MB take a few times the yardstick; what is quadratic in a file, hundreds of times. */
const MOST = 25;
const utf8 = (text: string) => new TextEncoder().encode(text);

function model(nEmbd: number, nLayer: number, cpp = false): Checkpoint {
  const tokenizer = cpp ? createByteTokenizer() : charTokenizerFrom(['abc'], 'last');
  const choices = { norm: 'layernorm', activation: 'gelu', bias: true, embedNorm: false, finalNorm: true } as const;
  const config = modelConfig({ nEmbd, nHead: 1, nLayer, vocabSize: tokenizer.size, ...(cpp ? choices : {}) });
  const parameters = new Float64Array(parameterTable(config).total);
  for (let i = 0; i < parameters.length; i++) parameters[i] = Math.fround(((i * 7919) % 1_000_003) / 1e6 - 0.5);
  return { config, tokenizer, parameters };
}

describeFull('100 MB', () => {
  test('safetensors: 8 bytes per weight beyond the file when sound, nothing when not', async () => {
    const file = encodeSafetensors(model(512, 8));
    expect(file.length).toBeGreaterThan(1e8);
    const sound = await measure(file);
    expect(sound.code).toBe('none');
    expect(sound.times).toBeLessThan(MOST);
    expect(sound.extra).toBeLessThan(8 * sound.parameters + 64 * MIB);
    for (const damaged of [file.subarray(0, -1), file.with(file.length - 1, 0x7f), file.with(5, 1)]) {
      const { code, times, extra } = await measure(damaged);
      expect(code).toMatch(/^MG_CKPT_(TRUNCATED|HASH|HEADER_SIZE)$/);
      expect(times).toBeLessThan(MOST);
      expect(extra).toBeLessThan(64 * MIB);
    }
  });

  test('prefix .json + .bin: the same', async () => {
    const { json, bin } = encodePrefix(model(512, 8, true));
    const sound = await measure(utf8(json), bin);
    expect(sound.code).toBe('none');
    expect(sound.times).toBeLessThan(MOST);
    expect(sound.extra).toBeLessThan(8 * sound.parameters + 64 * MIB);
    const broken = bin.slice();
    new DataView(broken.buffer).setFloat32(bin.length - 4, Number.NaN, true);
    const { code, times, extra } = await measure(utf8(json), broken);
    expect(code).toBe('MG_CKPT_NONFINITE');
    expect(times).toBeLessThan(MOST);
    expect(extra).toBeLessThan(64 * MIB);
  });

  test('model.json: its text and its numbers, three times the file', async () => {
    const file = utf8(encodeNestedJson(model(256, 6)));
    expect(file.length).toBeGreaterThan(9e7);
    const sound = await measure(file);
    expect(sound.code).toBe('none');
    expect(sound.times).toBeLessThan(MOST);
    expect(sound.extra).toBeLessThan(3 * file.length);
  });

  test.each<[string, string, () => Uint8Array]>([
    ['10 MB of one number', 'MG_CKPT_UNKNOWN', () => utf8(`{"n_embd": 1${'0'.repeat(1e7)}}`)],
    ['10 MB of brackets', 'MG_CKPT_JSON', () => utf8(`{"a": ${'['.repeat(1e7)}`)],
    ['10 MB of text', 'MG_CKPT_UNKNOWN', () => utf8('x'.repeat(1e7))],
    ['100 MB of zeros', 'MG_CKPT_UNKNOWN', () => new Uint8Array(1e8)],
    [
      'a promise of 8 EB',
      'MG_CKPT_TRUNCATED',
      () => {
        const header = utf8('{"a":{"dtype":"I8","shape":[9007199254740991],"data_offsets":[0,9007199254740991]}}');
        const file = new Uint8Array(8 + header.length);
        file[0] = header.length;
        file.set(header, 8);
        return file;
      },
    ],
  ])('%s: %s', async (_, expected, make) => {
    const file = make();
    const { code, times, extra } = await measure(file);
    expect(code).toBe(expected);
    expect(times).toBeLessThan(MOST);
    expect(extra).toBeLessThan(file.length + 64 * MIB);
  });
});
