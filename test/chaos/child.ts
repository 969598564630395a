/**
 * A compiled program of test/programs as a process that is talked to by lines.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PROGRAMS } from '../programs.js';

export interface Child {
  readonly pid: number;
  /** All lines so far. */
  readonly lines: readonly string[];
  /** The first line, from now on or already there but not taken yet, that begins so; rejects when the process ends without. */
  next(beginning: string): Promise<string>;
  tell(line: string): void;
  /** Kills it as a power cut would, and waits until it is gone. */
  kill(): Promise<void>;
}

export function startChild(program: string, ...args: readonly string[]): Child {
  const child: ChildProcess = spawn(process.execPath, [join(PROGRAMS, `${program}.js`), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  let taken = 0;
  let ended = false;
  let wake = () => {};
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  const gone = new Promise<void>((resolve) =>
    child.on('close', () => {
      ended = true;
      wake();
      resolve();
    }),
  );
  return {
    pid: child.pid!,
    lines,
    next: async (beginning) => {
      for (;;) {
        while (taken < lines.length) {
          const line = lines[taken++];
          if (line.startsWith(beginning)) return line;
        }
        if (ended) throw new Error(`${program} ended without "${beginning}":\n${lines.join('\n')}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    tell: (line) => void child.stdin!.write(`${line}\n`),
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
