// Pages for users: their commands and programs are run as they stand.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Outcome, ROOT, runCommand } from './cli.js';

/** The code blocks of a language in a page of the project. */
export function codeBlocks(page: string, language: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1]);
}

/** What a fresh clone has after `npm start`, in a folder of its own. */
export function asInAClone(cwd: string): void {
  for (const name of ['bin', 'bundled', 'datasets', 'dist', 'examples', 'scenarios']) {
    symlinkSync(join(ROOT, name), join(cwd, name));
  }
}

/**
 * Runs the commands of a page in order. Each ends with 0, or as its comment says (`# exit code 1`), and prints what stands below it, where
 * something does. One that ends with & goes on beside the others, once it has said where it listens. Gives how many there were.
 */
export async function runCommands(page: string, cwd: string): Promise<number> {
  const microgpt = `microgpt() { '${process.execPath}' '${join(ROOT, 'bin/microgpt.js')}' "$@"; }`;
  const commands = codeBlocks(page, 'console').flatMap((block) => block.split(/^\$ /m).filter((part) => part !== ''));
  for (const part of commands) {
    const [command, ...expected] = part.trimEnd().split('\n');
    if (command.endsWith(' &')) {
      await startBeside(command.slice(0, -2), cwd);
      continue;
    }
    const { code, stdout, stderr } = await runCommand('bash', ['-c', `${microgpt}; ${command}`], { cwd });
    expect(code, `${command}\n${stderr}`).toBe(Number(/# exit code (\d)$/.exec(command)?.[1] ?? 0));
    expect(stdout.split('\n').slice(0, expected.length), command).toEqual(expected);
  }
  return commands.length;
}

/** Runs a program of a page, which imports microgpt by its name. */
export function runProgram(program: string, cwd: string): Promise<Outcome> {
  const local = program.replaceAll(/'microgpt(?:\/(\w+))?'/g, (_, part: string | undefined) =>
    JSON.stringify(join(ROOT, 'dist', part ?? '', 'index.js')),
  );
  writeFileSync(join(cwd, 'program.mjs'), local);
  return runCommand(process.execPath, ['program.mjs'], { cwd });
}

function startBeside(command: string, cwd: string): Promise<void> {
  const child: ChildProcess = spawn('bash', ['-c', `exec ${command}`], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill();
  });
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (text: Buffer) => {
      said += text;
      if (/http:\/\/\S+/.test(said)) resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.on('error', reject);
    child.on('close', (code) => reject(new Error(`${command} ended with ${code}: ${said}`)));
  });
}
