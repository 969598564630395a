// The terminal session in docs/training-session.md: runs its commands in a folder of their own and writes what they print below them.
// With --check it only compares, without what depends on the machine: speeds, times, threads.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/training-session.md');

/** A line without what differs between machines. */
const stable = (line) =>
  line
    .replace(/ {2}\d+:\d\d left/, '')
    .replace(/ {2}[\d.]+[kM]? tokens\/s/, '')
    .replace(/up to \d+ threads|1 thread/, 'threads')
    .replace(/steps, [\d.:]+( ms| s)?/, 'steps')
    .trimEnd();

function run(commands) {
  const folder = mkdtempSync(join(tmpdir(), 'microgpt-session-'));
  try {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'microgpt'), `#!/bin/sh\nexec "${process.execPath}" "${root}/bin/microgpt.js" "$@"\n`);
    chmodSync(join(bin, 'microgpt'), 0o755);
    const cwd = join(folder, 'here');
    mkdirSync(cwd);
    copyFileSync(join(root, 'examples/dinosaurs.txt'), join(cwd, 'dinosaurs.txt'));
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    return commands.map((command) => {
      const { status, stdout } = spawnSync('bash', ['-c', `{ ${command}; } 2>&1`], { cwd, env, encoding: 'utf8' });
      if (status !== 0) throw new Error(`${command} ended with ${status}:\n${stdout}`);
      return stdout;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const text = readFileSync(page, 'utf8');
const blocks = [...text.matchAll(/^```console\n(.*?)^```/gms)].map((match) => match[1]);
const parts = blocks.flatMap((block) => block.split(/^\$ /m).filter((part) => part !== ''));
const commands = parts.map((part) => part.split('\n')[0]);
const printed = run(commands);
if (process.argv.includes('--check')) {
  commands.forEach((command, i) => {
    const before = parts[i].trimEnd().split('\n').slice(1).map(stable);
    const now = printed[i].trimEnd().split('\n').map(stable);
    const at = now.findIndex((line, n) => line !== before[n]);
    if (at < 0 && before.length === now.length) return;
    const place = at < 0 ? now.length : at;
    console.error(
      `$ ${command}\nline ${place + 1} is in the session: ${before[place]}\nand now:              ${now[place]}`,
    );
    process.exitCode = 1;
  });
} else {
  let next = 0;
  const written = text.replace(/^```console\n(.*?)^```/gms, (_, block) => {
    const count = block.split(/^\$ /m).filter((part) => part !== '').length;
    const lines = Array.from({ length: count }, () => `$ ${commands[next]}\n${printed[next++]}`);
    return `\`\`\`console\n${lines.join('').replace(/[ \t]+$/gm, '')}\`\`\``;
  });
  writeFileSync(page, written);
}
