// Clients that do not take what is written for them: they keep nobody out, and get everything when they read on. (N11)
import { expect, test } from 'vitest';
import { talkingModel } from '../chat-model.js';
import { names, post, serverFor, until } from './asking.js';

const talking = talkingModel(1000);
const models = { talking, names };
const body = {
  model: 'talking',
  prompt: 'a',
  n: 2,
  max_tokens: 300,
  stream: true,
  logit_bias: { [talking.tokenizer.bos!]: -100 },
};
const COMPLETIONS = '/v1/completions';

test('all places are held by clients that read nothing: another is answered, and they lose nothing', async () => {
  const server = serverFor({ models });
  const whole = await (await post(server, COMPLETIONS, body)).text();
  // Asked, and never read from.
  const never = await Promise.all(Array.from({ length: 32 }, () => post(server, COMPLETIONS, body)));
  expect([server.active(), server.waiting()]).toEqual([32, 0]);
  const readers = never.map((response) => response.body!.getReader());
  const first = await Promise.all(readers.map(async (reader) => (await reader.read()).value));
  for (const asked of [
    { ...body, stream: false },
    { model: 'names', prompt: 'ma' },
  ])
    expect((await post(server, COMPLETIONS, asked)).status).toBe(200);
  expect(await (await post(server, COMPLETIONS, body)).text()).toBe(whole);
  expect(server.active()).toBe(32);
  const texts = await Promise.all(
    readers.map(async (reader, i) => {
      const decoder = new TextDecoder();
      let text = decoder.decode(first[i], { stream: true });
      for (let next = await reader.read(); !next.done; next = await reader.read())
        text += decoder.decode(next.value, { stream: true });
      return text;
    }),
  );
  expect(new Set(texts)).toEqual(new Set([whole]));
  await until(() => server.active() === 0);
}, 60_000);

test('as many as memory is there for, no more; those who read are counted', async () => {
  const server = serverFor({ models, limits: { active: 3, behind: 4 } }); // two texts each
  const ask = async () => {
    const reader = (await post(server, COMPLETIONS, body)).body!.getReader();
    await reader.read();
    return reader;
  };
  const never = await Promise.all(Array.from({ length: 5 }, ask));
  expect(server.active()).toBe(5);
  // All five are behind, and two of them are not counted: three places are taken.
  let answered = false;
  const sixth = post(server, COMPLETIONS, { ...body, stream: false }).then(async (response) => {
    answered = true;
    return await response.text();
  });
  await until(() => server.waiting() === 1);
  await new Promise((resolve) => setTimeout(resolve, 500)); // looked at several times
  expect([answered, server.active(), server.waiting()]).toEqual([false, 5, 1]);
  await never[0].cancel();
  expect(JSON.parse(await sixth).choices).toHaveLength(2);
  // One who reads again is counted again, and goes on although there are more than three.
  let text = '';
  const decoder = new TextDecoder();
  for (let next = await never[1].read(); !next.done; next = await never[1].read())
    text += decoder.decode(next.value, { stream: true });
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  for (const reader of never.slice(2)) await reader.cancel();
  await until(() => server.active() === 0);
}, 60_000);
