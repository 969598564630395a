// What somebody meets who types something wrong: the answer names the way out, in words that can be typed.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { shellWord } from '../src/base/shell-word.js';
import { RECIPES } from '../src/train/recipes.js';
import { microgpt, ROOT, runCommand, temporaryFolder } from './cli.js';
import { testWith } from './needs.js';
import { atTerminal, noTerminal } from './pty.js';

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
const PETS = 'rex\nbella\nmilo\nluna\nrocky\nbruno\nnala\nsimba\n';

/** Nothing on stdout, the exit code, and in what is said the answer. */
async function refused(args: string[], cwd: string, code: number, answer: string | RegExp) {
  const outcome = await microgpt(args, { cwd });
  const said = typeof answer === 'string' ? expect.stringContaining(answer) : expect.stringMatching(answer);
  expect([args, outcome.code, outcome.stdout, outcome.stderr]).toEqual([args, code, '', said]);
  return outcome;
}

test('a mistake is answered with what to type instead', async () => {
  const cwd = temporaryFolder();
  mkdirSync(join(cwd, 'empty'));
  writeFileSync(join(cwd, 'my pets.txt'), PETS);
  writeFileSync(join(cwd, 'notes.txt'), Buffer.from(`\ufeff${PETS}`, 'utf16le'));
  cpSync(join(FIXTURES, 'prefix-bin/init_d16_l2.json'), join(cwd, 'ckpt.json'));
  cpSync(join(FIXTURES, 'prefix-bin/init_d16_l2.bin'), join(cwd, 'ckpt.bin'));
  const answers: readonly (readonly [args: string[], code: number, answer: string])[] = [
    [['train', 'my pets.txt'], 2, "microgpt train --data 'my pets.txt'"],
    [['train', 'nosuch.txt'], 2, 'microgpt train --data FILE'],
    [['generate', '--model', 'nmaes'], 3, 'or name one that comes with microgpt: names or chat'],
    [['generate', '--model', 'empty'], 3, 'the folder empty holds no model'],
    [['novelty', '--model', 'chat'], 2, 'microgpt novelty --samples-from REPLIES --data FILE'],
    [['convert', 'names', 'x.onnx'], 2, 'microgpt export --onnx PATH'],
    [['help', 'trian'], 2, "unknown command 'trian' (Did you mean train?)"],
    [['data', 'inspect'], 2, 'see microgpt data inspect --help'],
    [['data', 'ftech'], 2, 'see microgpt data --help'],
    [['novelty', '--data', 'nosuch'], 3, 'there is no file nosuch'],
    [['novelty', '--data', 'empty'], 3, 'empty is a folder'],
    [['eval', 'notes.txt', '-m', 'names'], 3, 'is UTF-16 text (little-endian), expected UTF-8 text'],
    [['score', 'my pets.txt', '--calibrate', 'notes.txt', '-m', 'names'], 3, 'save it as plain text (UTF-8) first'],
    [['train', 'names', '--init-from', 'ckpt'], 2, 'read the text as bytes too, with --format bytes'],
    [['train', 'chat', '--init-from', 'names'], 2, 'reads texts of characters, and this text would be read as chat'],
    [['train', '--data', 'my pets.txt', '--format', 'bytes', '--init-from', 'names'], 2, 'would be read as bytes'],
  ];
  for (const [args, code, answer] of answers) {
    const outcome = await refused(args, cwd, code, answer);
    expect(outcome.stderr, args.join(' ')).not.toContain('making');
  }
});

