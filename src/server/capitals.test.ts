// Prompts with capitals over HTTP, for a model that has learned only small letters.
import { afterAll, expect, test } from 'vitest';
import { goldenText } from '../../test/golden.js';
import { decodeModel } from '../checkpoint/decode.js';
import { createServer } from './index.js';

const bytes = new TextEncoder().encode(goldenText('persistence/model.json'));
const names = decodeModel(bytes, 'persistence/model.json').checkpoint;
const server = createServer({ models: { names } });
afterAll(() => server.close());

async function complete(prompt: string, more: object = {}) {
  const response = await server.fetch('/v1/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt, max_tokens: 4, seed: 3, ...more }),
  });
  const unknown = response.headers.get('x-microgpt-unknown-characters');
  const folded = response.headers.get('x-microgpt-small-letters');
  // biome-ignore lint/suspicious/noExplicitAny: answers of an API, looked at from outside
  return { status: response.status, folded, unknown, answer: (await response.json()) as any };
}

test('a capital is read as its small letter and counts as a token of the prompt', async () => {
  const [small, capital, odd] = [await complete('ann'), await complete('Ann'), await complete('Ann7')];
  expect(capital.answer).toMatchObject({ choices: small.answer.choices, usage: small.answer.usage });
  expect([small.unknown, capital.unknown, odd.unknown]).toEqual([null, null, '1']);
  expect([small.folded, capital.folded, odd.folded]).toEqual([null, '1', '1']);
  const long = 'A'.repeat(names.config.blockSize + 1);
  expect((await complete(long)).answer).toMatchObject({ error: { code: 'context_length_exceeded' } });
});

test('a scored prompt is read so too: its tokens show what was read, its text what was asked', async () => {
  const scored = { echo: true, logprobs: 1, max_tokens: 0 };
  const [small, capital, odd] = [
    await complete('ann', scored),
    await complete('AnN', scored),
    await complete('An7', scored),
  ];
  expect(capital.answer.choices).toEqual([{ ...small.answer.choices[0], text: 'AnN' }]);
  expect(small.answer.choices[0].logprobs.tokens).toEqual(['a', 'n', 'n']);
  expect(capital.answer.usage).toEqual(small.answer.usage);
  expect([capital.folded, capital.unknown, odd.folded, odd.unknown]).toEqual(['2', null, '1', '1']);
  // What it knows neither way counts as before: as unlikely as can be.
  expect(odd.answer.choices[0].logprobs.tokens).toEqual(['a', 'n', '7']);
  expect(odd.answer.choices[0].logprobs.token_logprobs[2]).toBeLessThan(-13.9);
});
