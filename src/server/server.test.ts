// The server in-process, without a port: what the field's API answers, and how it refuses.
import { afterEach, describe, expect, test } from 'vitest';
import { randomChatModel, talkingModel, trainedChatModel } from '../../test/chat-model.js';
import { FULL, goldenText } from '../../test/golden.js';
import { decodeModel } from '../checkpoint/decode.js';
import { chatPrompt } from '../engine/conversation.js';
import { score } from '../engine/score.js';
import { generate } from '../engine/text.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { createServer, type Server, type ServerOptions } from './index.js';

const names = decodeModel(
  new TextEncoder().encode(goldenText('persistence/model.json')),
  'persistence/model.json',
).checkpoint;
const chat = trainedChatModel();

const TIMES = FULL ? 1000 : 200;

let open: Server[] = [];
afterEach(async () => {
  for (const server of open) await server.close();
  open = [];
});

function serverFor(options: ServerOptions = {}): Server {
  const server = createServer({ models: { names, chat }, ...options });
  open.push(server);
  return server;
}

const post = (server: Server, path: string, body: unknown, init: RequestInit = {}) =>
  server.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });

// biome-ignore lint/suspicious/noExplicitAny: answers of an API, looked at from outside
type Answer = any;
const ask = async (server: Server, path: string, body: unknown): Promise<Answer> => {
  const response = await post(server, path, body);
  return await response.json();
};
const eventsOf = (text: string): Answer[] =>
  text
    .split('\n\n')
    .slice(0, -2)
    .map((line) => JSON.parse(line.replace(/^data: /, '')));

