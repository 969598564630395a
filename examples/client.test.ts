/**
 * Tests a client of OpenAI's API against a real, small model: in the process, without a port, with the same answers every time.
 *
 *   node --test examples/client.test.ts      after npm start, on Node 22.18 or newer; else node --test dist/examples/client.test.js
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { findModel, loadModel } from 'microgpt/node';
import { createServer } from 'microgpt/server';

/** What is tested: asks, and asks again when the server has too much to do. */
async function ask(fetch: (url: string, init: RequestInit) => Promise<Response>, content: string): Promise<string> {
  const body = JSON.stringify({ messages: [{ role: 'user', content }], temperature: 0 });
  for (let tries = 3; ; tries--) {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    const response = await fetch('/v1/chat/completions', init);
    const answer = (await response.json()) as { choices: { message: { content: string } }[] };
    if (response.ok) return answer.choices[0].message.content;
    if (response.status !== 429 || tries === 1) throw new Error(`the server says ${response.status}`);
  }
}

const { checkpoint } = await loadModel((await findModel('chat')).path);
const rules = [
  { contains: 'hello', times: 2, status: 429 }, // the first two times, then the model answers
  { contains: 'broken', status: 500 },
  { contains: 'weather', reply: 'It is sunny.' },
];
const server = createServer({ models: { chat: checkpoint }, rules, record: true });
after(() => server.close());

test('asks again until there is an answer, and no longer', async () => {
  assert.match(await ask(server.fetch, 'hello'), /hello/);
  assert.equal(server.requests.length, 3);
  await assert.rejects(ask(server.fetch, 'broken'), /500/);
  assert.equal(await ask(server.fetch, 'what is the weather like?'), 'It is sunny.');
});
