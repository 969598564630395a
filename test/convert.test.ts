// microgpt convert and info, as a user runs them.
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { microgpt, ROOT, temporaryFolder } from './cli.js';
import { goldenText } from './golden.js';

const FIXTURES = join(ROOT, 'test/fixtures');

test('a C++ checkpoint to safetensors and back: the same bytes, nothing lost', async () => {
  const cwd = temporaryFolder();
  const from = join(FIXTURES, 'prefix-bin/ckpt_d16_l2_step40');
  const there = await microgpt(['convert', from, 'c.safetensors'], { cwd });
  expect(there).toMatchObject({ code: 0, stdout: '' });
  expect(there.stderr).not.toContain('lost');
  expect((await microgpt(['convert', 'c.safetensors', 'back'], { cwd })).code).toBe(0);
  for (const end of ['.bin', '.json']) {
    expect(Buffer.compare(readFileSync(join(cwd, `back${end}`)), readFileSync(from + end))).toBe(0);
  }
  expect(readdirSync(cwd).sort()).toEqual(['back.bin', 'back.json', 'c.safetensors']);
});

test('between the formats of the Python and Rust systems; what only microgpt reads is said', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'scenario.json'), goldenText('scenario-names/model.json'));
  const run = async (...args: string[]) => {
    const outcome = await microgpt(['convert', ...args], { cwd });
    expect(outcome).toMatchObject({ code: 0, stdout: '' });
    return outcome.stderr;
  };
  expect(await run('scenario.json', 'rust/')).toContain(
    'activation relu2: not read by the other programs that this format is for',
  );
  expect(await run('rust', 'nested.json')).not.toContain('lost');
  await run('nested.json', 'flat.json', '--to', 'flat');
  expect(readFileSync(join(cwd, 'flat.json'), 'utf8')).toBe(goldenText('scenario-names/model.json'));
});

test('rounding says what it costs, and makes files small', async () => {
  const cwd = temporaryFolder();
  cpSync(join(FIXTURES, 'weights-meta/names-model'), join(cwd, 'names'), { recursive: true });
  writeFileSync(join(cwd, 'names.txt'), 'emma\nolivia\nava\n');
  const half = await microgpt(['convert', 'names', 'half.safetensors', '--half'], { cwd });
  expect(half.stderr).toMatch(/loss 2\.\d{4} → 2\.\d{4} \([+-]0\.000\d\) on \d+ tokens of the model’s own samples/);
  const int8 = await microgpt(['convert', 'names', 'int8.safetensors', '--int8', '--data', 'names.txt'], { cwd });
  expect(int8.stderr).toMatch(/loss \d\.\d{4} → \d\.\d{4} \([+-]0\.\d{4}\) on 16 tokens of the data/);
  const size = (name: string) => readFileSync(join(cwd, name)).length;
  expect(size('half.safetensors')).toBeLessThan(10_000);
  expect(size('int8.safetensors')).toBeLessThan(8_000);
  expect((await microgpt(['generate', '-n', '2', '--model', 'int8.safetensors'], { cwd })).code).toBe(0);
});

test('info: format, architecture, parameters, tokenizer, step, and what is missing', async () => {
  const cwd = temporaryFolder();
  const info = async (path: string) => (await microgpt(['info', path], { cwd })).stdout;
  const cpp = await info(join(FIXTURES, 'prefix-bin/ckpt_d16_l2_step20_noopt'));
  expect(cpp).toContain('(prefix .json + .bin)');
  expect(cpp).toMatch(/architecture +2 × 16 wide, 1 head, context 16\n +layernorm, gelu, biases/);
  expect(cpp).toMatch(/parameters +15,136/);
  expect(cpp).toMatch(/tokenizer +byte, 256 tokens, no BOS/);
  expect(cpp).toMatch(/step +20\noptimizer +rate 0\.003, β 0\.9 and 0\.999, ε 1e-8, decay 0\.01; without its moments/);
  expect(cpp).toMatch(/missing +the optimizer's moments/);
  const rust = await info(join(FIXTURES, 'weights-meta/names-model'));
  expect((await microgpt(['info', '--model', join(FIXTURES, 'weights-meta/names-model')], { cwd })).stdout).toBe(rust);
  expect(rust).toMatch(
    /tokenizer +char, 27 tokens, BOS is token 26\ncharacters +a b c .* z <BOS>\nmissing +optimizer and step/,
  );
});

test.each<[number, string, string[]]>([
  [2, 'MG_CLI_USAGE', ['convert', 'model.json']],
  [2, 'MG_CLI_USAGE', ['convert', 'model.json', 'x.safetensors', '--half', '--int8']],
  [2, 'MG_CLI_VALUE', ['convert', 'model.json', 'x.json', '--to', 'gguf']],
  [2, 'MG_CLI_VALUE', ['convert', 'model.json', '']],
  [2, 'MG_CKPT_FORMAT', ['convert', 'model.json', 'x']], // characters into a byte-level format
  [2, 'MG_CKPT_FORMAT', ['convert', 'model.json', 'x.json', '--half']],
  [2, 'MG_CKPT_FORMAT', ['convert', 'model.json', 'x.json', '--to', 'flat']], // BOS first
  [2, 'MG_CKPT_FORMAT', ['convert', 'model.json', 'x.gguf']],
  [3, 'MG_FILE_MISSING', ['convert', 'nowhere.json', 'x.safetensors']],
  [3, 'MG_CKPT_UNKNOWN', ['convert', 'model.pt', 'x.safetensors']],
  [4, 'MG_SAVE_FAILED', ['convert', 'model.json', 'model.json/x.safetensors']],
])('exit %i, %s: microgpt %j, and nothing written', async (code, name, args) => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'model.json'), goldenText('persistence/model.json'));
  writeFileSync(join(cwd, 'model.pt'), 'PK\u0003\u0004');
  const outcome = await microgpt(args, { cwd });
  expect(outcome.code).toBe(code);
  expect(outcome.stderr).toMatch(new RegExp(`error ${name}: .+\n  → .+\n$`));
  expect(readdirSync(cwd).sort()).toEqual(['model.json', 'model.pt']);
});
