// The real texts, trained on through the command line: alice against the reference backend, and the real conversations.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { microgpt, temporaryFolder } from './cli.js';
import { corpusTest } from './corpora.js';
import { FULL, largestDifference } from './golden.js';

async function losses(cwd: string, run: string, ...args: string[]): Promise<number[]> {
  const outcome = await microgpt(['train', ...args, '--run', run, '-n', '0'], { cwd });
  expect(outcome.code, outcome.stderr).toBe(0);
  const log = readFileSync(join(cwd, run, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return log.map((line) => JSON.parse(line)).flatMap((event) => (event.type === 'step' ? [event.loss] : []));
}

const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

corpusTest(
  `alice at the scenario's settings follows the reference backend (${FULL ? '2,000' : '30'} steps)`,
  'alice.txt',
  async (path) => {
    const cwd = temporaryFolder();
    const steps = FULL ? [] : ['--stop-after', '30'];
    const alice = ['alice', '--data', path, ...steps];
    const reference = await losses(cwd, 'reference', ...alice, '--backend', 'reference');
    const wasm = await losses(cwd, 'wasm', ...alice);
    expect(wasm).toHaveLength(FULL ? 2000 : 30);
    const first = largestDifference(wasm.slice(0, 200), reference.slice(0, 200));
    console.log(`alice: the first ${Math.min(200, wasm.length)} losses differ by ${first.toExponential(1)} at most`);
    expect(first).toBeLessThan(1e-5);
    // The comparison sees a learning rate that is a thousandth higher.
    const other = await losses(cwd, 'other', 'alice', '--data', path, '--stop-after', '30', '--lr', '0.01001');
    expect(largestDifference(other, wasm.slice(0, 30))).toBeGreaterThan(1e-5);
    if (!FULL) return;
    const last = Math.abs(mean(wasm.slice(-500)) - mean(reference.slice(-500)));
    console.log(
      `alice: the mean of the last 500 losses is ${mean(wasm.slice(-500)).toFixed(4)}, ${last.toFixed(4)} apart`,
    );
    expect(last).toBeLessThan(0.01);
  },
  300_000,
);

corpusTest(
  'the 2,437 real conversations train; those without a word of the assistant inside the context are counted and named',
  'oasst1-chat.jsonl',
  async (path) => {
    const cwd = temporaryFolder();
    const counted = async (context: number, ...more: string[]) => {
      const args = ['train', 'chat', '--data', path, '--block-size', String(context), '-n', '0', ...more];
      const { code, stderr } = await microgpt(args, { cwd });
      expect(code, stderr).toBe(0);
      expect(stderr).toContain('2,437 conversations (247 held out)');
      return stderr;
    };
    // Counted from the JSON: the first word of the assistant stands after BOS, role, the user's text, end and role.
    const numbers = (context: number) =>
      readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .flatMap((line, i) => {
          let place = 1;
          for (const { role, content } of JSON.parse(line) as { role: string; content: string }[]) {
            if (role === 'assistant') return place + 1 > context ? [i + 1] : [];
            place += [...content].length + 2;
          }
          return [i + 1];
        });
    for (const [context, expected] of [
      [64, '1,433'],
      [256, '199'],
      [1024, '6'],
    ] as const) {
      const none = numbers(context);
      expect(none.length.toLocaleString('en')).toBe(expected);
      const first = none.slice(0, 5).map((n) => n.toLocaleString('en'));
      const small = ['--steps', '2', '--run', `c${context}`, '--eval-every', '0', '--n-embd', '16', '--n-layer', '1'];
      expect(await counted(context, ...small)).toContain(
        `note: ${expected} of 2,437 conversations have no word of the assistant within the context of ` +
          `${context.toLocaleString('en')} tokens and are left out (the first: ${first.join(', ')}); a larger --block-size`,
      );
    }
    const long = FULL ? ['--block-size', '256', '--steps', '500'] : ['--block-size', '64', '--steps', '60'];
    const log = await losses(cwd, 'long', 'chat', '--data', path, ...long, '--eval-every', '0');
    expect(mean(log.slice(0, 5))).toBeGreaterThan(5.3); // ln 453 = 6.12
    expect(mean(log.slice(-10))).toBeLessThan(FULL ? 2.9 : 4.2);
  },
  180_000,
);
