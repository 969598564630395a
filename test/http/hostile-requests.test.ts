// Requests that mean no good, in-process: bodies, numbers, prompts, names, paths. (N1–N5, N15, N16, N22, N25, N33)
import { expect, test } from 'vitest';
import { createLocalCompute } from '../../src/engine/compute.js';
import { parseStrictly } from '../../src/server/body.js';
import { Refusal } from '../../src/server/refusal.js';
import { createByteTokenizer } from '../../src/tokenizer/byte.js';
import { randomChatModel } from '../chat-model.js';
import { type Answer, chat, names, post, serverFor } from './asking.js';

const COMPLETIONS = '/v1/completions';
const CHAT = '/v1/chat/completions';
const messages = [{ role: 'user', content: 'hi' }];

/** Status, code and field of a refusal. */
async function refusal(response: Response): Promise<[number, string, string | null, string]> {
  const { error } = (await response.json()) as Answer;
  expect(Object.keys(error)).toEqual(['message', 'type', 'param', 'code']);
  return [response.status, error.code, error.param, error.message];
}

test('N1 bodies above 1 MiB are refused, by what they say of themselves and by what they are', async () => {
  const server = serverFor();
  const large = `{"prompt":"${'a'.repeat(1_048_576)}"}`;
  for (const [body, headers] of [
    [large, {}],
    ['{}', { 'content-length': '1048577' }],
  ] as const) {
    const response = await post(server, COMPLETIONS, body, headers);
    expect(response.headers.get('connection')).toBe('close');
    expect((await refusal(response)).slice(0, 2)).toEqual([413, 'body_too_large']);
  }
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536).fill(32));
    },
  });
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: endless, duplex: 'half' };
  const response = await server.fetch(COMPLETIONS, init as RequestInit);
  expect((await refusal(response)).slice(0, 2)).toEqual([413, 'body_too_large']);
  expect(sent).toBeLessThan(3_000_000);
});

test('N2, N22 packed bodies and bodies of other types are not taken', async () => {
  const server = serverFor();
  for (const encoding of ['gzip', 'br', 'identity, gzip']) {
    const found = await refusal(await post(server, COMPLETIONS, '{}', { 'content-encoding': encoding }));
    expect(found.slice(0, 2)).toEqual([415, 'unsupported_encoding']);
  }
  for (const type of [
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    'application/jsonx',
    '',
  ]) {
    const found = await refusal(await post(server, COMPLETIONS, '{}', { 'content-type': type }));
    expect(found.slice(0, 2), type).toEqual([415, 'unsupported_media_type']);
  }
});

test('N3 what is no JSON, or bad JSON, is refused at once', async () => {
  const server = serverFor();
  const bodies = [
    ['[', 'invalid_json'],
    ['['.repeat(500_000), 'invalid_json'],
    ['{"a":'.repeat(100_000), 'invalid_json'],
    ['{"prompt":"a","prompt":"b"}', 'invalid_json'],
    ['{"__proto__":{"n":2}}', 'invalid_json'],
    ['{"logit_bias":{"constructor":1}}', 'invalid_json'],
    [`{"x":[${'0,'.repeat(20_000)}0]}`, 'invalid_json'],
    ['{"n":NaN}', 'invalid_json'],
    ['{"temperature":1e999}', 'invalid_json'],
    ['{"prompt":"a"} x', 'invalid_json'],
    ['', 'empty_body'],
    ['null', 'invalid_value'],
    ['[]', 'invalid_value'],
    ['"text"', 'invalid_value'],
  ] as const;
  for (const [body, code] of bodies) {
    const found = await refusal(await post(server, COMPLETIONS, body));
    expect([body.slice(0, 40), ...found.slice(0, 2)]).toEqual([body.slice(0, 40), 400, code]);
  }
  const bytes = await server.fetch(COMPLETIONS, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: Uint8Array.of(0x7b, 0xff, 0x7d),
  });
  expect((await refusal(bytes)).slice(0, 2)).toEqual([400, 'invalid_utf8']);
  expect(({} as Answer).n).toBeUndefined();
});