describe('completions', () => {
  test('text goes on, the same as in the library', async () => {
    const server = serverFor();
    const answer = await ask(server, '/v1/completions', {
      model: 'names',
      prompt: 'ma',
      n: 3,
      seed: 7,
      temperature: 0.8,
    });
    const expected = generate(names, { prompt: 'ma', samples: 3, seed: 7, temperature: 0.8 });
    expect(answer.choices.map((choice: Answer) => `ma${choice.text}`)).toEqual(expected);
    expect(answer).toMatchObject({ object: 'text_completion', model: 'names', created: 0 });
    expect(answer.id).toMatch(/^cmpl-[0-9a-f]{24}$/);
    const drawn = answer.choices.reduce((sum: number, { text }: Answer) => sum + text.length, 0);
    expect(answer.usage).toEqual({ prompt_tokens: 3, completion_tokens: drawn, total_tokens: 3 + drawn });
    for (const { text, finish_reason } of answer.choices)
      expect(finish_reason).toBe(text.length < 6 ? 'stop' : 'length');
  });

  test('the chunks of a stream, put together, are the answer; byte by byte as the API says', async () => {
    const server = serverFor();
    const body = { model: 'names', prompt: 'jo', n: 3, seed: 3, logprobs: 2, echo: true };
    const whole = await ask(server, '/v1/completions', body);
    const response = await post(server, '/v1/completions', {
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const text = await response.text();
    expect(text).toMatch(/^(data: \{[^\n]*\}\n\n)+data: \[DONE\]\n\n$/);
    const events = eventsOf(text);
    for (const { index, text: expected, logprobs, finish_reason } of whole.choices) {
      const own = events.flatMap((event) => event.choices).filter((choice) => choice.index === index);
      expect(own.map((choice) => choice.text).join('')).toBe(expected);
      for (const list of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'] as const) {
        expect(own.flatMap((choice) => choice.logprobs[list])).toEqual(logprobs[list]);
      }
      expect(own.at(-1).finish_reason).toBe(finish_reason);
      expect(own.slice(0, -1).every((choice) => choice.finish_reason === null)).toBe(true);
    }
    expect(events.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    expect(events.slice(0, -1).every((event) => event.usage === null)).toBe(true);
  });

  test('echo with log-probabilities scores a prompt: the sum is that of the library', async () => {
    const server = serverFor();
    const prompts = ['anna', 'xqzk', 'an7'];
    const { choices } = await ask(server, '/v1/completions', {
      prompt: prompts,
      max_tokens: 0,
      echo: true,
      logprobs: 1,
    });
    const sums = choices.map(({ logprobs }: Answer) =>
      logprobs.token_logprobs.reduce((a: number, b: number) => a + b, 0),
    );
    const scores = score(names, prompts).map(({ logProbability, endBits }) => logProbability + endBits * Math.LN2);
    sums.forEach((sum: number, i: number) => {
      expect(sum).toBeCloseTo(scores[i], 9);
    });
    expect(sums[0]).toBeGreaterThan(sums[1]);
    expect(choices[0].logprobs).toMatchObject({ tokens: ['a', 'n', 'n', 'a'], text_offset: [0, 1, 2, 3] });
    // The token itself is among the likeliest, as OpenAI has it: one more where it is none of them.
    for (const { tokens, token_logprobs, top_logprobs } of choices.map(({ logprobs }: Answer) => logprobs)) {
      expect(top_logprobs.map((top: Answer, i: number) => top[tokens[i]])).toEqual(token_logprobs);
    }
    expect(choices[1].logprobs.top_logprobs.map((top: Answer) => Object.keys(top).length)).toContain(2);
    expect(choices.map((choice: Answer) => choice.finish_reason)).toEqual(['length', 'length', 'length']);
  });

  test('what is drawn has the log-probabilities that it has as a prompt', async () => {
    const server = serverFor();
    const drawn = await ask(server, '/v1/completions', {
      prompt: 'k',
      logprobs: 3,
      seed: 9,
      temperature: 0.3,
      max_tokens: 5,
    });
    const [{ text, logprobs }] = drawn.choices;
    const read = await ask(server, '/v1/completions', { prompt: `k${text}`, max_tokens: 0, echo: true, logprobs: 3 });
    expect(read.choices[0].logprobs.token_logprobs.slice(1)).toEqual(logprobs.token_logprobs);
    expect(read.choices[0].logprobs.top_logprobs.slice(1)).toEqual(logprobs.top_logprobs);
  });

  test('a stop string ends the text before it, and its tokens are not shown', async () => {
    const server = serverFor({ models: { talking: talkingModel(300) } });
    const plain = await ask(server, '/v1/completions', { prompt: 'ab', max_tokens: 200 });
    const stop = plain.choices[0].text.slice(20, 23);
    const stopped = await ask(server, '/v1/completions', {
      prompt: 'ab',
      max_tokens: 200,
      stop: [stop, '!'],
      logprobs: 0,
    });
    const [{ text, logprobs, finish_reason }] = stopped.choices;
    expect(text).toBe(plain.choices[0].text.slice(0, plain.choices[0].text.indexOf(stop)));
    expect([logprobs.tokens.join(''), finish_reason]).toEqual([text, 'stop']);
    const streamed = await post(server, '/v1/completions', {
      prompt: 'ab',
      max_tokens: 200,
      stop,
      logprobs: 0,
      stream: true,
    });
    const events = eventsOf(await streamed.text()).flatMap((event) => event.choices);
    expect(events.map((choice) => choice.text).join('')).toBe(text);
    expect(events.flatMap((choice) => choice.logprobs.tokens).join('')).toBe(text);
  });

  test('choices and patterns are kept to, after any prompt', async () => {
    const server = serverFor();
    for (let seed = 0; seed < 5; seed++) {
      const chosen = await ask(server, '/v1/completions', { prompt: 'a.', choices: ['lex', 'nna'], seed });
      expect(['lex', 'nna']).toContain(chosen.choices[0].text);
      const matched = await ask(server, '/v1/completions', { prompt: 'b', guided_regex: '[aeiou]{3}', seed });
      expect(matched.choices[0].text).toMatch(/^[aeiou]{3}$/);
    }
  });

  test('bytes as tokens: characters come whole, bytes are shown as OpenAI shows them', async () => {
    const bytes = randomChatModel(createByteTokenizer('bos'), 64);
    const server = serverFor({ models: { bytes } });
    const { choices } = await ask(server, '/v1/completions', {
      prompt: 'é!',
      echo: true,
      logprobs: 0,
      max_tokens: 12,
      seed: 2,
    });
    const [{ text, logprobs }] = choices;
    expect(logprobs.tokens.slice(0, 3)).toEqual(['bytes:\\xc3', 'bytes:\\xa9', '!']);
    expect(logprobs.text_offset.slice(0, 3)).toEqual([0, 1, 1]);
    expect(logprobs.tokens).toHaveLength(15);
    expect(text.startsWith('é!')).toBe(true);
  });
});

describe('chat', () => {
  const messages = [{ role: 'user', content: 'who?' }];

  test('the reply, its log-probabilities, and counts', async () => {
    const server = serverFor();
    const answer = await ask(server, '/v1/chat/completions', {
      model: 'chat',
      messages,
      temperature: 0,
      logprobs: true,
      top_logprobs: 2,
    });
    expect(answer.choices).toHaveLength(1);
    const [{ message, logprobs, finish_reason }] = answer.choices;
    expect([message, finish_reason]).toEqual([{ role: 'assistant', content: 'a cat', refusal: null }, 'stop']);
    expect(logprobs.content.map((token: Answer) => token.token).join('')).toBe('a cat');
    for (const token of logprobs.content) {
      expect(token.top_logprobs[0]).toEqual({ token: token.token, logprob: token.logprob, bytes: token.bytes });
      expect(token.top_logprobs).toHaveLength(2);
    }
    const read = chatPrompt(chat.tokenizer, [{ role: 'user', content: 'who?' }], 48).tokens.length;
    expect(answer.usage).toEqual({ prompt_tokens: read, completion_tokens: 5, total_tokens: read + 5 });
  });

  test('streamed: role first, then text, then the reason to finish, then usage', async () => {
    const server = serverFor();
    const body = { model: 'chat', messages, temperature: 0, stream: true, stream_options: { include_usage: true } };
    const events = eventsOf(await (await post(server, '/v1/chat/completions', body)).text());
    expect(events.map((event) => event.choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '' },
      ...[...'a cat'].map((content) => ({ content })),
      {},
      undefined,
    ]);
    expect(events.map((event) => event.choices[0]?.finish_reason)).toEqual([...Array(6).fill(null), 'stop', undefined]);
    expect(events.at(-1).usage.completion_tokens).toBe(5);
  });

  test('system and developer messages are left out, and the answer says so', async () => {
    const server = serverFor();
    const plain = await ask(server, '/v1/chat/completions', { model: 'chat', messages });
    const body = {
      model: 'chat',
      messages: [{ role: 'system', content: 'Be good.' }, { role: 'developer', content: 'x' }, ...messages],
    };
    const response = await post(server, '/v1/chat/completions', body);
    expect(response.headers.get('x-microgpt-messages-left-out')).toBe('2');
    expect(((await response.json()) as Answer).choices).toEqual(plain.choices);
  });

  test('a model of single exchanges reads the last one: what came before takes no room, and the answer says so', async () => {
    const server = serverFor({ models: { short: { ...chat, run: { exchanges: 1 } } } });
    const earlier = ['a'.repeat(60), 'hello'].map((content, i) => ({ role: i === 0 ? 'user' : 'assistant', content }));
    const alone = await ask(server, '/v1/chat/completions', { messages, temperature: 0 });
    const body = { messages: [...earlier, ...messages], temperature: 0 };
    const response = await post(server, '/v1/chat/completions', body);
    const { choices, usage } = (await response.json()) as Answer;
    expect({ choices, usage }).toEqual({ choices: alone.choices, usage: alone.usage });
    expect(response.headers.get('x-microgpt-messages-left-out')).toBe('2');
    const other = await ask(serverFor({ models: { chat } }), '/v1/chat/completions', body);
    expect(other.error.code).toBe('context_length_exceeded'); // one of whole conversations reads them all
  });

  test('content may be parts of text; unknown characters are counted; several answers', async () => {
    const server = serverFor();
    const body = {
      model: 'chat',
      n: 2,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'hi' },
            { type: 'text', text: '#' },
          ],
        },
      ],
    };
    const response = await post(server, '/v1/chat/completions', body);
    expect(response.headers.get('x-microgpt-unknown-characters')).toBe('1');
    expect(((await response.json()) as Answer).choices.map((choice: Answer) => choice.index)).toEqual([0, 1]);
  });

  test('choices are kept to, also by a model that would say something else', async () => {
    const server = serverFor();
    for (const choices of [['hello', 'so long'], ['cat'], ['hi', 'bye']]) {
      const answer = await ask(server, '/v1/chat/completions', {
        model: 'chat',
        messages,
        choices,
        n: 4,
        temperature: 2,
      });
      for (const choice of answer.choices) {
        expect(choices).toContain(choice.message.content);
        expect(choice.finish_reason).toBe('stop');
      }
    }
  });

  test('a model that cannot chat, and a conversation that is too long, are 400s that say so', async () => {
    const server = serverFor();
    const other = await post(server, '/v1/chat/completions', { model: 'names', messages });
    expect([other.status, ((await other.json()) as Answer).error]).toMatchObject([
      400,
      {
        code: 'chat_not_supported',
        param: 'model',
        message: 'the model "names" was not trained on conversations; chat was',
      },
    ]);
    // Who names none gets the first that can.
    const unnamed = await post(server, '/v1/chat/completions', { messages });
    expect(((await unnamed.json()) as Answer).model).toBe('chat');
    const long = await post(server, '/v1/chat/completions', {
      model: 'chat',
      messages: [{ role: 'user', content: 'hi'.repeat(40) }],
    });
    expect(long.status).toBe(400);
    expect(((await long.json()) as Answer).error).toMatchObject({
      code: 'context_length_exceeded',
      param: 'messages',
      type: 'invalid_request_error',
    });
  });
});

