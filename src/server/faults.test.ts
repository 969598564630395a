// Errors, waits, cuts and texts as a test of a client asks for them, by rule and by header; and what was asked is on record.
import { expect, test } from 'vitest';
import { type Answer, chat, eventsOf, names, post, serverFor } from '../../test/http/asking.js';
import type { ServerOptions } from './index.js';

const CHAT = '/v1/chat/completions';
const say = (content: string, more: object = {}) => ({ model: 'chat', messages: [{ role: 'user', content }], ...more });
const server = (options: ServerOptions) => serverFor({ models: { names, chat }, ...options });

test('rules: the first that fits, as often as it says; then the model answers again', async () => {
  const one = server({
    rules: [
      { contains: 'hi', times: 2, status: 429, retryAfter: 7 },
      { path: '/v1/completions', status: 500 },
      { model: 'chat', contains: 'weather', reply: 'It is sunny. 🌞' },
    ],
  });
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) statuses.push((await post(one, CHAT, say('hi'))).status);
  expect(statuses).toEqual([429, 429, 200]);
  const refused = await post(one, '/v1/completions', { prompt: 'a' });
  expect([refused.status, ((await refused.json()) as Answer).error]).toEqual([
    500,
    { message: 'this error was asked for', type: 'server_error', param: null, code: 'internal_error' },
  ]);
  const answer = (await (await post(one, CHAT, say('weather?'))).json()) as Answer;
  expect(answer.choices[0]).toMatchObject({ message: { content: 'It is sunny. 🌞' }, finish_reason: 'stop' });
  expect(answer.usage.completion_tokens).toBe(14);
  const short = (await (await post(one, CHAT, say('weather?', { max_tokens: 5 }))).json()) as Answer;
  expect([short.choices[0].message.content, short.choices[0].finish_reason]).toEqual(['It is', 'length']);
  const streamed = eventsOf(await (await post(one, CHAT, say('weather', { stream: true }))).text());
  expect(streamed.map((event) => event.choices[0].delta.content ?? '').join('')).toBe('It is sunny. 🌞');
});

test('a reply that is given needs no model: prompts of any length, any form; stop, log-probabilities as ever', async () => {
  const one = server({ rules: [{ reply: '{"Ö": 1} and more' }] });
  const long = say('a'.repeat(5000), { response_format: { type: 'json_object' }, max_tokens: 1000, stop: [' and'] });
  const json = (await (await post(one, CHAT, long)).json()) as Answer;
  expect([json.choices[0].message.content, json.choices[0].finish_reason]).toEqual(['{"Ö": 1}', 'stop']);
  const scored = (await (await post(one, CHAT, { ...long, logprobs: true, top_logprobs: 3 })).json()) as Answer;
  const { content } = scored.choices[0].logprobs;
  expect(content.map((token: Answer) => token.token).join('')).toBe('{"Ö": 1}');
  expect(content[2]).toMatchObject({ token: 'Ö', logprob: 0, bytes: [0xc3, 0x96], top_logprobs: [{ token: 'Ö' }] });
  const asked = { prompt: 'x'.repeat(500), echo: true, logprobs: 1, max_tokens: 3 };
  const { choices } = (await (await post(one, '/v1/completions', asked)).json()) as Answer;
  expect(choices[0].text).toBe(`${asked.prompt}{"Ö`);
  expect(choices[0].logprobs.tokens.join('')).toBe(choices[0].text);
  expect(choices[0].logprobs.text_offset.at(-1)).toBe(502);
  // Whom a rule does not answer the model does, and it has its limits.
  const unscripted = await post(server({}), CHAT, long);
  expect(unscripted.status).toBe(400);
});

test('by header, where that is allowed; elsewhere the header means nothing', async () => {
  const open = server({ faults: true });
  const fault = async (text: string, more: object = {}) =>
    await post(open, CHAT, say('hi', more), { 'x-microgpt-fault': text });
  const refused = await fault('status=503; retry-after=3');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '3']);
  const since = performance.now();
  expect((await fault('delay=60')).status).toBe(200);
  expect(performance.now() - since).toBeGreaterThan(55);
  const slow = performance.now();
  await (await fault('slow=10; reply=abcdefghij', { stream: true })).text();
  expect(performance.now() - slow).toBeGreaterThan(90); // ten pauses; a timer may come a hair early, never late enough to fail here
  const reader = (await fault('cut=2; reply=abc', { stream: true })).body!.getReader();
  let text = '';
  await expect(
    (async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read())
        text += new TextDecoder().decode(next.value);
    })(),
  ).rejects.toThrow();
  expect(eventsOf(text)).toHaveLength(2);
  await expect(fault('cut=0').then((response) => response.json())).rejects.toThrow();
  for (const wrong of ['nonsense', 'status=418', 'delay=-1', 'slow=x', 'reply=%zz', 'hang=1']) {
    expect([wrong, (await fault(wrong)).status]).toEqual([wrong, 400]);
  }
  const closed = server({});
  expect((await post(closed, CHAT, say('hi'), { 'x-microgpt-fault': 'status=500' })).status).toBe(200);
  const wrong: [object, string][] = [
    [{ status: 418 }, 'rules[1]: status is 418, expected one of 400, 401'],
    [{ status: '429' }, 'rules[1]: status is "429", expected one of'],
    [{ contain: 'x' }, 'rules[1] has no option "contain"'],
    [{ reply: 5 }, 'rules[1]: reply is 5, expected a text'],
    [{ times: '2' }, 'rules[1]: times is "2", expected a whole number'],
    [{ hang: 1 }, 'rules[1]: hang is 1, expected true or false'],
  ];
  for (const [rule, message] of wrong) {
    expect(() => server({ rules: [{}, rule] })).toThrow(
      expect.objectContaining({ code: 'MG_OPTION_VALUE', message: expect.stringContaining(message) }),
    );
  }
});

test('an answer that never comes: the client gives up, and nothing is left', async () => {
  const one = server({ rules: [{ hang: true }] });
  const asked = one.fetch(CHAT, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(say('hi')),
    signal: AbortSignal.timeout(50),
  });
  await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
  expect([one.active(), one.waiting()]).toEqual([0, 0]);
});

test('what was asked is on record, without keys; the oldest are forgotten', async () => {
  const one = server({ keys: ['sk-1'], record: true });
  await post(one, CHAT, say('hi'), { authorization: 'Bearer sk-1', 'x-mine': 'yes' });
  expect(one.requests).toHaveLength(1);
  expect(one.requests[0]).toMatchObject({ id: 'req-1', method: 'POST', path: CHAT, body: say('hi') });
  expect(one.requests[0].headers).toMatchObject({ 'x-mine': 'yes' });
  expect(JSON.stringify(one.requests)).not.toContain('sk-1');
  expect(server({}).requests).toEqual([]);
});
