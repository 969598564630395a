import { afterEach, expect, test } from 'vitest';
import { LEARNED, randomChatModel, talkingModel, trainedChatModel } from '../../test/chat-model.js';
import { goldenText } from '../../test/golden.js';
import { decodeModel } from '../checkpoint/decode.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import type { Turn } from './conversation.js';
import type { GenerateOptions } from './generate-options.js';
import type { SampleEvent } from './samples.js';
import { score } from './score.js';
import { createService, type ModelService, type StreamOptions } from './service.js';
import { generate } from './text.js';

const names = decodeModel(
  new TextEncoder().encode(goldenText('persistence/model.json')),
  'persistence/model.json',
).checkpoint;

let open: ModelService[] = [];
afterEach(() => {
  for (const service of open) service.close();
  open = [];
});

function serviceFor(...args: Parameters<typeof createService>): ModelService {
  const service = createService(...args);
  open.push(service);
  return service;
}

async function textsOf(events: AsyncIterable<SampleEvent>): Promise<string[]> {
  const out: string[] = [];
  for await (const { sample, text } of events) out[sample] = (out[sample] ?? '') + text;
  return out;
}

/** Waits for it as long as it takes; the test's own limit ends it. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((r) => setTimeout(r, 1));
}

const idle = (service: ModelService) => until(() => service.running() + service.waiting() === 0);

test('1,000 askers at once, of every kind: each gets what it would get alone', async () => {
  const service = serviceFor(names, { places: 16 });
  const kinds: GenerateOptions[] = [
    {},
    { prompt: 'mar', samples: 3 },
    { topK: 4, temperature: 1.5 },
    { matches: '[a-k]{2,5}', samples: 2 },
    { unique: true, samples: 3, temperature: 0.3 },
    { stop: 'a', repetitionPenalty: 1.3 },
    { chain: true, stopAtBos: false, maxTokens: 30 },
    { compat: 'rust', samples: 2 },
  ];
  const asked = Array.from({ length: 1000 }, (_, i) => ({ ...kinds[i % kinds.length], seed: i }));
  const answers = await Promise.all(asked.map((options) => textsOf(service.stream(options))));
  asked.forEach((options, i) => {
    if (i % 7 === 0) expect(answers[i], JSON.stringify(options)).toEqual(generate(names, options));
  });
  expect([service.running(), service.waiting()]).toEqual([0, 0]);
}, 30_000);

test('replies and samples on one model; the same reply whoever asks meanwhile', async () => {
  const model = trainedChatModel();
  const service = serviceFor(model, { places: 4 });
  const asked = LEARNED.flatMap(([said, answer]) => [said, said].map((text) => ({ text, answer })));
  const replies = asked.map(({ text }) =>
    textsOf(service.reply([{ role: 'user', content: text }], { temperature: 0.2 })),
  );
  const samples = textsOf(service.stream({ samples: 5 }));
  expect(await Promise.all(replies)).toEqual(asked.map(({ answer }) => [answer]));
  expect(await samples).toEqual(generate(model, { samples: 5 }));
});

test('a reply with stop strings and the likeliest tokens', async () => {
  const service = serviceFor(trainedChatModel());
  const turns: Turn[] = [{ role: 'user', content: 'who?' }];
  expect(await textsOf(service.reply(turns, { temperature: 0, stop: 'ca' }))).toEqual(['a ']);
  for await (const { token, top } of service.reply(turns, { temperature: 0, top: 2 })) {
    if (token !== null) expect(top!.map((likely) => likely.token)).toContain(token);
  }
});

test('who aborts or goes away frees its place at once; the others do not notice', async () => {
  const model = talkingModel(4000);
  const service = serviceFor(model, { places: 2 });
  const alone = await textsOf(serviceFor(model).stream({ prompt: 'abc', maxTokens: 300 }));
  const controller = new AbortController();
  let seen = 0;
  const aborted = (async () => {
    for await (const _ of service.stream({ prompt: 'x'.repeat(3000), signal: controller.signal })) seen++;
  })();
  const other = textsOf(service.stream({ prompt: 'abc', maxTokens: 300 }));
  await until(() => service.running() > 0); // in the middle of the long prompt
  controller.abort();
  await aborted;
  expect(seen).toBeLessThanOrEqual(1);
  for await (const event of service.stream({ maxTokens: 3000 })) if (event.token !== null) break;
  expect(await other).toEqual(alone);
  await idle(service);
  expect([service.running(), service.waiting()]).toEqual([0, 0]);
});

test('one that cannot be answered is refused, alone', async () => {
  const service = serviceFor(names, { places: 3 });
  const good = textsOf(service.stream({ samples: 20 }));
  expect(() => service.stream({ topP: 3 })).toThrow(expect.objectContaining({ code: 'MG_OPTION_VALUE' }));
  expect(() => service.reply([{ role: 'user', content: 'a' }])).toThrow(
    expect.objectContaining({ code: 'MG_CHAT_MODEL' }),
  );
  await expect(textsOf(service.stream({ matches: '[0-9]' }))).rejects.toMatchObject({ code: 'MG_GEN_IMPOSSIBLE' });
  await expect(textsOf(service.stream({ samples: 28, unique: true, matches: '[abc]{3}' }))).rejects.toMatchObject({
    code: 'MG_GEN_IMPOSSIBLE',
  });
  expect(await good).toEqual(generate(names, { samples: 20 }));
  await idle(service);
  expect([service.running(), service.waiting()]).toEqual([0, 0]);
});

test('a reader that is slow makes its further samples wait, and gets them all', async () => {
  const service = serviceFor(names, { places: 8 });
  const samples = 3000;
  let read = 0;
  const texts: string[] = [];
  for await (const { sample, text } of service.stream({ samples })) {
    texts[sample] = (texts[sample] ?? '') + text;
    if (read++ === 0) {
      await idle(service);
      // Nothing more begins while thousands of events are unread.
      expect(service.running() + service.waiting()).toBe(0);
    }
  }
  expect(texts).toEqual(generate(names, { samples }));
});

test('a reader who reads nothing makes his own samples wait, and those of nobody else', async () => {
  const service = serviceFor(talkingModel(3000), { places: 2 });
  const expected = await textsOf(service.stream({ maxTokens: 1000, stopAtBos: false }));
  const [whole] = await textsOf(service.stream({ maxTokens: 2500, stopAtBos: false }));
  const slow = service.stream({ maxTokens: 2500, stopAtBos: false });
  let text = '';
  for (let i = 0; i < 3; i++) text += (await slow.next()).value!.text;
  for (let i = 0; i < 3; i++)
    expect(await textsOf(service.stream({ maxTokens: 1000, stopAtBos: false }))).toEqual(expected);
  await until(() => service.running() === 1);
  expect([service.running(), service.waiting()]).toEqual([1, 0]);
  for await (const event of slow) text += event.text;
  expect(text).toBe(whole);
});

test('readers who read nothing keep nobody waiting, although all places are theirs; when they read on they get what they would have got', async () => {
  const service = serviceFor(talkingModel(3000), { places: 2 });
  const options = { samples: 3, maxTokens: 400, stopAtBos: false };
  const whole = await textsOf(service.stream(options));
  const expected = await textsOf(service.stream({ maxTokens: 1000, stopAtBos: false }));
  const stuck = Array.from({ length: 4 }, () => service.stream(options));
  const begun = await Promise.all(stuck.map(async (events) => (await events.next()).value!));
  for (let i = 0; i < 3; i++)
    expect(await textsOf(service.stream({ maxTokens: 1000, stopAtBos: false }))).toEqual(expected);
  for (const [i, events] of stuck.entries()) {
    const texts: string[] = [];
    texts[begun[i].sample] = begun[i].text;
    for await (const { sample, text } of events) texts[sample] = (texts[sample] ?? '') + text;
    expect(texts).toEqual(whole);
  }
  await idle(service);
  expect([service.running(), service.waiting()]).toEqual([0, 0]);
});

test('samples of one stream keep together, whenever places become free: none is far ahead of one that waits', async () => {
  const service = serviceFor(talkingModel(3000), { places: 4 });
  const options = { samples: 4, maxTokens: 300, stopAtBos: false };
  const alone = await textsOf(service.stream(options));
  // Their places become free one after the other.
  const others = [100, 300, 500, 700].map((maxTokens) => textsOf(service.stream({ maxTokens, stopAtBos: false })));
  const counts = [0, 0, 0, 0];
  const texts = ['', '', '', ''];
  let apart = 0;
  for await (const { sample, text, token } of service.stream(options)) {
    texts[sample] += text;
    if (token !== null) counts[sample]++;
    apart = Math.max(apart, Math.max(...counts) - Math.min(...counts));
  }
  expect(texts).toEqual(alone);
  expect(apart).toBeGreaterThan(1); // they did not all begin together
  expect(apart).toBeLessThanOrEqual(16);
  await Promise.all(others);
});

test('log-probabilities: of what is drawn and of a text that is read, the same, and those of its score', async () => {
  const service = serviceFor(names);
  const drawn: number[] = [];
  let text = 'm';
  for await (const event of service.stream({ prompt: 'm', logprobs: 2, temperature: 0.4, topK: 3 })) {
    if (event.token === null) continue;
    text += event.text;
    drawn.push(event.logprob!);
    expect(event.likely).toHaveLength(2);
    expect(event.likely![0].logprob).toBeGreaterThanOrEqual(event.logprob!);
  }
  const read = await service.promptLogprobs(text, { logprobs: 2 });
  expect(read.slice(1).map(({ logprob }) => logprob)).toEqual(drawn);
  expect(read.map((token) => token.text).join('')).toBe(text);
  const { logProbability, endBits } = score(names, text);
  const sum = read.reduce((all, { logprob }) => all + logprob!, 0);
  expect(sum).toBeCloseTo(logProbability + endBits * Math.LN2, 9);
  const aborted = await service.promptLogprobs(text, { signal: AbortSignal.abort() });
  expect(aborted).toEqual([]);
});

test('a damaged model fails every stream, and none hangs', async () => {
  const damaged = { ...names, parameters: names.parameters.map(() => Number.NaN) };
  const service = serviceFor(damaged, { places: 2 });
  const all = await Promise.allSettled(Array.from({ length: 5 }, () => textsOf(service.stream())));
  expect(all.map((r) => r.status)).toEqual(Array(5).fill('rejected'));
});

test('closed in the middle: streams just end', async () => {
  const service = createService(talkingModel(3000));
  const texts = ['', '', ''];
  for await (const { sample, text } of service.stream({ samples: 3 })) {
    texts[sample] += text;
    if (texts[2].length < 3) continue;
    service.close();
    service.close();
  }
  expect(texts.every((text) => text.length < 3000)).toBe(true);
});

test('prompts are read in bounded pieces: who draws goes on meanwhile', async () => {
  const service = serviceFor(randomChatModel(charTokenizerFrom(['abcdefgh'], 'last'), 4000), { places: 4 });
  const order: string[] = [];
  const short = (async () => {
    for await (const { token } of service.stream({ maxTokens: 20, stopAtBos: false }))
      if (token !== null) order.push('short');
  })();
  const long = (async () => {
    for await (const { token } of service.stream({ prompt: 'ab'.repeat(1500), maxTokens: 1, stopAtBos: false }))
      if (token !== null) order.push('long');
  })();
  await Promise.all([short, long]);
  expect(order.indexOf('long')).toBe(20);
});

test('at the end, what else could have come: where a token ended it, not where it was cut', async () => {
  const lastOf = async (options: StreamOptions) => {
    const events: SampleEvent[] = [];
    for await (const event of serviceFor(names).stream({ seed: 42n, top: 3, ...options })) events.push(event);
    return events.at(-1);
  };
  const end = await lastOf({ temperature: 0 });
  expect([end?.end, end?.top?.length, end?.top?.[0].token]).toEqual(['token', 3, names.tokenizer.bos]);
  const cut = await lastOf({ maxTokens: 1 });
  expect([cut?.end, cut?.top]).toEqual(['length', undefined]);
});

test('the event loop turns between tokens', async () => {
  let [turns, tokens] = [0, 0];
  let next = setImmediate(function turn() {
    turns++;
    next = setImmediate(turn);
  });
  const asked = { chain: true, stopAtBos: false, maxTokens: 256 };
  for await (const { token } of serviceFor(names).stream(asked)) if (token !== null) tokens++;
  clearImmediate(next);
  expect(tokens).toBe(256);
  expect(turns).toBeGreaterThan(200);
});
