// The README's promises: every command in it runs, and prints what it says.
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, runCommand, temporaryFolder } from './cli.js';

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map((m) => m[1]);

test('every command in the README runs, in order, and prints what stands below it', async () => {
  const cwd = temporaryFolder();
  for (const name of ['bin', 'dist', 'datasets', 'examples']) symlinkSync(join(ROOT, name), join(cwd, name));
  const commands = blocks('console').flatMap((block) => block.split(/^\$ /m).filter((part) => part !== ''));
  expect(commands.length).toBeGreaterThan(5);
  for (const part of commands) {
    const [command, ...expected] = part.trimEnd().split('\n');
    const { code, stdout, stderr } = await runCommand('bash', ['-c', command], { cwd });
    expect(code, `${command}\n${stderr}`).toBe(0);
    expect(stdout.split('\n').slice(0, expected.length), command).toEqual(expected);
  }
});

test('the quick start names exactly the two commands that a fresh clone is tested with', () => {
  expect(blocks('sh')).toEqual(['npm start\nnpm test\n']);
});

test('the library example runs as it stands', async () => {
  const cwd = temporaryFolder();
  const [example] = blocks('ts');
  const local = example
    .replace("'microgpt'", JSON.stringify(join(ROOT, 'dist/index.js')))
    .replace("'microgpt/node'", JSON.stringify(join(ROOT, 'dist/node/index.js')));
  writeFileSync(join(cwd, 'example.mjs'), local);
  const { code, stdout, stderr } = await runCommand(process.execPath, ['example.mjs'], { cwd });
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^\[\s*'\w+',\s*'\w+',\s*'\w+'\s*\]\n$/);
});