test('N3 no body keeps the event loop for longer than one that is a single text of that size', () => {
  const size = 1_048_500;
  const filled = (part: string, before: string, after: string) =>
    `${before}${part.repeat(Math.floor((size - before.length - after.length) / part.length))}${after}`;
  const keys = Array.from({ length: 90_000 }, (_, i) => `"k${i}":1`).join(',');
  /** The least of ten. (bench/serve-hostile.mjs measures the delay of the event loop: at most 10 ms.) */
  const timeOf = (text: string) => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i++) {
      const since = performance.now();
      try {
        parseStrictly(text);
      } catch (error) {
        expect(error).toBeInstanceOf(Refusal);
      }
      least = Math.min(least, performance.now() - since);
    }
    return least;
  };
  const text = timeOf(filled('a', '{"prompt":"', '"}'));
  for (const body of [
    filled('[', '', ''),
    filled('{"a":', '', ''),
    filled('0,', '[', '0]'),
    filled('[],', '[', '[]]'),
    filled('"a":1,', '{', '"a":1}'),
    `{${keys}}`,
    filled('1e308,', '[', '1]'),
    filled(' ', '', ''),
    filled('[0],', '{"prompt":[', '[0]]}'),
  ])
    expect(timeOf(body), body.slice(0, 40)).toBeLessThan(4 * text);
  // Texts may hold as many commas as they like.
  expect(parseStrictly(filled(',', '{"prompt":"\\"', '"}'))).toMatchObject({ prompt: expect.stringMatching(/^",+$/) });
  expect(() => parseStrictly(`[${'0,'.repeat(10_001)}0]`)).toThrow('more than 10,000 values');
  expect(parseStrictly(`[${'0,'.repeat(9_999)}0]`)).toHaveLength(10_000);
});

test('N4 every number has its bounds, and the complaint names the field and the range; nothing is computed', async () => {
  let asked = 0;
  const local = createLocalCompute(
    new Map([
      ['names', names],
      ['chat', chat],
    ]),
  );
  const compute = {
    ...local,
    ask: (...args: Parameters<typeof local.ask>) => {
      asked++;
      return local.ask(...args);
    },
  };
  const server = serverFor({ compute });
  const whole = ['max_tokens', 'n', 'seed', 'top_k'];
  const decimals = ['temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'min_p', 'repetition_penalty'];
  const fields: Record<string, readonly string[]> = {
    [COMPLETIONS]: [...whole, ...decimals, 'logprobs', 'best_of'],
    [CHAT]: [...whole, ...decimals, 'top_logprobs', 'max_completion_tokens'],
  };
  const values = [-3, -1, 0.001, 1.5, 2 ** 31, 2 ** 53, 1e308, '5', [], {}, true];
  let cases = 0;
  for (const [path, list] of Object.entries(fields)) {
    for (const field of list) {
      for (const value of values) {
        const body = { model: path === CHAT ? 'chat' : 'names', prompt: '', messages, [field]: value };
        const fine =
          (typeof value === 'number' &&
            (decimals.includes(field)
              ? (value > 0 && value <= 1) || (value === 1.5 && !['top_p', 'min_p'].includes(field)) || value === -1
              : field === 'seed' && value === 2 ** 31)) ||
          false;
        if (fine) continue;
        const [status, code, param, message] = await refusal(await post(server, path, body));
        expect([field, value, status, code, param]).toEqual([field, value, 400, 'invalid_value', field]);
        expect(message, `${field} ${value}`).toMatch(
          new RegExp(`^${field} must be a (whole )?number (from .* to|of at most) .*, got `),
        );
        cases++;
      }
    }
  }
  expect(cases).toBeGreaterThan(180);
  expect(await refusal(await post(server, COMPLETIONS, { prompt: '', n: 1_000_000 }))).toEqual([
    400,
    'invalid_value',
    'n',
    'n must be a whole number from 1 to 8, got 1000000',
  ]);
  expect(asked).toBe(0);
  // Null is as if the field were left out: clients send it.
  expect(
    (await post(server, COMPLETIONS, { prompt: 'a', n: null, stop: null, seed: null, logprobs: null })).status,
  ).toBe(200);
  expect(asked).toBe(1);
});

test('other fields: what is not a text, too long, too many, or not supported', async () => {
  const server = serverFor();
  const cases: [string, object, string][] = [
    [COMPLETIONS, { prompt: 5 }, 'prompt'],
    [COMPLETIONS, { prompt: [] }, 'prompt'],
    [COMPLETIONS, { prompt: [1, 2] }, 'prompt[0]'],
    [COMPLETIONS, { prompt: ['a', 3] }, 'prompt[1]'],
    [COMPLETIONS, { prompt: Array(65).fill('a') }, 'prompt'],
    [COMPLETIONS, { prompt: Array(3).fill('a'.repeat(30_000)) }, 'prompt'],
    [COMPLETIONS, { prompt: Array(64).fill('a'), n: 2 }, 'n'],
    [COMPLETIONS, { prompt: '', stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
    [COMPLETIONS, { prompt: '', stop: 'x'.repeat(65) }, 'stop'],
    [COMPLETIONS, { prompt: '', stop: '' }, 'stop'],
    [COMPLETIONS, { prompt: '', stop: ['a', 3] }, 'stop[1]'],
    [COMPLETIONS, { prompt: '', stream: 'yes' }, 'stream'],
    [COMPLETIONS, { prompt: '', suffix: 'x' }, 'suffix'],
    [COMPLETIONS, { prompt: '', best_of: 2 }, 'best_of'],
    [COMPLETIONS, { prompt: '', presence_penalty: 1 }, 'presence_penalty'],
    [COMPLETIONS, { prompt: '', logit_bias: { 99: 1 } }, 'logit_bias'],
    [COMPLETIONS, { prompt: '', logit_bias: { x: 1 } }, 'logit_bias'],
    [COMPLETIONS, { prompt: '', logit_bias: { 1: 101 } }, 'logit_bias.1'],
    [COMPLETIONS, { prompt: '', max_tokens: 17 }, 'max_tokens'],
    [COMPLETIONS, { prompt: '', choices: ['a7'] }, 'choices'],
    [CHAT, { messages: 'hi' }, 'messages'],
    [CHAT, {}, 'messages'],
    [CHAT, { messages: [] }, 'messages'],
    [CHAT, { messages: Array(257).fill(messages[0]) }, 'messages'],
    [CHAT, { messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role'],
    [CHAT, { messages: [{ role: 'user', content: 7 }] }, 'messages[0].content'],
    [CHAT, { messages: [{ role: 'system', content: 'x' }] }, 'messages'],
    [
      CHAT,
      { messages: [...messages, { role: 'user', content: [{ type: 'image_url', image_url: 'http://x' }] }] },
      'messages[1].content[0].type',
    ],
    [CHAT, { messages: [{ role: 'user', content: ['x'] }] }, 'messages[0].content[0]'],
    [CHAT, { messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
    [
      CHAT,
      { messages: [{ role: 'user', content: Array(257).fill({ type: 'text', text: '' }) }] },
      'messages[0].content',
    ],
    [CHAT, { messages: [...messages, { role: 'user' }] }, 'messages[1].content'],
    [CHAT, { messages: [{ role: 'system', content: null }, ...messages] }, 'messages[0].content'],
    [CHAT, { messages, top_logprobs: 2 }, 'top_logprobs'],
    [CHAT, { messages, max_tokens: 0 }, 'max_tokens'],
    [CHAT, { messages, response_format: { type: 'json_object' } }, 'response_format'],
    [CHAT, { messages, response_format: {} }, 'response_format.type'],
    [CHAT, { messages, tool_choice: 'required' }, 'tool_choice'],
    [CHAT, { messages, function_call: { name: 'f' } }, 'function_call'],
  ];
  for (const [path, body, param] of cases) {
    const found = await refusal(await post(server, path, path === CHAT ? { model: 'chat', ...body } : body));
    expect([JSON.stringify(body).slice(0, 80), ...found.slice(0, 3)]).toEqual([
      JSON.stringify(body).slice(0, 80),
      400,
      'invalid_value',
      param,
    ]);
    expect(found[3]).not.toMatch(/invalid|too (?:small|big)|expected/i); // the checker's own words
  }
  // A call that was made says nothing, and is no error.
  const spoken = [...messages, { role: 'assistant', content: null }, ...messages];
  expect((await post(server, CHAT, { model: 'chat', messages: spoken })).status).toBe(200);
  expect((await refusal(await post(server, COMPLETIONS, []))).slice(0, 3)).toEqual([400, 'invalid_value', null]);
  const pattern = await refusal(await post(server, COMPLETIONS, { prompt: '', guided_regex: '(a' }));
  expect(pattern.slice(0, 3)).toEqual([400, 'invalid_pattern', 'guided_regex']);
  const impossible = await refusal(await post(server, COMPLETIONS, { prompt: '', guided_regex: '[0-9]' }));
  expect(impossible.slice(0, 2)).toEqual([400, 'impossible']);
});

test('N5 prompts of every length: an answer, or context_length_exceeded', async () => {
  const server = serverFor({ models: { names, bytes: randomChatModel(createByteTokenizer('bos'), 32) } });
  for (const [model, context] of [
    ['names', 8],
    ['bytes', 32],
  ] as const) {
    for (const length of [0, 1, context - 2, context - 1, context, context + 1, 60_000]) {
      const response = await post(server, COMPLETIONS, { model, prompt: 'a'.repeat(length) });
      if (length < context) {
        const [choice] = ((await response.json()) as Answer).choices;
        expect([model, length, response.status]).toEqual([model, length, 200]);
        expect(['stop', 'length']).toContain(choice.finish_reason);
      } else expect((await refusal(response)).slice(0, 3)).toEqual([400, 'context_length_exceeded', 'prompt']);
    }
  }
  for (const prompt of ['<BOS>', '\u0000', '😀'.repeat(30), '\ud800', '123']) {
    const response = await post(server, COMPLETIONS, { model: 'names', prompt });
    expect([prompt, response.status]).toEqual([prompt, 200]);
  }
  expect((await refusal(await post(server, COMPLETIONS, { prompt: 'a'.repeat(1_000_000) }))).slice(0, 3)).toEqual([
    400,
    'invalid_value',
    'prompt',
  ]);
});

test('N15, N16 paths and names are looked up in lists, never as files', async () => {
  const server = serverFor();
  const paths = [
    '/../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc/passwd',
    '/%00',
    '/a%00b',
    '//etc/passwd',
    '/\\etc\\passwd',
    '/page.js/',
    '/page.js%00',
    '/.git/config',
    '/dist/index.js',
    `/${'a'.repeat(8000)}`,
    '/v1/',
    '/v1',
    '/v1/files',
    '/V1/models',
    '/v1/models/',
    '/v1/models/../../x',
    '/v1/models/%2e%2e%2fx',
    '/v1/models/toString',
    '/v1/models/__proto__',
  ];
  for (const path of paths) {
    const response = await server.fetch(`http://x${path}`);
    expect([path, response.status]).toEqual([path, 404]);
    expect((await response.text()).length).toBeLessThan(400);
  }
  for (const model of ['../../x', 'http://127.0.0.1/', '', 'toString', '__proto__', 'NAMES']) {
    expect((await refusal(await post(server, COMPLETIONS, { model, prompt: '' }))).slice(0, 3), model).toEqual([
      404,
      'model_not_found',
      'model',
    ]);
  }
  expect((await post(server, COMPLETIONS, { model: 'x'.repeat(900_000), prompt: '' })).status).toBe(400);
});

test('N25 every answer says what it is and is not kept', async () => {
  const server = serverFor();
  for (const path of ['/v1/models', '/health', '/metrics', '/nowhere', '/', '/openapi.json']) {
    const { headers } = await server.fetch(path, { headers: { 'x-request-id': 'mine-1' } });
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-request-id')).toBe('mine-1');
  }
  const odd = await server.fetch('/health', { headers: { 'x-request-id': 'a b<script>' } });
  expect(odd.headers.get('x-request-id')).toMatch(/^req-\d+$/);
});

test('N33 an error that nobody foresaw: 500, nothing of it in the answer, its stack in the log', async () => {
  const lines: Answer[] = [];
  const local = createLocalCompute(
    new Map([
      ['names', names],
      ['chat', chat],
    ]),
  );
  const boom = () => {
    throw new TypeError('the secret of the house');
  };
  const compute = {
    ...local,
    promptLogprobs: boom,
    async *ask() {
      yield { sample: 0, text: 'a', token: 1, end: null };
      boom();
    },
  };
  const server = serverFor({ compute, log: (line) => lines.push(line) });
  const requests = [
    [COMPLETIONS, { prompt: '' }],
    [COMPLETIONS, { prompt: 'a', echo: true, logprobs: 1 }],
    [CHAT, { model: 'chat', messages }],
    ['/microgpt/v1/generate', {}],
    ['/microgpt/v1/chat', { messages }],
  ] as const;
  for (const [path, body] of requests) {
    const response = await post(server, path, body);
    const text = await response.text();
    expect([path, response.status]).toEqual([path, 500]);
    expect(text).not.toContain('secret');
    expect(response.headers.get('x-request-id')).toBe(lines.at(-1).id);
    expect(lines.at(-1).stack).toContain('the secret of the house');
  }
  const streamed = await (await post(server, COMPLETIONS, { prompt: '', stream: true })).text();
  expect(streamed).toMatch(/data: \{"error":\{[^\n]*"code":"internal_error"\}\}\n\n$/);
  expect(streamed).not.toContain('[DONE]');
  expect(lines.at(-1)).toMatchObject({
    status: 200,
    cut: 'internal_error',
    stack: expect.stringContaining('TypeError'),
  });
  expect([server.active(), server.waiting()]).toEqual([0, 0]);
});