test('a flag that changes nothing is said, and one that contradicts another is refused', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), PETS);
  const quick = ['train', '--data', 'pets.txt', '--steps', '2', '-n', '0', '--run', 'r'];
  const answers: readonly (readonly [args: string[], code: number, answer: string])[] = [
    [['train', 'names', '-s', 'chat'], 2, 'the scenario is "names" and --scenario is "chat"'],
    [['info', 'names', '-m', 'chat'], 2, 'the path is "names" and --model is "chat"'],
    [['eval', 'pets.txt', '--data', 'x'], 2, 'the file is "pets.txt" and --data is "x"'],
    [['train', '--data', 'pets.txt', '--chat', '--format', 'lines'], 2, '--chat is --format chat'],
    [['train', 'names', '--allow-changed', 'data'], 2, '--resume'],
    [['train', '--resume', 'r', '--overwrite'], 2, '--overwrite throws it away'],
    [['train', '--compat', 'cpp', '--data', 'pets.txt', '--no-eta'], 2, '--no-eta means nothing there'],
    [['score', 'pets.txt', '--invert'], 2, 'add --threshold'],
    [['eval', 'pets.txt', '--sanity-top', '3'], 2, 'add --sanity-next-from-data N or --sanity-offset BYTE'],
    [['eval', 'pets.txt', '--sanity-offset', '3', '--json'], 2, '--json has no place'],
    [[...quick, '--unknown', 'skip'], 0, '--unknown is not used'],
    [['train', '--resume', 'r', '-o', 'x.json'], 2, 'microgpt convert r x.json'],
    [['convert', 'r', 'y.json', '--data', 'nosuch'], 0, '--data is not used'],
    [['generate', '-n', '1', '-m', 'r', '--repetition-window', '4'], 0, '--repetition-window is not used'],
    [['generate', '-n', '1', '-m', 'r', '-s', 'names'], 0, '--scenario names is not used: --model r says'],
    [['export', '-m', 'r', '--onnx', 'r.onnx', '--half'], 0, '--half is not used'],
    [['novelty', '--samples-from', 'pets.txt', '--data', 'pets.txt', '-n', '5'], 0, '--samples is not used'],
    [['data', 'inspect', 'pets.txt', '--column', '2'], 0, '--column is not used: the text is read as lines'],
  ];
  for (const [args, code, answer] of answers) {
    const outcome = await microgpt(args, { cwd });
    expect([args, outcome.code, outcome.stderr]).toEqual([args, code, expect.stringContaining(answer)]);
  }
  const usual = await microgpt(quick.with(-1, 's'), { cwd });
  expect([usual.code, usual.stderr]).toEqual([0, expect.not.stringContaining('not used')]);
});

test('a model of characters is no pair for the C++ trainer, and what would be one is said without its field names', async () => {
  const cwd = temporaryFolder();
  const refused = await microgpt(['convert', 'names', 'x.bin'], { cwd });
  expect(refused.stderr).toMatch(
    /tokens are bytes; those of this one are 26 characters and 1 special token\n.*\.safetensors/,
  );
  const pair = join(FIXTURES, 'prefix-bin/init_d16_l2');
  writeFileSync(
    join(cwd, 'x.json'),
    readFileSync(`${pair}.json`, 'utf8').replace('"vocab_size": 256', '"vocab_size": 27'),
  );
  cpSync(`${pair}.bin`, join(cwd, 'x.bin'));
  for (const args of [
    ['info', 'x.bin'],
    ['convert', 'x.bin', 'y.json'],
  ]) {
    const { code, stderr } = await microgpt(args, { cwd });
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(
        /27 tokens, and neither the .json nor the .bin says which characters they are[\s\S]*model\.json/,
      ),
    ]);
  }
});

test('what was typed is what an error speaks of, and what to type is in the way out', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'no.json'), 'scenario: names\n');
  const answers: readonly (readonly [args: string[], code: number, answer: RegExp])[] = [
    [['generate', 'names'], 2, /microgpt generate --model names; see microgpt generate --help/],
    [['train', 'names', 'stories'], 2, /too many arguments .*\n {2}→ see microgpt train --help/],
    [['train', 'names', '--n-embd', '7', '--n-head', '2'], 2, /--n-embd 7 .*\n.* an --n-embd that .* another --n-head/],
    [['generate', '-m', 'names', '--starts-with', 'minLength'], 3, /meets --starts-with "minLength"/],
    [['generate', '-m', 'names', '--stop-token', '999'], 2, /--stop-token names token 999/],
    [['chat', '--message', ' '], 2, /--message is empty/],
    [['sweep', 'no.json'], 2, /it has to be JSON: correct it there; microgpt sweep --help/],
    [['train', '--config', 'no.json'], 2, /it has to be JSON: correct it there; docs\/training.md/],
    [['generate', '-m', 'names', '--json', '--escape-bytes'], 2, /--escape-bytes and --json exclude each other/],
  ];
  for (const [args, code, answer] of answers) {
    await refused(args, cwd, code, answer);
  }
});

