// docs/using.md: every command in it runs, in order, and prints what stands below it; so does its program.
import { expect, test } from 'vitest';
import { temporaryFolder } from './cli.js';
import { asInAClone, codeBlocks, runCommands, runProgram } from './pages.js';

test('the commands of docs/using.md print what it shows, and its program runs', async () => {
  const cwd = temporaryFolder();
  asInAClone(cwd);
  expect(await runCommands('docs/using.md', cwd)).toBeGreaterThan(15);
  const { code, stdout, stderr } = await runProgram(codeBlocks('docs/using.md', 'ts')[0], cwd);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(
    /^\[ '[a-m]{3,5}', '[a-m]{3,5}' \]\nma[a-z]*\n\[ 'anna 0\.\d\d', 'mara 0\.\d\d', 'qxzvk 0\.00' \]\n\d\.\d\d\n$/,
  );
}, 120_000);
