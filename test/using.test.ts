// docs/using.md: every command in it runs, in order, and prints what stands below it; so does its program.
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, runCommand, temporaryFolder } from './cli.js';

const page = readFileSync(join(ROOT, 'docs/using.md'), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map((m) => m[1]);

test('the commands of docs/using.md print what it shows, and its program runs', async () => {
  const cwd = temporaryFolder();
  symlinkSync(join(ROOT, 'datasets'), join(cwd, 'datasets'));
  const microgpt = `microgpt() { '${process.execPath}' '${join(ROOT, 'bin/microgpt.js')}' "$@"; }`;
  const commands = blocks('console').flatMap((block) => block.split(/^\$ /m).filter((part) => part !== ''));
  expect(commands.length).toBeGreaterThan(15);
  for (const part of commands) {
    const [command, ...expected] = part.trimEnd().split('\n');
    const { code, stdout, stderr } = await runCommand('bash', ['-c', `${microgpt}; ${command}`], { cwd });
    expect(code, `${command}\n${stderr}`).toBe(Number(/# exit code (\d)$/.exec(command)?.[1] ?? 0));
    expect(stdout.split('\n').slice(0, expected.length), command).toEqual(expected);
  }

  const [program] = blocks('ts');
  const local = program
    .replace("'microgpt'", JSON.stringify(join(ROOT, 'dist/index.js')))
    .replace("'microgpt/node'", JSON.stringify(join(ROOT, 'dist/node/index.js')));
  writeFileSync(join(cwd, 'program.mjs'), local);
  const { code, stdout, stderr } = await runCommand(process.execPath, ['program.mjs'], { cwd });
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(
    /^\[ '[a-m]{3,5}', '[a-m]{3,5}' \]\nma[a-z]*\n\[ 'anna 0\.\d\d', 'mara 0\.\d\d', 'qxzvk 0\.00' \]\n\d\.\d\d\n$/,
  );
});
