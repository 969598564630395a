import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FULL, goldenText, shuffledNames } from '../../test/golden.js';
import { createPythonRandom } from '../base/python-random.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { decodeModel } from '../checkpoint/decode.js';
import { createStopStrings } from '../generate/stop-strings.js';
import { modelConfig } from '../model/config.js';
import { initialParameters, parameterTable } from '../model/parameters.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { createEngine } from './create-engine.js';
import { type GenerateOptions, isConstrained } from './generate-options.js';
import { inOrder, type SampleEvent, stream } from './stream.js';
import { generate, sampleTexts } from './text.js';

const N = FULL ? 10_000 : 200;
const seed = Number(process.env['MG_TEST_SEED'] ?? 1);
const names = decodeModel(
  new TextEncoder().encode(goldenText('persistence/model.json')),
  'persistence/model.json',
).checkpoint;

function randomModel(tokenizer: Tokenizer, blockSize: number, std = 0.4): Checkpoint {
  const config = modelConfig({ nEmbd: 8, nHead: 2, nLayer: 1, blockSize, vocabSize: tokenizer.size });
  const random = createPythonRandom(3);
  const parameters = initialParameters(parameterTable(config), { std, residualStd: std }, random.gauss);
  return { config, tokenizer, parameters };
}

const bytes = randomModel(createByteTokenizer(), 24);
const bytesWithBos = randomModel(createByteTokenizer('bos'), 24);

async function collect(events: AsyncIterable<SampleEvent>): Promise<SampleEvent[]> {
  const out: SampleEvent[] = [];
  for await (const event of events) out.push(event);
  return out;
}

const joined = (events: readonly SampleEvent[], samples: number): string[] =>
  Array.from({ length: samples }, (_, s) =>
    events
      .filter((e) => e.sample === s)
      .map((e) => e.text)
      .join(''),
  );

describe('streamed and whole', () => {
  const cases: [string, Checkpoint, GenerateOptions][] = [
    ['names', names, { samples: 70 }],
    ['a prompt', names, { samples: 5, prompt: 'mar' }],
    ['a prompt with unknown characters', names, { samples: 5, prompt: 'M?r é' }],
    [
      'filters',
      names,
      { samples: 9, temperature: 1.2, topK: 5, topP: 0.9, minP: 0.02, repetitionPenalty: 1.4, repetitionWindow: 3 },
    ],
    ['stop strings', names, { samples: 40, stop: ['an', 'e', 'li'] }],
    ['a stop token', names, { samples: 10, stopTokens: [1, 5] }],
    ['max tokens', names, { samples: 3, maxTokens: 2 }],
    [
      'beyond the context',
      names,
      { samples: 3, chain: true, stopAtBos: false, maxTokens: 60, prompt: 'abcdefghijklmnop' },
    ],
    ['bytes', bytes, { samples: 6, prompt: 'é😀', temperature: 1 }],
    ['bytes beyond the context', bytes, { samples: 2, prompt: 'ab', chain: true, maxTokens: 100, temperature: 1 }],
    ['demands', names, { samples: 12, matches: '[a-m]{3,5}', unique: true }],
    ['python', names, { samples: 4, compat: 'python' }],
    ['rust', names, { samples: 4, compat: 'rust' }],
    ['cpp', bytes, { samples: 2, compat: 'cpp', prompt: 'The ', maxTokens: 70 }],
  ];
  test.each(cases)('%s: the same text', async (_, model, options) => {
    const whole = generate(model, options);
    const events = await collect(stream(model, options));
    expect(joined(events, options.samples!)).toEqual(whole);
    expect(await collect(inOrder(stream(model, options)))).toEqual(
      Array.from({ length: options.samples! }, (_, s) => events.filter((e) => e.sample === s)).flat(),
    );
    for (let s = 0; s < options.samples!; s++) {
      const own = events.filter((e) => e.sample === s);
      expect(own.map((e) => e.end !== null)).toEqual(own.map((_, i) => i === own.length - 1));
    }
    expect(whole.every((text) => text.startsWith(options.prompt ?? ''))).toBe(true);
  });

  test('a character is never cut in the middle', async () => {
    // A model that repeats the bytes of two characters: the bias leaves nothing else.
    const bias = new Map(Array.from({ length: 256 }, (_, b) => [b, Number.NEGATIVE_INFINITY] as const));
    for (const byte of new TextEncoder().encode('é😀')) bias.set(byte, 0);
    const options = { samples: 20, temperature: 1, bias, prompt: 'x', matches: 'x(é|😀)*😀' };
    const events = await collect(stream(bytesWithBos, options));
    for (const { text } of events) expect(text).toMatch(/^x?(é|😀)*$/u);
    expect(events.some(({ text }) => text === '😀')).toBe(true);
    expect(events.some(({ text, token }) => text === '' && token !== null)).toBe(true);
  });
});

