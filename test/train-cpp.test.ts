// microgpt train --compat cpp against the recorded session of the C++ trainer (test/fixtures/prefix-bin/transcript.txt).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeModel } from '../src/checkpoint/decode.js';
import { parameterTable } from '../src/model/parameters.js';
import { microgpt, ROOT, temporaryFolder } from './cli.js';
import { corpusTest } from './corpora.js';

const FIXTURES = join(ROOT, 'test/fixtures/prefix-bin');
const STEP20 = join(FIXTURES, 'ckpt_d16_l2_step20');
const NAMES = join(ROOT, 'datasets/names.txt');
const transcript = readFileSync(join(FIXTURES, 'transcript.txt'), 'latin1');

const train = (args: string[], cwd: string) => microgpt(['train', '--compat', 'cpp', ...args], { cwd });

/** What the recorded session shows for a command, without times, which no two runs share. */
function recorded(command: string): string {
  const at = transcript.indexOf(`$ train_gpt ${command}\n`);
  expect(at, command).toBeGreaterThanOrEqual(0);
  return timeless(transcript.slice(transcript.indexOf('\n', at) + 1, transcript.indexOf('[exit 0]', at)));
}
const timeless = (text: string) => text.replace(/time=\S+s/g, 'time');

/** Lines with numbers, printed with six digits: the last may differ by one. */
function expectSameLines(ours: string, theirs: string): void {
  const words = (text: string) => text.trimEnd().split(/\s+|(?<==)/);
  expect(words(ours)).toHaveLength(words(theirs).length);
  words(theirs).forEach((word, i) => {
    if (/^\d+\.\d+$/.test(word)) expect(Math.abs(Number(words(ours)[i]) - Number(word)), word).toBeLessThan(1.5e-5);
    else expect(words(ours)[i]).toBe(word);
  });
}

corpusTest('goes on from step 20: the printed losses, and weights within 1e-5', 'the-verdict.txt', async (data) => {
  const cwd = temporaryFolder();
  const args = ['--data', data, '--steps', '20', '--batch', '4', '--seq', '16', '--seed', '1'];
  const run = await train(['--load', STEP20, ...args, '--save', 'ckpt_d16_l2_step40'], cwd);
  expect(run.code, run.stderr).toBe(0);
  const command = `--load ckpt_d16_l2_step20 --data the-verdict.txt ${args.slice(2).join(' ')} --save ckpt_d16_l2_step40`;
  expectSameLines(timeless(run.stdout).replace(STEP20, 'ckpt_d16_l2_step20'), recorded(command));
  expect(readFileSync(join(cwd, 'ckpt_d16_l2_step40.json'), 'utf8')).toBe(
    readFileSync(join(FIXTURES, 'ckpt_d16_l2_step40.json'), 'utf8'),
  );
  const weights = (folder: string) => {
    const [json, bin] = ['json', 'bin'].map(
      (end) => new Uint8Array(readFileSync(join(folder, `ckpt_d16_l2_step40.${end}`))),
    );
    const { config, parameters } = decodeModel(json, 'x.json', { partner: bin }).checkpoint;
    // The key third of b_qkv moves all scores of a row alike: its gradient is nothing but rounding.
    for (const p of parameterTable(config).list)
      if (p.name.endsWith('attn_bk')) parameters.fill(0, p.offset, p.offset + p.size);
    return parameters;
  };
  const theirs = weights(FIXTURES);
  expect(weights(cwd).every((x, i) => Math.abs(x - theirs[i]) < 1e-5)).toBe(true);
  // From the first step on, untrained weights drawn as there.
  const first = await train([...args, '--dmodel', '16', '--layers', '2', '--lr', '0.003', '--save', 'fresh'], cwd);
  const from = `--data the-verdict.txt --steps 20 --batch 4 --seq 16 --dmodel 16 --layers 2 --lr 0.003 --seed 1 --save ckpt_d16_l2_step20`;
  expectSameLines(timeless(first.stdout).replace("'fresh'", "'ckpt_d16_l2_step20'"), recorded(from));
  // Control: another seed draws other windows.
  const other = await train(['--load', STEP20, ...args.with(-1, '2'), '--save', 'other'], cwd);
  expect(other.stdout).not.toContain('loss=4.18971');
});

