// docs/server.md: its programs run as they stand and print what they should, and its rules do what it says.
import { expect, onTestFinished, test } from 'vitest';
import { findModel, loadModel } from '../../src/node/index.js';
import { createServer, type Rule } from '../../src/server/index.js';
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

test('the rules of docs/server.md refuse twice, reply what they say, and cut a stream', async () => {
  const rules = JSON.parse(codeBlocks('docs/server.md', 'json')[0]) as readonly Rule[];
  const { checkpoint } = await loadModel((await findModel('chat')).path);
  const server = createServer({ models: { chat: checkpoint }, rules });
  onTestFinished(() => server.close());
  const ask = (content: string, stream = false) =>
    server.fetch('/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'chat', messages: [{ role: 'user', content }], stream }),
    });
  const hellos = [await ask('hello'), await ask('hello'), await ask('hello')];
  expect(hellos.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual([
    [429, '1'],
    [429, '1'],
    [200, null],
  ]);
  const { choices } = (await (await ask('how is the weather?')).json()) as {
    choices: { message: { content: string } }[];
  };
  expect(choices[0].message.content).toBe('It is sunny.');
  await expect((await ask('slow', true)).text()).rejects.toThrow();
});