test('a sample is the same alone and among 1,000, on every backend', () => {
  const all = generate(names, { samples: 1000, seed });
  expect(new Set(all).size).toBeGreaterThan(500);
  for (const samples of [1, 2, 33]) expect(generate(names, { samples, seed })).toEqual(all.slice(0, samples));
  expect(generate(names, { samples: 20, seed, backend: 'reference' })).toEqual(all.slice(0, 20));
  expect(generate(names, { samples: 3, seed, backend: 'value' })).toEqual(all.slice(0, 3));
});

test('a sample is the same in a crowd of 1,000 that run at once', () => {
  const engine = createEngine('wasm', names.config, names.parameters);
  const options = { samples: 1000, seed, prompt: 'ka', topP: 0.95, repetitionPenalty: 1.1 };
  expect(sampleTexts(engine.decoder(1000), names, undefined, options)).toEqual(generate(names, options));
  engine.close();
});

test('a prompt that a place has read before: the same text as from a place that has not', () => {
  const options = { samples: 100, seed, prompt: 'mar' };
  const all = generate(names, options); // 32 places, so that most find the prompt read
  const engine = createEngine('wasm', names.config, names.parameters);
  const fresh = [...engine.decoder(1).read([0, 13, 1, 18], [0, 0, 0, 0])].slice(3 * 27);
  const decoder = engine.decoder(1);
  decoder.read([0, 13, 1, 18, 5], [0, 0, 0, 0, 0]);
  decoder.restart(0, 3);
  expect(decoder.position(0)).toBe(3);
  expect([...decoder.read([18], [0])]).toEqual(fresh);
  engine.close();
  for (const backend of ['reference', 'value'] as const) {
    const other = createEngine(backend, names.config, names.parameters);
    const again = other.decoder(1);
    const first = [...again.read([0, 13, 1, 18], [0, 0, 0, 0])].slice(3 * 27);
    again.read([5, 6], [0, 0]);
    again.restart(0, 3);
    expect([...again.read([18], [0])]).toEqual(first);
    other.close();
  }
  expect(generate(names, { ...options, samples: 1 })).toEqual(all.slice(0, 1));
});

test('an abort ends the stream within a token, during a prompt too', async () => {
  const long = randomModel(createByteTokenizer(), 2048);
  for (const after of [0, 1, 7]) {
    const controller = new AbortController();
    const events: SampleEvent[] = [];
    if (after === 0) setTimeout(() => controller.abort(), 0);
    for await (const event of stream(long, { prompt: 'x'.repeat(1500), signal: controller.signal })) {
      events.push(event);
      if (event.token !== null && events.filter((e) => e.token !== null).length === after) controller.abort();
    }
    expect(events.filter((e) => e.token !== null)).toHaveLength(after);
    expect(events.some((e) => e.end !== null)).toBe(false);
  }
  const aborted = await collect(stream(names, { samples: 5, signal: AbortSignal.abort() }));
  expect(aborted).toEqual([]);
});

describe('stop strings', () => {
  test('however text arrives: the text before the stop string that is complete first', () => {
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'n'), minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(stops, fc.nat(10_000), (stop, sampleSeed) => {
        const plain = generate(names, { seed: sampleSeed, temperature: 1 })[0];
        let end = plain.length;
        for (let length = 0; length <= plain.length; length++) {
          const found = stop.filter((s) => plain.slice(0, length).endsWith(s));
          if (found.length === 0) continue;
          end = length - Math.max(...found.map((s) => s.length));
          break;
        }
        expect(generate(names, { seed: sampleSeed, temperature: 1, stop })[0]).toBe(plain.slice(0, end));
      }),
      { seed, numRuns: 150 },
    );
  });
  test('of two that end together the longer one counts, in whatever order they are given', () => {
    const plain = generate(names, { seed, minLength: 4 })[0];
    for (const stop of [
      [plain.slice(2, 4), plain.slice(1, 4)],
      [plain.slice(1, 4), plain.slice(2, 4)],
    ])
      expect(createStopStrings(stop).push(plain)).toBe(plain.slice(0, 1));
  });
  test('the prompt is not searched', () => {
    expect(generate(names, { prompt: 'mar', stop: 'mar' })[0]).toMatch(/^mar/);
  });
});

test('what comes at each place, likeliest first', async () => {
  const events = await collect(stream(names, { seed, top: 3, temperature: 0 }));
  const tokens = events.filter((e) => e.token !== null);
  for (const { token, top } of tokens) {
    expect(top).toHaveLength(3);
    expect(top![0].token).toBe(token);
    expect(top![0].probability).toBeGreaterThanOrEqual(top![1].probability);
  }
});

