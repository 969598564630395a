// docs/server.md: its programs run as they stand and print what they should.
import { expect, test } from 'vitest';
import { temporaryFolder } from '../cli.js';
import { codeBlocks, runProgram } from '../pages.js';

test('the programs of docs/server.md run, in this thread and with models in another, and end', async () => {
  const [inProcess, withThread] = codeBlocks('docs/server.md', 'ts');
  const cwd = temporaryFolder();
  const first = await runProgram(inProcess, cwd);
  expect([first.code, first.stdout], first.stderr).toEqual([0, 'assistant stop true\n/v1/chat/completions\n']);
  expect(withThread).toContain('createWorkerCompute');
  const second = await runProgram(withThread, cwd);
  expect([second.code, second.stdout, second.stderr]).toEqual([0, '3 stop\n', '']);
}, 60_000);
