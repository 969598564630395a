// docs/training.md says all of microgpt train, and the recorded session is what a user sees today; the files that it and docs/sweep.md show work.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WARNINGS } from '../src/base/warnings.js';
import { RECIPES } from '../src/train/recipes.js';
import { DATA_FORMATS } from '../src/train/settings.js';
import { sizesFor } from '../src/train/sizes.js';
import { microgpt, ROOT, runCommand, temporaryFolder } from './cli.js';
import { codeBlocks, runProgram } from './pages.js';

const PETS = 'rex\nbella\nmilo\nluna\nrocky\nbruno\nnala\nsimba\n';
const guide = readFileSync(join(ROOT, 'docs/training.md'), 'utf8');

test('the recorded session prints today what it says', async () => {
  const { code, stderr } = await runCommand(process.execPath, [join(ROOT, 'scripts/session.mjs'), '--check'], {
    cwd: ROOT,
  });
  expect(code, `${stderr}\nto record it anew: node scripts/session.mjs`).toBe(0);
});

test('the guide names every flag, format, scenario, recipe and warning', async () => {
  const { stdout } = await microgpt(['train', '--help'], { cwd: ROOT });
  const flags = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map((match) => match[1]);
  expect(flags.length).toBeGreaterThan(40);
  const names = [...DATA_FORMATS, ...Object.keys(RECIPES), 'names', 'stories', 'chat', 'bytes', 'alice'];
  const codes = Object.keys(WARNINGS);
  const missing = [...flags, ...names.map((name) => `\`${name}`), ...codes].filter((name) => !guide.includes(name));
  expect(missing.filter((flag) => flag !== '--help')).toEqual([]);
});

test('the defaults in the guide are those of the standard recipe', () => {
  const { schedule, floor, clip, dropout, patience, data, model } = RECIPES.standard;
  const row = (flag: string) =>
    guide
      .split('\n')
      .find((line) => line.startsWith(`| \`${flag}\``))
      ?.split('|')[2]
      .trim();
  expect(row('--schedule')).toBe(`\`${schedule}\`, ${floor}`);
  expect(row('--clip')).toBe(String(clip));
  expect(row('--dropout')).toBe(String(dropout));
  expect(row('--patience')).toBe(`${patience}: to the end`);
  expect(row('--validation')).toBe(String(data.validation));
  expect(row('--activation')).toBe(`\`${model.activation}\``);
  const sizes = sizesFor({ format: 'lines', documents: 10_000, tokens: 70_000, longest: 12 }, null);
  expect(row('--n-embd')).toBe(
    `${sizes.nEmbd}, ${sizes.nLayer}, one head per ${sizes.nEmbd / sizes.nHead}, at least 4`,
  );
  expect(row('--lr')).toBe(String(sizes.learningRate));
  expect(row('--weight-decay')).toBe(String(sizes.weightDecay));
});

test('the first commands of the guide and its scenario file work', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), PETS);
  const [train, generate] = codeBlocks('docs/training.md', 'sh')[0]
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(1));
  // Fewer steps than a user gets, for time.
  expect((await microgpt([...train, '--steps', '20'], { cwd })).code).toBe(0);
  const { stdout } = await microgpt([...generate, '-n', '1'], { cwd });
  expect(stdout).toMatch(/^be/);
  const [scenario] = codeBlocks('docs/training.md', 'json');
  writeFileSync(join(cwd, 'scenario.json'), scenario);
  const { code, stderr } = await microgpt(['train', '--config', 'scenario.json', '--steps', '20'], { cwd });
  expect([code, stderr], stderr).toEqual([0, expect.stringContaining('1 layer, 32 wide')]);
}, 120_000);

test('the program of the guide stops half-way, and its run goes on to the end', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'pets.txt'), PETS);
  const { code, stdout, stderr } = await runProgram(codeBlocks('docs/training.md', 'ts')[0], cwd);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^(?:(?:4|8|12|16|20) \d+\.\d\d\n){5}done 40\n2\n$/);
}, 120_000);

test('the file of docs/sweep.md is a sweep of six trials', async () => {
  const cwd = temporaryFolder();
  const [described] = codeBlocks('docs/sweep.md', 'json');
  expect(described).toContain('"steps": 500');
  writeFileSync(join(cwd, 'mine.json'), described.replace('"steps": 500', '"steps": 2'));
  const { code, stderr } = await microgpt(['sweep', 'mine.json'], { cwd });
  expect(code, stderr).toBe(0);
  expect(readFileSync(join(cwd, 'sweeps/mine/trials.jsonl'), 'utf8').trim().split('\n')).toHaveLength(6);
  expect(readFileSync(join(cwd, 'sweeps/mine/sweep.html'), 'utf8')).toContain('<html');
}, 120_000);
