// The API of the earlier server: the same texts for the same model and seed, its defaults, its caps, its refusals.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../cli.js';
import { type Answer, post, rustNames, serverFor } from './asking.js';

const expected = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/weights-meta/names-model/expected.json'), 'utf8'));
const GENERATE = '/microgpt/v1/generate';
const CHAT = '/microgpt/v1/chat';
const hi = { role: 'user', content: 'hi' };

test('generate: the samples of the earlier system, for its seeds and temperatures', async () => {
  const server = serverFor({ models: { names: rustNames() } });
  for (const [body, key] of [
    ['{"num_samples":20}', 'generate_t0.5_seed42_n20'],
    ['{"num_samples":10,"temperature":1,"seed":7}', 'generate_t1.0_seed7_n10'],
    ['{"num_samples":10,"seed":1000003000001}', 'generate_t0.5_seed1000003000001_n10'],
    ['{"num_samples":3,"seed":0}', 'generate_t0.5_seed0_n3'],
  ]) {
    const response = await post(server, GENERATE, body);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.text()).toBe(JSON.stringify({ samples: expected[key] }));
  }
});

test('generate: defaults, the cap of 50, none, unknown fields, seeds beyond 2^53', async () => {
  const server = serverFor({ models: { names: rustNames() } });
  const samples = async (body: string) => ((await (await post(server, GENERATE, body)).json()) as Answer).samples;
  expect(await samples('{}')).toEqual(expected['generate_t0.5_seed42_n20'].slice(0, 1));
  expect(await samples('{"num_samples":51,"max_tokens":3}')).toHaveLength(50);
  expect(await samples('{"num_samples":18446744073709551615}')).toHaveLength(50);
  expect(await samples('{"num_samples":0}')).toEqual([]);
  const large = ['9007199254740992', '9007199254740993', '18446744073709551615'];
  const texts = await Promise.all(large.map((seed) => samples(`{"num_samples":50,"temperature":2,"seed":${seed}}`)));
  expect(new Set(texts.map(String)).size).toBe(3);
});

test('chat: role and content; every message counts; the seed itself begins the draws', async () => {
  const server = serverFor();
  const answer = async (body: object) => (await (await post(server, CHAT, body)).json()) as Answer;
  const one = await answer({ messages: [hi] });
  expect(Object.keys(one)).toEqual(['role', 'content']);
  expect(one.role).toBe('assistant');
  expect(await answer({ messages: [hi], seed: 42, temperature: 0.5, model: 'x' })).toEqual(one);
  const said = { role: 'assistant', content: 'hello' };
  const longer = { messages: [hi, said, { role: 'user', content: 'who?' }], temperature: 1.5 };
  expect(await answer(longer)).toEqual(await answer({ ...longer, seed: 42 }));
  expect((await answer({ messages: [{ role: 'user', content: '' }] })).role).toBe('assistant');
});

test('what a handler refuses is {"error": …}', async () => {
  const server = serverFor();
  const errors = [
    [CHAT, { messages: [] }, 'messages must not be empty'],
    [CHAT, { messages: [{ role: 'system', content: 'x' }] }, 'unknown role: system'],
    [CHAT, { messages: [hi], temperature: -1 }, 'temperature must be >= 0, got -1'],
    [GENERATE, { temperature: -0.5 }, 'temperature must be >= 0, got -0.5'],
  ] as const;
  for (const [path, body, error] of errors) {
    const response = await post(server, path, body);
    expect([response.status, await response.text()]).toEqual([400, JSON.stringify({ error })]);
  }
  const names = serverFor({ models: { names: rustNames() } });
  const response = await post(names, CHAT, { messages: [] });
  expect([response.status, await response.text()]).toEqual([400, '{"error":"model was not trained with chat tokens"}']);
});

test('what the framework refused is plain text', async () => {
  const server = serverFor();
  const cases = [
    ['{"num_samples":-1}', 422, /^Failed to deserialize the JSON body into the target type: num_samples: /],
    ['{"num_samples":1.5}', 422, /^Failed to deserialize the JSON body into the target type: num_samples: .*`1.5`/],
    ['{"seed":-1}', 422, /^Failed to deserialize the JSON body into the target type: seed: /],
    ['{"seed":"1"}', 422, /^Failed to deserialize the JSON body into the target type: seed: .*expected u64$/],
    ['{"seed":18446744073709551616}', 422, /^Failed to deserialize/],
    ['[]', 422, /^Failed to deserialize/],
    ['{"seed":', 400, /^Failed to parse the request body as JSON: /],
    ['', 400, /^Failed to parse the request body as JSON: /],
  ] as const;
  for (const [body, status, text] of cases) {
    const response = await post(server, GENERATE, body);
    expect([body, response.status]).toEqual([body, status]);
    expect(await response.text()).toMatch(text);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  }
  const missing = await post(server, CHAT, {});
  expect([missing.status, await missing.text()]).toEqual([
    422,
    'Failed to deserialize the JSON body into the target type: missing field `messages`',
  ]);
  const plain = await post(server, GENERATE, '{}', { 'content-type': 'text/plain' });
  expect([plain.status, await plain.text()]).toEqual([415, 'Expected request with `Content-Type: application/json`']);
  const image = await post(server, GENERATE, '{}', { accept: 'image/png' });
  expect([image.status, await image.text()]).toEqual([406, '']);
  expect((await post(server, GENERATE, '{}', { accept: 'text/html, application/*;q=0.5' })).status).toBe(200);
  const large = await post(server, GENERATE, `{"x":"${'y'.repeat(1_048_576)}"}`);
  expect([large.status, await large.text()]).toEqual([413, 'length limit exceeded']);
  const unknown = await server.fetch('/microgpt/v2/generate');
  expect([unknown.status, await unknown.text()]).toEqual([404, 'Not Found']);
  const wrong = await server.fetch(GENERATE);
  expect([wrong.status, await wrong.text(), wrong.headers.get('allow')]).toEqual([405, '', 'POST']);
  expect(await (await server.fetch('/health')).text()).toBe('Ok');
});
