// A user at a terminal: runs the real command on a pseudo-terminal, by Python's pty module where there is a Python.
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ROOT } from './cli.js';

const DRIVER = fileURLToPath(new URL('./pty-driver.py', import.meta.url));

export type Step =
  | { readonly wait: string }
  | { readonly send: string }
  | { readonly bytes: readonly number[] }
  | { readonly resize: readonly [rows: number, columns: number] }
  | { readonly pause: number }
  /** Waits until so many bytes more have come than what was waited for before. */
  | { readonly more: number };

export interface Session {
  /** Everything that the terminal received, as it would be read after removing its control sequences. */
  readonly screen: string;
  readonly raw: string;
  readonly code: number;
  /** The number of the step that was not reached; null when all were. */
  readonly missed: number | null;
}

/** Why there is no terminal to test with; null when there is one. */
export function noTerminal(): string | null {
  if (process.platform === 'win32') return 'no pseudo-terminals on Windows';
  try {
    execFileSync('python3', ['-c', 'import pty, sys; assert sys.version_info >= (3, 9)'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'no python3 (3.9 or newer) with its pty module';
  }
}

export function atTerminal(
  args: readonly string[],
  {
    cwd,
    steps,
    columns = 80,
    timeout = 30,
    term = 'xterm',
  }: { cwd: string; steps: readonly Step[]; columns?: number; timeout?: number; term?: string },
): Promise<Session> {
  const command = [process.execPath, `${ROOT}/bin/microgpt.js`, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn('python3', [DRIVER], { stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.on('error', reject);
    child.on('close', () => {
      try {
        const { screen, code, missed } = JSON.parse(out) as { screen: string; code: number; missed: number | null };
        const raw = Buffer.from(screen, 'latin1').toString('utf8');
        resolve({ screen: plain(raw), raw, code, missed });
      } catch (error) {
        reject(error);
      }
    });
    child.stdin.end(JSON.stringify({ command, cwd, steps, columns, timeout, term }));
  });
}

/** Without control sequences and carriage returns. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be removed
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]|\u001b[=>]/g, '').replace(/\r/g, '');
}