test('a model goes by the name of the text that it was trained on, whatever that is; a name that is none is told the others', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'class list v1.2.txt'), PETS);
  const trained = await microgpt(['train', '--data', 'class list v1.2.txt', '--steps', '2', '-n', '0'], { cwd });
  expect(trained.code, trained.stderr).toBe(0);
  const found = await microgpt(['info', 'class list v1.2'], { cwd });
  expect([found.code, found.stdout]).toEqual([0, expect.stringContaining('8 documents')]);
  const lost = await microgpt(['info', 'class'], { cwd });
  expect([lost.code, lost.stderr]).toEqual([3, expect.stringContaining('in ./models (class list v1.2), or one that')]);
  for (const outside of ['../x', '.', './models/..'])
    expect((await microgpt(['info', outside], { cwd })).stderr).toContain('MG_FILE_MISSING');
});

test('for scripts: generate and info as JSON, a sample with line ends in one line', async () => {
  const cwd = temporaryFolder();
  const pair = join(FIXTURES, 'prefix-bin/ckpt_d16_l2_step20');
  const args = ['generate', '-m', pair, '--prompt', 'one\ntwo', '-n', '2', '--max-tokens', '3', '--seed', '1'];
  const plain = await microgpt(args, { cwd });
  const lines = (await microgpt([...args, '--json'], { cwd })).stdout.trimEnd().split('\n');
  const samples = lines.map((line) => JSON.parse(line) as { sample: number; text: string; end: string });
  expect(samples.map(({ sample }) => sample)).toEqual([0, 1]);
  expect(plain.stdout).toBe(samples.map(({ text }) => `${text}\n`).join(''));
  expect(samples[0].text).toMatch(/^one\ntwo/);
  const info = JSON.parse((await microgpt(['info', pair, '--json'], { cwd })).stdout);
  expect(info).toMatchObject({
    format: 'prefix .json + .bin',
    config: { nEmbd: 16, nLayer: 2, vocabSize: 256 },
    tokenizer: { kind: 'byte', size: 256, bos: null, roles: null },
    step: 20,
    optimizer: { moments: true },
    run: null,
  });
});

test('the name of a file cannot command the terminal, in what is wrong and in the way out', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'a\u001b[31m.txt'), PETS);
  const { stderr } = await microgpt(['train', 'a\u001b[31m.txt'], { cwd });
  expect(stderr).toContain('\\u001b[31m.txt');
  expect(stderr).not.toContain('\u001b');
});

test('a damaged text that is to be read as text is no stream of bytes', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), Buffer.concat([Buffer.from(PETS), Buffer.of(0xff, 0xfe, 10)]));
  const args = ['train', '--data', 'pets.txt', '--steps', '2', '-n', '0'];
  const strict = await microgpt([...args, '--run', 'a'], { cwd });
  expect(strict.stderr).toMatch(/^note: read as bytes: it is not text in UTF-8.*\nerror MG_DATA_TOO_SMALL/);
  const lossy = await microgpt([...args, '--encoding', 'lossy', '--run', 'b'], { cwd });
  expect(lossy.code, lossy.stderr).toBe(0);
  expect(lossy.stderr).toContain('pets.txt, read as lines');
});

test('a command that a message shows can be typed as it stands, in a folder of any name', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), PETS);
  const run = "it's mine";
  const args = ['--run', run, '--learning-rate', '0.002', '--steps', '4', '--stop-after', '2'];
  const stopped = await microgpt(['train', '--data', 'pets.txt', ...args], { cwd });
  expect(stopped.code, stopped.stderr).toBe(0);
  expect(JSON.parse(readFileSync(join(cwd, run, 'run.json'), 'utf8')).settings.settings.adam.learningRate).toBe(0.002);
  const goOn = /go on: {2}microgpt (.+)/.exec(stopped.stderr)?.[1] ?? '';
  const echoed = await runCommand('sh', ['-c', `printf '%s\\n' ${goOn}`], { cwd });
  expect(echoed.stdout).toBe(`train\n--resume\n${run}\n`);
});

