// Prompts with capitals over HTTP, for a model that has learned only small letters.
import { afterAll, expect, test } from 'vitest';
import { goldenText } from '../../test/golden.js';
import { decodeModel } from '../checkpoint/decode.js';
import { createServer } from './index.js';

const bytes = new TextEncoder().encode(goldenText('persistence/model.json'));
const names = decodeModel(bytes, 'persistence/model.json').checkpoint;
const server = createServer({ models: { names } });
afterAll(() => server.close());

async function complete(prompt: string) {
  const response = await server.fetch('/v1/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt, max_tokens: 4, seed: 3 }),
  });
  const unknown = response.headers.get('x-microgpt-unknown-characters');
  return { status: response.status, unknown, answer: (await response.json()) as Record<string, unknown> };
}

test('a capital is read as its small letter and counts as a token of the prompt', async () => {
  const [small, capital, odd] = [await complete('ann'), await complete('Ann'), await complete('Ann7')];
  expect(capital.answer).toMatchObject({ choices: small.answer['choices'], usage: small.answer['usage'] });
  expect([small.unknown, capital.unknown, odd.unknown]).toEqual([null, null, '1']);
  const long = 'A'.repeat(names.config.blockSize + 1);
  expect((await complete(long)).answer).toMatchObject({ error: { code: 'context_length_exceeded' } });
});