describe('chain', () => {
  test('longer than the context, and BOS need not end it', () => {
    const [text] = generate(names, { chain: true, stopAtBos: false, maxTokens: 200 });
    expect([...text].length).toBeGreaterThan(60);
    const [bounded] = generate(bytes, { chain: 4, prompt: 'ab', temperature: 1 });
    expect(bounded.length).toBeGreaterThan(1000); // 2,000 tokens if nothing else is said
    expect(generate(names, { stopAtBos: false, maxTokens: 200 })[0].length).toBeLessThanOrEqual(8);
  });
});

describe(`every sample meets what is demanded (${N} of each)`, () => {
  const training = shuffledNames();
  const frequent = generate(names, { samples: 30, temperature: 0.2 });
  const chars = (text: string) => [...text].length;
  const cases: [string, GenerateOptions, (text: string) => boolean][] = [
    ['min length', { minLength: 6 }, (t) => chars(t) >= 6],
    ['max length', { maxLength: 3 }, (t) => chars(t) <= 3],
    ['one length', { minLength: 8, maxLength: 8 }, (t) => chars(t) === 8],
    ['starts with', { startsWith: 'xq' }, (t) => t.startsWith('xq')],
    ['ends with', { endsWith: 'ah' }, (t) => t.endsWith('ah')],
    [
      'both, overlapping',
      { startsWith: 'ana', endsWith: 'ana', maxLength: 5 },
      (t) => /^ana(na)?$|^anaana$/.test(t) || (t.startsWith('ana') && t.endsWith('ana')),
    ],
    ['matches', { matches: '([bcd][aeiou]){2,3}' }, (t) => /^([bcd][aeiou]){2,3}$/.test(t)],
    ['matches a word list', { matches: 'anna|bella|zoe' }, (t) => /^(anna|bella|zoe)$/.test(t)],
    [
      'a prompt that counts',
      { prompt: 'ka', matches: 'kat?[ei].*', maxLength: 6 },
      (t) => /^kat?[ei].*$/.test(t) && chars(t) <= 6,
    ],
    ['not in training', { notInTraining: training, temperature: 0.3 }, (t) => !training.includes(t)],
    ['excluded', { exclude: frequent, temperature: 0.2 }, (t) => !frequent.includes(t)],
    ['greedy', { temperature: 0, endsWith: 'z', minLength: 4 }, (t) => t.endsWith('z') && chars(t) >= 4],
    [
      'all tokens cut short',
      { maxTokens: 4, endsWith: 'y', minLength: 3 },
      (t) => t.endsWith('y') && chars(t) >= 3 && chars(t) <= 4,
    ],
    ['hot', { temperature: 5, matches: '[a-f]+' }, (t) => /^[a-f]+$/.test(t)],
    ['filters', { topK: 1, topP: 0.1, matches: '.*q.*' }, (t) => t.includes('q')],
  ];
  test.each(cases)('%s', (_, options, fits) => {
    expect(isConstrained(options)).toBe(true);
    const texts = generate(names, { ...options, samples: N, seed });
    expect(texts).toHaveLength(N);
    expect(texts.filter((text) => !fits(text))).toEqual([]);
    // Without the demands, the model does not do so by itself.
    const { minLength, maxLength, startsWith, endsWith, matches, exclude, notInTraining, ...rest } = options;
    expect(generate(names, { ...rest, samples: 200, seed }).some((text) => !fits(text))).toBe(true);
  });

  test('unique: no text twice, also where hardly any other is left', () => {
    const samples = FULL ? 10_000 : 1000;
    const texts = generate(names, { samples, seed, unique: true, temperature: 0.4 });
    expect(new Set(texts).size).toBe(samples);
    expect(new Set(generate(names, { samples, seed, temperature: 0.4 })).size).toBeLessThan(samples);
    const all = generate(names, { samples: 27, seed, unique: true, matches: '[abc]{3}' });
    expect(new Set(all).size).toBe(27);
    expect(generate(names, { samples: 10, seed, unique: true, matches: '[abc]{3}' })).toEqual(all.slice(0, 10));
    const greedy = generate(names, { samples: 40, unique: true, temperature: 0 });
    expect(new Set(greedy).size).toBe(40);
  });

  test('all at once', () => {
    const options = {
      unique: true,
      notInTraining: training,
      exclude: ['kali'],
      startsWith: 'k',
      endsWith: 'i',
      minLength: 3,
      maxLength: 6,
      samples: FULL ? 2000 : 100,
      seed,
    };
    const texts = generate(names, options);
    expect(new Set(texts).size).toBe(options.samples);
    for (const text of texts) expect(text).toMatch(/^k.{1,4}i$/);
    expect(texts.filter((text) => training.includes(text) || text === 'kali')).toEqual([]);
  });

  test.each<[string, Checkpoint, GenerateOptions]>([
    ['bytes', bytes, { matches: '[aé😀]{2,4}x' }],
    ['bytes with BOS', bytesWithBos, { matches: '[aé😀]{2,4}x', temperature: 3 }],
    ['bytes, lengths in characters', bytes, { minLength: 3, maxLength: 5, temperature: 2 }],
    ['bytes, ASCII only', bytes, { matches: '.{2,9}', asciiOnly: true, temperature: 4 }],
    ['bytes after a prompt', bytesWithBos, { prompt: 'é', endsWith: '😀', maxLength: 7, temperature: 2 }],
  ])('%s', (_, model, options) => {
    const texts = generate(model, { ...options, samples: FULL ? 2000 : 100, seed });
    const { matches, minLength = 0, maxLength = 99, endsWith = '', prompt = '' } = options;
    for (const text of texts) {
      expect(text).not.toContain('\ufffd');
      if (matches) expect(text).toMatch(new RegExp(`^(?:${matches})$`, 'u'));
      expect(chars(text)).toBeGreaterThanOrEqual(minLength);
      expect(chars(text)).toBeLessThanOrEqual(maxLength);
      expect(text.startsWith(prompt) && text.endsWith(endsWith)).toBe(true);
      if (options.asciiOnly) expect(text).toMatch(/^[\t\n\r -~]*$/);
    }
    expect(new Set(texts).size).toBeGreaterThan(3);
  });
});