test('a word for the shell is left as it is where it can be', () => {
  expect(['models/names', './a-b_c.json', ''].map(shellWord)).toEqual(['models/names', './a-b_c.json', "''"]);
  expect(['a b', '$(x)', "it's", '*', 'ü'].map(shellWord)).toEqual(["'a b'", "'$(x)'", `'it'\\''s'`, "'*'", "'ü'"]);
});

test('npm start ends with how to call microgpt where it is not installed', async () => {
  const cwd = temporaryFolder();
  const { code, stderr } = await runCommand(process.execPath, [join(ROOT, 'scripts/start.mjs'), '--steps', '1'], {
    cwd,
  });
  expect([code, stderr.trimEnd().split('\n').at(-1)]).toEqual([0, 'in this clone, microgpt is: node bin/microgpt.js']);
});

test('train --help tells the default of every setting, for each recipe', async () => {
  const { stdout } = await microgpt(['train', '--help'], { cwd: temporaryFolder() });
  const table = stdout.slice(stdout.indexOf('  Defaults ')).split('\n\n')[0];
  const row = (flag: string) =>
    table
      .split('\n')
      .find((line) => line.startsWith(`  ${flag} `))
      ?.trim()
      .split(/ +/);
  expect(row('Defaults')?.slice(1)).toEqual(Object.keys(RECIPES));
  const recipes = Object.values(RECIPES);
  expect(row('--schedule')?.slice(1)).toEqual(recipes.map(({ schedule }) => schedule));
  expect(row('--lr')?.slice(1)).toEqual(['0.01', '0.01', '0.01', '*']);
  for (const [flag] of table.matchAll(/(?<=^ {2})--[a-z-]+/gm)) expect(stdout).toMatch(new RegExp(`${flag} <`));
});

test('info says in words what a run was, and misses no step that it has just told', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), PETS);
  await microgpt(['train', '--data', 'pets.txt', '--steps', '4', '--seed', '7', '-n', '0', '--run', 'r'], { cwd });
  const { stdout } = await microgpt(['info', 'r'], { cwd });
  expect(stdout).toMatch(/step +\d\ntrained on +pets\.txt: 8 documents, sha256 37919e135afb\w+\n/);
  expect(stdout).toMatch(
    /run +recipe standard, 4 steps of \d+ examples, seed 7\nvalidation +loss \d\.\d{4} at step \d\n/,
  );
  expect(stdout).toMatch(/missing +the optimizer: it was saved without\n$/);
});

testWith(noTerminal(), 'a terminal that can only append gets the lines that a pipe gets', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), PETS);
  const look = async (term: string) => {
    const args = ['train', '--data', 'pets.txt', '--steps', '20', '-n', '0', '--run', term];
    const { raw, code } = await atTerminal(args, { cwd, steps: [{ wait: 'saved ' }], term });
    expect(code, raw).toBe(0);
    return raw;
  };
  const dumb = await look('dumb');
  expect(dumb).not.toContain('\u001b');
  expect(dumb).not.toMatch(/\r(?!\n)/);
  expect(dumb).toMatch(/\nstep +2\/20 .*\r\nstep +4\/20 /);
  expect(await look('xterm')).toContain('\r\u001b[Kstep'); // control: elsewhere the line is rewritten
});

testWith(noTerminal(), 'on a narrow terminal the curve is as narrow', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), PETS);
  for (const columns of [40, 20]) {
    const args = ['train', '--data', 'pets.txt', '--steps', '20', '-n', '0', '--run', `r${columns}`];
    const { screen, code } = await atTerminal(args, { cwd, steps: [{ wait: 'saved ' }], columns });
    expect(code, screen).toBe(0);
    const widths = screen
      .split('\n')
      .filter((line) => line.includes('┤'))
      .map((line) => [...line.trimEnd()].length);
    expect(widths.length).toBe(columns === 40 ? 9 : 0);
    expect(Math.max(0, ...widths)).toBe(columns === 40 ? 40 : 0);
  }
});
