// Real clients: the openai package, the Vercel AI SDK, LangChain: list, complete, chat, stream, abort, log-probabilities, errors, retries.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Rule } from '../../src/server/index.js';
import { talkingModel } from '../chat-model.js';
import { ROOT } from '../cli.js';
import { describeFullWith } from '../needs.js';
import { type Answer, chat, names, serverFor, until } from './asking.js';

const FOLDER = join(ROOT, 'test/clients');
const from = createRequire(join(FOLDER, 'package.json'));
// The packages are installed for the full tier only, so their types are not there otherwise.
const load = (name: string): Answer => import(from.resolve(name));

const missing = (name: string) =>
  existsSync(join(FOLDER, 'node_modules', name)) ? null : `there is no ${name} in ${FOLDER}: npm ci there`;

const talking = talkingModel(4000);
const who = [{ role: 'user' as const, content: 'who?' }];

async function listening(rules: readonly Rule[] = []) {
  const server = serverFor({ models: { chat, names, talking }, keys: ['key'], rules, record: true });
  const { url } = await server.listen(0);
  return { server, baseURL: `${url}/v1`, apiKey: 'key' };
}

describeFullWith(missing('openai'), 'the openai package', () => {
  async function client(rules: readonly Rule[] = [], options = {}) {
    const { default: OpenAI } = await load('openai');
    const { server, ...access } = await listening(rules);
    return { server, OpenAI, openai: new OpenAI({ ...access, maxRetries: 0, ...options }) };
  }

  test('lists, completes, chats, with usage and log-probabilities', async () => {
    const { openai } = await client();
    const listed = [];
    for await (const model of openai.models.list()) listed.push(model.id);
    expect(listed).toEqual(['chat', 'names', 'talking']);
    expect((await openai.models.retrieve('names')).id).toBe('names');
    const completed = await openai.completions.create({ model: 'names', prompt: 'ma', n: 2, seed: 1 });
    expect(completed.choices.map((choice: Answer) => choice.finish_reason)).toHaveLength(2);
    const { data, response } = await openai.chat.completions
      .create({ model: 'chat', messages: who, temperature: 0, logprobs: true, top_logprobs: 3 })
      .withResponse();
    expect(data.choices[0].message.content).toBe('a cat');
    expect(data.choices[0].logprobs.content).toHaveLength(5);
    expect(data.usage.completion_tokens).toBe(5);
    expect(response.headers.get('x-request-id')).toBe(data._request_id);
  });

  test('in-process, without a port; aborting is as with a port', async () => {
    const { default: OpenAI } = await load('openai');
    const server = serverFor({ models: { chat, talking } });
    const openai = new OpenAI({ fetch: server.fetch, baseURL: 'http://in-process/v1', apiKey: 'none', maxRetries: 0 });
    const answer = await openai.chat.completions.create({ model: 'chat', messages: who, temperature: 0 });
    expect(answer.choices[0].message.content).toBe('a cat');
    const stream = await openai.chat.completions.create({ model: 'talking', messages: who, stream: true });
    let count = 0;
    for await (const _ of stream) if (count++ === 5) break;
    await until(() => server.active() === 0);
    const controller = new AbortController();
    const asked = openai.chat.completions.create({ model: 'talking', messages: who }, { signal: controller.signal });
    await until(() => server.active() === 1);
    controller.abort();
    await expect(asked).rejects.toThrow(/abort/i);
    await until(() => server.active() === 0);
  });

  test('scores candidates by echo', async () => {
    const { openai } = await client();
    const scored = await openai.completions.create({
      model: 'names',
      prompt: ['anna', 'xqzk'],
      echo: true,
      max_tokens: 0,
      logprobs: 0,
    });
    const [good, bad] = scored.choices.map((choice: Answer) =>
      choice.logprobs.token_logprobs.reduce((a: number, b: number) => a + b),
    );
    expect(good).toBeGreaterThan(bad + 5);
  });

  test('streams: chunks, usage, the helper that puts them together', async () => {
    const { openai } = await client();
    const stream = await openai.chat.completions.create({
      model: 'chat',
      messages: who,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect([text, usage.completion_tokens]).toEqual(['a cat', 5]);
    const helper = openai.chat.completions.stream({ model: 'chat', messages: who, temperature: 0 });
    expect((await helper.finalChatCompletion()).choices[0]).toMatchObject({
      message: { content: 'a cat' },
      finish_reason: 'stop',
    });
    const completion = await openai.completions.create({ model: 'names', prompt: 'jo', stream: true });
    let name = 'jo';
    for await (const chunk of completion) name += chunk.choices[0].text;
    expect(name).toMatch(/^jo[a-z]*$/);
  });

  test('aborts: the work ends', async () => {
    const { openai, server } = await client();
    const stream = await openai.chat.completions.create({ model: 'talking', messages: who, stream: true });
    let count = 0;
    for await (const _ of stream) if (count++ === 5) break;
    await until(() => server.active() === 0);
    const controller = new AbortController();
    const asked = openai.chat.completions.create({ model: 'talking', messages: who }, { signal: controller.signal });
    await until(() => server.active() === 1);
    controller.abort();
    await expect(asked).rejects.toThrow(/abort/i);
    await until(() => server.active() === 0);
  });

  test('errors are those of the package, with code and param', async () => {
    const { openai, OpenAI } = await client();
    const { baseURL } = openai;
    await expect(openai.completions.create({ model: 'nowhere', prompt: '' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
    });
    await expect(openai.completions.create({ model: 'names', prompt: '', n: 1000 })).rejects.toThrow(
      '400 n must be a whole number from 1 to 8, got 1000',
    );
    await expect(
      openai.chat.completions.create({ model: 'chat', messages: [{ role: 'user', content: 'hi'.repeat(50) }] }),
    ).rejects.toMatchObject({ code: 'context_length_exceeded' });
    const stranger = new OpenAI({ baseURL, apiKey: 'wrong', maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  });

  test('retries: 429, 500 and 503 are tried again and succeed; a cut is an error', async () => {
    const rules = [
      { contains: 'who', times: 1, status: 429, retryAfter: 0 },
      { contains: 'who', times: 1, status: 500 },
      { contains: 'hi', cut: 3 },
      { contains: 'bye', hang: true },
      { contains: 'name', reply: 'I am a rule.' },
    ];
    const { openai, server } = await client(rules, { maxRetries: 3 });
    const answer = await openai.chat.completions.create({ model: 'chat', messages: who, temperature: 0 });
    expect([answer.choices[0].message.content, server.requests.length]).toEqual(['a cat', 3]);
    const stream = await openai.chat.completions.create({
      model: 'chat',
      messages: [{ role: 'user', content: 'hi' }],
      stream: true,
    });
    const chunks: unknown[] = [];
    await expect(
      (async () => {
        for await (const chunk of stream) chunks.push(chunk);
      })(),
    ).rejects.toThrow();
    expect(chunks.length).toBeLessThanOrEqual(3); // what a break overtakes is lost
    const late = openai.chat.completions.create(
      { model: 'chat', messages: [{ role: 'user', content: 'bye' }] },
      { timeout: 50, maxRetries: 0 },
    );
    await expect(late).rejects.toThrow(/timed out/i);
    const scripted = await openai.chat.completions
      .create({ model: 'names', messages: [{ role: 'user', content: 'name?' }] })
      .catch((error: Answer) => error);
    expect(scripted.code).toBe('chat_not_supported'); // a rule changes the text, not what a model can do
    const said = await openai.chat.completions.create({
      model: 'chat',
      messages: [{ role: 'user', content: 'name?' }],
    });
    expect(said.choices[0].message.content).toBe('I am a rule.');
  });

  test('an app of long prompts and structured answers is tested by rule, without a model that could do it', async () => {
    const { openai, server } = await client([{ contains: 'weather', reply: '{"sunny":true}' }]);
    const format = { type: 'json_schema', json_schema: { name: 'weather', schema: { type: 'object' } } };
    const asked = {
      model: 'chat',
      messages: [{ role: 'user' as const, content: `${'What is it like outside? '.repeat(40)}The weather, as JSON.` }],
      max_completion_tokens: 1000,
      response_format: format,
      logprobs: true,
    };
    const { choices } = await openai.chat.completions.parse(asked);
    expect(choices[0].message.parsed).toEqual({ sunny: true });
    expect(choices[0].logprobs.content.map((token: Answer) => token.token).join('')).toBe('{"sunny":true}');
    expect(server.requests.at(-1)?.body).toMatchObject({ response_format: format });
    await expect(openai.chat.completions.parse({ ...asked, messages: who })).rejects.toMatchObject({
      param: 'response_format',
    });
  });

  test('more than there is room for: with its retries, all succeed', async () => {
    const { default: OpenAI } = await load('openai');
    const server = serverFor({ models: { chat }, limits: { active: 2, queued: 4 } });
    const { url } = await server.listen(0);
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 12 });
    const all = await Promise.all(
      Array.from({ length: 40 }, () =>
        openai.chat.completions.create({ model: 'chat', messages: who, temperature: 0 }),
      ),
    );
    expect(all.map((answer: Answer) => answer.choices[0].message.content)).toEqual(Array(40).fill('a cat'));
  }, 60_000);
});

describeFullWith(missing('ai'), 'the Vercel AI SDK', () => {
  async function provider(rules: readonly Rule[] = []) {
    const { createOpenAICompatible } = await load('@ai-sdk/openai-compatible');
    const { server, ...access } = await listening(rules);
    return {
      ai: await load('ai'),
      server,
      microgpt: createOpenAICompatible({ name: 'microgpt', includeUsage: true, ...access }),
    };
  }

  test('generateText and streamText', async () => {
    const { ai, microgpt } = await provider();
    const asked = { model: microgpt('chat'), prompt: 'who?', system: 'You are a cat.', temperature: 0 };
    const { text, usage, finishReason } = await ai.generateText(asked);
    expect([text, usage.outputTokens, finishReason]).toEqual(['a cat', 5, 'stop']);
    const streamed = ai.streamText(asked);
    const parts: string[] = [];
    for await (const part of streamed.textStream) parts.push(part);
    expect(parts.join('')).toBe('a cat');
    expect((await streamed.usage).outputTokens).toBe(5);
    const completed = await ai.generateText({
      model: microgpt.completionModel('talking'),
      prompt: 'ma',
      maxOutputTokens: 4,
    });
    expect(completed.text).toMatch(/^[a-z ]{1,4}$/);
  });

  test('an object by rule; a cut in the middle of a stream is an error', async () => {
    const { ai, microgpt } = await provider([
      { contains: 'weather', reply: '{"sunny":true}' },
      { contains: 'hi', cut: 3 },
    ]);
    const schema = ai.jsonSchema({ type: 'object', properties: { sunny: { type: 'boolean' } } });
    const { object } = await ai.generateObject({ model: microgpt('chat'), schema, prompt: 'The weather?' });
    expect(object).toEqual({ sunny: true });
    const streamed = ai.streamText({ model: microgpt('chat'), prompt: 'hi', maxRetries: 0 });
    const parts: string[] = [];
    await expect(
      (async () => {
        for await (const part of streamed.textStream) parts.push(part);
      })(),
    ).rejects.toThrow('Failed to process');
    expect('he'.startsWith(parts.join(''))).toBe(true); // what a break overtakes is lost
  });

  test('abort, an error, retries', async () => {
    const { ai, microgpt, server } = await provider([{ contains: 'hi', times: 2, status: 503, retryAfter: 0 }]);
    const controller = new AbortController();
    const streamed = ai.streamText({ model: microgpt('talking'), prompt: 'who?', abortSignal: controller.signal });
    for await (const _ of streamed.textStream) {
      controller.abort();
      break;
    }
    await until(() => server.active() === 0);
    await expect(ai.generateText({ model: microgpt('nowhere'), prompt: 'x', maxRetries: 0 })).rejects.toMatchObject({
      statusCode: 404,
    });
    const { text } = await ai.generateText({ model: microgpt('chat'), prompt: 'hi', temperature: 0, maxRetries: 2 });
    expect(text).toBe('hello');
    expect(server.requests.filter(({ body }) => JSON.stringify(body).includes('"hi"'))).toHaveLength(3);
  }, 60_000);
});

describeFullWith(missing('@langchain/openai'), 'LangChain', () => {
  async function model(options = {}, rules: readonly Rule[] = []) {
    const { ChatOpenAI } = await load('@langchain/openai');
    const { baseURL, apiKey, server } = await listening(rules);
    return {
      server,
      model: new ChatOpenAI({
        model: 'chat',
        temperature: 0,
        apiKey,
        configuration: { baseURL },
        maxRetries: 2,
        ...options,
      }),
    };
  }

  test('invoke, stream, batch', async () => {
    const { model: chatModel } = await model();
    const answer = await chatModel.invoke([
      ['system', 'You are a cat.'],
      ['human', 'who?'],
    ]);
    expect([answer.content, answer.usage_metadata.output_tokens]).toEqual(['a cat', 5]);
    let text = '';
    for await (const chunk of await chatModel.stream('who?')) text += chunk.content;
    expect(text).toBe('a cat');
    const batch = await chatModel.batch(['hi', 'who?', 'bye']);
    expect(batch.map((one: Answer) => one.content)).toEqual(['hello', 'a cat', 'so long']);
  });

  test('structured output by rule', async () => {
    const { model: chatModel } = await model({}, [{ contains: 'weather', reply: '{"sunny":true}' }]);
    const schema = { title: 'weather', type: 'object', properties: { sunny: { type: 'boolean' } } };
    const structured = chatModel.withStructuredOutput(schema, { method: 'jsonSchema' });
    expect(await structured.invoke('The weather?')).toEqual({ sunny: true });
  });

  test('log-probabilities, abort, errors, retries', async () => {
    const { model: scored } = await model({ logprobs: true, topLogprobs: 2 }, [{ times: 1, status: 500 }]);
    const answer = await scored.invoke('who?');
    expect(answer.response_metadata.logprobs.content).toHaveLength(5);
    const { model: talk, server } = await model({ model: 'talking' });
    const controller = new AbortController();
    const asked = talk.invoke('who?', { signal: controller.signal });
    await until(() => server.active() === 1);
    controller.abort();
    await expect(asked).rejects.toThrow();
    await until(() => server.active() === 0);
    const { model: wrong } = await model({ model: 'nowhere', maxRetries: 0 });
    await expect(wrong.invoke('x')).rejects.toMatchObject({ status: 404 });
  }, 60_000);
});