describe('what cannot be', () => {
  test.each<[string, GenerateOptions, RegExp]>([
    ['a prompt that contradicts', { prompt: 'b', startsWith: 'a' }, /^found 0 of 1 samples/],
    ['characters that the model does not have', { matches: '[0-9]+' }, /^found 0/],
    ['longer than the context', { minLength: 9 }, /^found 0/],
    ['more than may be drawn', { minLength: 5, maxTokens: 4 }, /^found 0/],
    ['lengths that exclude each other', { minLength: 5, maxLength: 4 }, /^found 0/],
    [
      'fewer than asked for',
      { samples: 28, unique: true, matches: '[abc]{3}' },
      /^found 27 of 28 samples: no other text/,
    ],
    ['everything excluded', { samples: 3, matches: 'an|ab', exclude: ['an', 'ab'] }, /^found 0 of 3/],
    ['all but one excluded', { samples: 3, unique: true, matches: 'a[bcd]', exclude: ['ab', 'ad'] }, /^found 1 of 3/],
    ['a bias that forbids the only way', { matches: 'ab', bias: new Map([[2, Number.NEGATIVE_INFINITY]]) }, /^found 0/],
  ])('%s', (_, options, message) => {
    expect(() => generate(names, options)).toThrow(
      expect.objectContaining({ code: 'MG_GEN_IMPOSSIBLE', message: expect.stringMatching(message) }),
    );
  });

  test('a stream gives what there is before it says so', async () => {
    const texts: string[] = [];
    const read = async () => {
      for await (const { text, end } of stream(names, { samples: 30, unique: true, matches: '[abc]{3}' })) {
        if (end !== null) texts.push(text);
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'MG_GEN_IMPOSSIBLE' });
    expect(new Set(texts).size).toBe(27);
  });

  test.each<[GenerateOptions, RegExp]>([
    [{ topP: 1.5 }, /topP/],
    [{ minP: -1 }, /minP/],
    [{ topK: 0.5 }, /topK/],
    [{ repetitionPenalty: 0 }, /repetitionPenalty/],
    [{ stopTokens: [27] }, /stopTokens/],
    [{ bias: new Map([[99, 1]]) }, /bias/],
    [{ bias: new Map([[1, Number.NaN]]) }, /bias/],
    [{ stop: 'a', minLength: 2 }, /stop strings/],
    [{ compat: 'cobol' as never }, /compat/],
    [{ maxTokens: -1 }, /maxTokens/],
    [{ temperature: Number.NaN }, /temperature/],
  ])('%j is refused', (options, message) => {
    expect(() => generate(names, options)).toThrow(
      expect.objectContaining({ code: 'MG_OPTION_VALUE', message: expect.stringMatching(message) }),
    );
  });

  test('a damaged model is a typed error, streamed too', async () => {
    const damaged = { ...names, parameters: names.parameters.map(() => Number.NaN) };
    expect(() => generate(damaged)).toThrow(expect.objectContaining({ code: 'MG_GEN_NONFINITE' }));
    await expect(collect(stream(damaged))).rejects.toMatchObject({ code: 'MG_GEN_NONFINITE' });
  });
});