corpusTest('its default run of 200 steps, and what it then says', 'the-verdict.txt', async (data) => {
  const cwd = temporaryFolder();
  const sizes = ['--steps', '200', '--batch', '4', '--seq', '64', '--dmodel', '64', '--layers', '1', '--seed', '1'];
  const run = await train(['--data', data, ...sizes, '--save', 'ckpt_default_step200'], cwd);
  expectSameLines(
    timeless(run.stdout),
    recorded(`--data the-verdict.txt ${sizes.join(' ')} --save ckpt_default_step200`),
  );
  const says = async (command: string, args: string[]) => {
    const { stdout } = await microgpt([...args, '--load', 'ckpt_default_step200'], { cwd });
    expectSameLines(stdout, recorded(command).replace(/^loaded checkpoint .*\n/, ''));
  };
  const generate = ['generate', '--compat', 'cpp', '--prompt', 'I HAD ', '--gen'];
  const load = '--load ckpt_default_step200';
  await says(`${load} --steps 0 --prompt I HAD  --gen 40 --topk 1 --escape-bytes 1`, [
    ...generate,
    ...['40', '--topk', '1', '--escape-bytes', '1'],
  ]);
  await says(`${load} --steps 0 --prompt I HAD  --gen 3 --print-next-top 5 --print-next-top-each-step 1`, [
    ...generate,
    ...['3', '--print-next-top', '5', '--print-next-top-each-step', '1'],
  ]);
  const random = '--sanity-next-from-data 5 --sanity-ctx 64 --sanity-top 10';
  await says(`--data the-verdict.txt --steps 0 ${load} ${random}`, ['eval', data, ...random.split(' ')]);
  const offset = '--sanity-offset 0 --sanity-ctx 64 --sanity-preview 120 --sanity-top 10 --escape-bytes 0';
  await says(`--data the-verdict.txt --steps 0 ${load} ${offset}`, ['eval', data, ...offset.split(' ')]);
});

test('without steps: saves with or without the optimizer, byte for byte, and generates', async () => {
  const cwd = temporaryFolder();
  const saved = await train(['--load', STEP20, '--steps', '0', '--save-opt', '0', '--save', 'noopt'], cwd);
  expect(saved.stdout).toBe(`loaded checkpoint '${STEP20}' at step 20\nsaved checkpoint 'noopt' at step 20\n`);
  for (const end of ['.json', '.bin'])
    expect(readFileSync(join(cwd, `noopt${end}`)).equals(readFileSync(`${STEP20}_noopt${end}`))).toBe(true);
  const args = ['--steps', '0', '--prompt', 'The ', '--gen', '60', '--temp', '0.8', '--escape-bytes', '1'];
  const { stdout } = await train(['--load', STEP20, ...args], cwd);
  expect(stdout.replace(STEP20, 'ckpt_d16_l2_step20')).toBe(
    recorded('--load ckpt_d16_l2_step20 --steps 0 --prompt The  --gen 60 --temp 0.8 --escape-bytes 1'),
  );
  const top = await train(
    ['--load', STEP20, ...args, '--print-next-top', '2', '--ascii-only', '1', '--topk', '3'],
    cwd,
  );
  expect(top.stdout).toMatch(/The \nTop-2 next tokens .*\n {2}1\) id=.*\n {2}2\) id=.*\n[\t\n\r -~]+$/);
});

test('Ctrl-C saves the steps that are done', async () => {
  const cwd = temporaryFolder();
  const args = [
    '--data',
    NAMES,
    '--steps',
    '10000000',
    '--dmodel',
    '8',
    '--seq',
    '8',
    '--batch',
    '1',
    '--save',
    'x.safetensors',
  ];
  let begun = false;
  const run = await microgpt(['train', '--compat', 'cpp', ...args, '--lr', '0.01', '--load', STEP20], {
    cwd,
    onStdout: (text, kill) => {
      if (begun || !text.includes('step 21 ')) return;
      begun = true;
      kill('SIGINT');
    },
  });
  expect(run.code).toBe(130);
  const [, step] = /saved checkpoint 'x.safetensors' at step (\d+) \(with optimizer state\)\n$/.exec(run.stdout) ?? [];
  expect(Number(step)).toBeGreaterThan(20);
  expect(Number(step)).toBeLessThan(10_000_020);
  expect(existsSync(join(cwd, 'x.safetensors'))).toBe(true);
});

test.each<[number, string, string[]]>([
  [2, 'MG_CLI_USAGE', ['--compat', 'cpp', '--steps', '5']],
  [2, 'MG_CLI_USAGE', ['--compat', 'cpp', '--data', NAMES, '--schedule', 'linear']],
  [2, 'MG_CLI_USAGE', ['--compat', 'cpp', 'names']],
  [2, 'MG_CLI_USAGE', ['names', '--save-opt', '0']],
  [2, 'MG_CLI_USAGE', ['names', '--escape-bytes', '1']],
  [2, 'MG_CLI_VALUE', ['names', '--steps', '0']],
  [2, 'MG_CLI_VALUE', ['--compat', 'python', 'names']],
  [2, 'MG_CKPT_FORMAT', ['--compat', 'cpp', '--data', NAMES, '--save', 'x.json']],
  [3, 'MG_DATA_TOO_SMALL', ['--compat', 'cpp', '--data', join(FIXTURES, 'init_d16_l2.json'), '--save', 'x']],
  [3, 'MG_FILE_MISSING', ['--compat', 'cpp', '--load', 'nosuch', '--steps', '0']],
])('exit %i, %s: train %j, and nothing written', async (code, name, args) => {
  const cwd = temporaryFolder();
  const outcome = await microgpt(['train', ...args], { cwd });
  expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(`error ${name}: `) });
  expect(readdirSync(cwd)).toEqual([]);
});
