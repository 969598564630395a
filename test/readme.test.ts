// The README's promises: every command in it runs, and prints what it says.
import { expect, test } from 'vitest';
import { temporaryFolder } from './cli.js';
import { asInAClone, codeBlocks, runCommands, runProgram } from './pages.js';

test('every command in the README runs, in order, and prints what stands below it', async () => {
  const cwd = temporaryFolder();
  asInAClone(cwd);
  expect(await runCommands('README.md', cwd)).toBeGreaterThan(10);
}, 120_000);

test('the quick start names exactly the two commands that a fresh clone is tested with', () => {
  expect(codeBlocks('README.md', 'sh')).toEqual(['npm start\nnpm test\n']);
});

test('the library example runs as it stands', async () => {
  const { code, stdout, stderr } = await runProgram(codeBlocks('README.md', 'ts')[0], temporaryFolder());
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^\[\s*'\w+',\s*'\w+',\s*'\w+'\s*\]\n$/);
});
