// The command `serve` as a process, and what the system says of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { encodeModel } from '../../src/checkpoint/formats.js';
import { talkingModel } from '../chat-model.js';
import { ROOT, temporaryFolder } from '../cli.js';
import { goldenText } from '../golden.js';
import { until } from './asking.js';

const BIN = join(ROOT, 'bin/microgpt.js');

export interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  stderr(): string;
  readonly exited: Promise<number | null>;
}

export async function start(args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<Running> {
  const child = spawn(process.execPath, [BIN, 'serve', '--port', '0', ...args], {
    cwd,
    env: { ...process.env, ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', resolve);
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await until(() => stdout.includes('\n') || child.exitCode !== null, 20_000);
  return { child, url: stdout.trim(), stderr: () => stderr, exited };
}

export function modelFolder(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'names.json'), goldenText('persistence/model.json'));
  const talking = talkingModel(4000);
  for (const { bytes } of encodeModel(talking, 'safetensors', 'talking.safetensors').files) {
    writeFileSync(join(cwd, 'talking.safetensors'), bytes);
  }
  return cwd;
}

export const SERVED = ['-m', 'names.json', '-m', 'talk=talking.safetensors'];
/** Its end is ruled out, so it takes long. */
export const long = { model: 'talk', prompt: 'a', max_tokens: 3900, logit_bias: { 30: -100 }, logprobs: 5 };
export const post = (url: string, body: object, path = '/v1/completions', headers: Record<string, string> = {}) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** Whether the system says what memory and files a process has. */
export const HAS_PROC = existsSync('/proc/self/status');

/** MB in memory. */
export const memoryOf = ({ child }: Running): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;

export const filesOf = ({ child }: Running): number => readdirSync(`/proc/${child.pid}/fd`).length;