describe('the rest', () => {
  test('who asks while it closes, or afterwards, hears that it shuts down', async () => {
    const server = serverFor();
    const asked = ask(server, '/v1/completions', { prompt: 'a' });
    await server.close();
    const codes = [(await asked).error.code, (await ask(server, '/v1/completions', { prompt: 'a' })).error.code];
    expect(codes).toEqual(['server_shutdown', 'server_shutdown']);
  });

  test('models, health, readiness, metrics, document, page', async () => {
    const server = serverFor();
    const get = async (path: string) => await server.fetch(path);
    expect(((await (await get('/v1/models')).json()) as Answer).data.map((model: Answer) => model.id)).toEqual([
      'names',
      'chat',
    ]);
    expect(await (await get('/v1/models/chat')).json()).toEqual({
      id: 'chat',
      object: 'model',
      created: 0,
      owned_by: 'microgpt',
    });
    expect(await (await get('/health')).text()).toBe('Ok');
    expect((await get('/ready')).status).toBe(200);
    expect(await (await get('/metrics')).text()).toContain(
      'microgpt_requests_total{route="/v1/models",status="200"} 1\n',
    );
    const document = (await (await get('/openapi.json')).json()) as Answer;
    expect(document.openapi).toBe('3.1.0');
    expect(
      document.paths['/v1/completions'].post.requestBody.content['application/json'].schema.properties.n,
    ).toBeDefined();
    const page = await get('/');
    expect(await page.text()).toMatch(/^<!doctype html>/);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect((await get('/page.js')).headers.get('x-content-type-options')).toBe('nosniff');
  });

  test(`the same request gives the same bytes ${TIMES} times, alone and among others, on another server, after other prompts`, async () => {
    const server = serverFor();
    const body = { model: 'names', prompt: 'ma', n: 2, seed: 5, logprobs: 1, stream: true };
    const text = async (on: Server) => await (await post(on, '/v1/completions', body)).text();
    const first = await text(server);
    const many = Array.from({ length: TIMES }, async (_, i) => {
      if (i % 3 === 0)
        await post(server, '/v1/completions', { model: 'names', prompt: 'mar', seed: i }).then((r) => r.text());
      return await text(server);
    });
    // As many as are admitted at once; the others are sent away.
    const answers = await Promise.all(many);
    const whole = answers.filter((answer) => !answer.startsWith('{"error"'));
    expect(new Set(whole)).toEqual(new Set([first]));
    expect(whole.length).toBeGreaterThanOrEqual(96);
    let one = 0;
    while (one + whole.length < TIMES) {
      expect(await text(server)).toBe(first);
      one++;
    }
    expect(await text(serverFor())).toBe(first);
  });
});
