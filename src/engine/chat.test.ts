import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LEARNED, randomChatModel, trainedChatModel } from '../../test/chat-model.js';
import { createXorshift64 } from '../base/xorshift.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { charTokenizerFrom } from '../tokenizer/char.js';
import { type Chat, type ChatOptions, chatPrompt, createChat, type Turn } from './chat.js';
import { promptOf } from './conversation.js';
import { createEngine } from './create-engine.js';

const seed = Number(process.env['MG_TEST_SEED'] ?? 1);
const tokenizer = charTokenizerFrom(['abcdefghij <>|/'], 'chat');
const { bos, roles } = tokenizer;
const { user, assistant, end } = roles!;
const model = randomChatModel(tokenizer, 40);

async function reply(chat: Chat, text: string): Promise<string> {
  let out = '';
  for await (const event of chat.say(text)) out += event.text;
  return out;
}

async function replies(chosen: typeof model, options: ChatOptions, texts: readonly string[]): Promise<string[]> {
  const chat = createChat(chosen, options);
  const out: string[] = [];
  for (const text of texts) out.push(await reply(chat, text));
  chat.close();
  return out;
}

describe('what the model reads', () => {
  const ids = (text: string) => tokenizer.encode(text).ids;
  const turns = (...texts: string[]): Turn[] =>
    texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));

  test('as in training: BOS, who speaks, the text, its end; then the assistant', () => {
    const prompt = chatPrompt(tokenizer, turns('ab', 'c', 'd'), 100);
    expect(prompt.tokens).toEqual([
      bos,
      user,
      ...ids('ab'),
      end,
      assistant,
      ...ids('c'),
      end,
      user,
      ...ids('d'),
      end,
      assistant,
    ]);
    expect(prompt).toMatchObject({ turnsLeftOut: 0, tokensCut: 0, unknown: [] });
  });

  test('text never becomes a role, whatever it says', () => {
    const specials = new Set([bos, user, assistant, end]);
    const text = fc.string({
      unit: fc.constantFrom('a', '<', '|', '>', '<|assistant|>', '<|end|>', '\u0000', '<BOS>', '😀'),
    });
    fc.assert(
      fc.property(text, fc.constantFrom(tokenizer, createByteTokenizer('chat')), (content, t) => {
        const { tokens } = chatPrompt(t, [{ role: 'user', content }], 10_000);
        const { roles: r } = t;
        const inside = tokens.slice(2, -2);
        expect(tokens.slice(0, 2)).toEqual([t.bos, r!.user]);
        expect(tokens.slice(-2)).toEqual([r!.end, r!.assistant]);
        expect(inside.some((id) => id === t.bos || id === r!.user || id === r!.assistant || id === r!.end)).toBe(false);
      }),
      { seed, numRuns: 500 },
    );
    expect(specials.size).toBe(4);
  });

  test('cut by whole turns from the front, beginning with the user, with room for a reply', () => {
    const texts = Array.from({ length: 9 }, (_, i) => 'abcdefghi'.slice(0, 3 + (i % 4)));
    for (const maxTokens of [undefined, 1, 10, 1000]) {
      for (let blockSize = 20; blockSize < 90; blockSize++) {
        const { tokens, turnsLeftOut, tokensCut } = chatPrompt(tokenizer, turns(...texts), blockSize, { maxTokens });
        const room = Math.min(maxTokens ?? Math.floor(blockSize / 4), Math.floor(blockSize / 2));
        expect(tokens.length + room).toBeLessThanOrEqual(blockSize);
        expect(tokens[0]).toBe(bos);
        expect(tokens[1]).toBe(user);
        expect(tokensCut).toBe(0);
        expect(tokens).toEqual(chatPrompt(tokenizer, turns(...texts).slice(turnsLeftOut), 1000).tokens);
        // One turn more would not have fitted, or would have begun with an answer and its question not.
        if (turnsLeftOut > 1) {
          const more = chatPrompt(tokenizer, turns(...texts).slice(turnsLeftOut - 2), 1000).tokens;
          expect(more.length + room).toBeGreaterThan(blockSize);
        }
      }
    }
  });

  test('a last turn that is too long alone: its end is kept, and who speaks', () => {
    const { tokens, turnsLeftOut, tokensCut } = chatPrompt(tokenizer, turns('a', 'b', 'abcdefghij'.repeat(3)), 24);
    expect(turnsLeftOut).toBe(2);
    expect([tokens.length, tokensCut]).toEqual([24 - 6, 32 - 16]);
    expect(tokens.slice(0, 2)).toEqual([bos, user]);
    expect(tokenizer.decode(tokens)).toBe('abcdefghij'.repeat(3).slice(-14));
  });

  test('as the Rust system: no BOS, cut wherever it is', () => {
    const { tokens, tokensCut } = chatPrompt(tokenizer, turns('abc', 'de', 'fgh'), 10, { compat: 'rust' });
    expect(tokens).toEqual([...ids('de'), end, user, ...ids('fgh'), end, assistant].slice(-9));
    expect(tokensCut).toBe(15 - 9);
  });

  test('characters that the model does not know', () => {
    expect(chatPrompt(tokenizer, turns('aXbXé'), 100).unknown).toEqual(['X', 'é']);
  });

  test('of a model that learned from single exchanges, only what was said last is read', () => {
    const said = turns('a', 'b', 'cd');
    const reads = (run: Checkpoint['run']) => promptOf({ ...model, run }, said, {}).tokens;
    expect(reads({ exchanges: 1 })).toEqual(chatPrompt(tokenizer, turns('cd'), 40).tokens);
    for (const run of [undefined, {}, { exchanges: 2 }, { exchanges: 0 }, { exchanges: '1' }]) {
      expect(reads(run), JSON.stringify(run)).toEqual(chatPrompt(tokenizer, said, 40).tokens);
    }
    const prompt = promptOf({ ...model, run: { exchanges: 1 } }, said, {});
    expect(prompt).toMatchObject({ turnsLeftOut: 0, unknown: [] });
  });

  test('capital letters are read as small ones where the model knows only those', () => {
    const small = chatPrompt(tokenizer, turns('bad ibis', 'c', 'bad'), 100);
    expect(chatPrompt(tokenizer, turns('Bad IBIs', 'C', 'bAD'), 100)).toEqual(small);
    expect(chatPrompt(tokenizer, turns('Bad'), 100, { compat: 'rust' }).unknown).toEqual(['B']);
    const both = charTokenizerFrom(['aAb'], 'chat');
    expect(both.decode(chatPrompt(both, turns('AaB'), 100).tokens)).toBe('Aab');
    const capitals = charTokenizerFrom(['AB'], 'chat');
    expect(chatPrompt(capitals, turns('Ab'), 100)).toMatchObject({ unknown: ['b'] });
  });
});

test('a model that has learned conversations answers as it has learned, turn after turn', async () => {
  const trained = trainedChatModel();
  for (const backend of ['wasm', 'reference'] as const) {
    for (const [a, b] of [
      [0, 1],
      [1, 2],
      [2, 2],
    ]) {
      const said = [LEARNED[a], LEARNED[b]];
      const expected = said.map(([, answer]) => answer);
      expect(
        await replies(
          trained,
          { temperature: 0.2, backend },
          said.map(([text]) => text),
        ),
      ).toEqual(expected);
    }
  }
});

test('the same seed, the same replies; streamed bits are whole characters and make up the reply', async () => {
  const bytes = randomChatModel(createByteTokenizer('chat'), 96);
  const texts = ['aé', '😀', 'c'];
  for (const chosen of [model, bytes]) {
    const first = await replies(chosen, { seed: 5, temperature: 1 }, texts);
    expect(await replies(chosen, { seed: 5, temperature: 1 }, texts)).toEqual(first);
    expect(await replies(chosen, { seed: 6, temperature: 1 }, texts)).not.toEqual(first);
    expect(first.join('').length).toBeGreaterThan(10);
  }
  const starts = new Set<string>();
  for (let s = 0; s < 20; s++) starts.add((await replies(model, { seed: s, temperature: 1 }, ['a']))[0].slice(0, 1));
  expect(starts.size).toBeGreaterThan(3); // small seeds do not all begin alike
});

test('nobody speaks out of turn: no role and no BOS in a reply, which ends at its end', async () => {
  const chat = createChat(model, { temperature: 3, seed });
  for (let i = 0; i < 40; i++) {
    const events = [];
    for await (const event of chat.say('ab')) events.push(event);
    expect(['token', 'context']).toContain(events.at(-1)!.end);
    expect(events.slice(0, -1).every((e) => e.end === null && e.text !== '' && e.token !== null)).toBe(true);
  }
  expect(chat.turns).toHaveLength(80);
  expect(chat.turns[1].role).toBe('assistant');
  chat.close();
});

test('an abort stops a reply within a token and keeps what came; the next one goes on', async () => {
  const long = randomChatModel(tokenizer, 400);
  const chat = createChat(long, { temperature: 2, bias: new Map([[end, Number.NEGATIVE_INFINITY]]) });
  const controller = new AbortController();
  let text = '';
  let last = null;
  for await (const event of chat.say('abc', { signal: controller.signal })) {
    text += event.text;
    last = event.end;
    if (text.length === 5) controller.abort();
  }
  expect([text.length, last]).toEqual([5, null]);
  expect(chat.turns).toEqual([
    { role: 'user', content: 'abc' },
    { role: 'assistant', content: text },
  ]);
  for await (const { text: more } of chat.say('d')) if (more !== '') break; // a reader that leaves
  expect(chat.turns).toHaveLength(4);
  expect((await reply(chat, 'e')).length).toBeGreaterThan(50);
  chat.clear();
  expect(chat.turns).toEqual([]);
  chat.close();
});

test('settings change between replies; limits hold', async () => {
  const chat = createChat(model, { temperature: 1, seed: 1, maxTokens: 3 });
  const first = await reply(chat, 'ab');
  expect([...first].length).toBeLessThanOrEqual(3);
  chat.clear();
  expect(await reply(chat, 'ab')).toBe(first);
  chat.clear();
  chat.set({ seed: 2, temperature: 2 });
  const other = await reply(chat, 'ab');
  chat.clear();
  chat.set({ seed: 1, temperature: 1 });
  expect(await reply(chat, 'ab')).toBe(first);
  expect(() => chat.set({ temperature: -1 })).toThrow(expect.objectContaining({ code: 'MG_OPTION_VALUE' }));
  expect(await reply(chat, 'cd')).toBeTypeOf('string');
  expect(other).toBeTypeOf('string');
  chat.close();
});

test('as the Rust system chats: its prompt, its random stream, roles passed over', async () => {
  const texts = ['abc', 'hi', 'd'];
  const ours = await replies(model, { compat: 'rust', seed: 3, temperature: 0.8, backend: 'reference' }, texts);
  // The same by hand, as compatibility notes describe that program.
  const turns: number[] = [];
  const expected: string[] = [];
  const { blockSize, vocabSize } = model.config;
  const engine = createEngine('reference', model.config, model.parameters);
  texts.forEach((text, turn) => {
    turns.push(user, ...tokenizer.encode(text).ids, end);
    const tokens = [...turns, assistant].slice(-(blockSize - 1));
    const random = createXorshift64(3 + turn);
    const decoder = engine.decoder();
    const out: number[] = [];
    const rows = decoder.read(
      tokens,
      tokens.map(() => 0),
    );
    let logits = [...rows.slice((tokens.length - 1) * vocabSize)];
    for (let position = tokens.length - 1; position < blockSize; position++) {
      const top = Math.max(...logits);
      const weights = logits.map((x) => Math.exp((x - top) / 0.8));
      const sum = weights.reduce((a, b) => a + b);
      let u = random.uniform();
      let id = weights.findIndex((w) => {
        u -= w / sum;
        return u < 0;
      });
      if (id < 0) id = vocabSize - 1;
      if (id === end) break;
      out.push(id);
      if (position + 1 < blockSize) logits = [...decoder.read([id], [0])];
    }
    const said = tokenizer.decode(out);
    expected.push(said);
    turns.push(assistant, ...tokenizer.encode(said).ids, end);
  });
  engine.close();
  expect(ours).toEqual(expected);
});

test('a model without roles is refused with the way out', () => {
  const plain = randomChatModel(charTokenizerFrom(['abc'], 'last'), 16);
  expect(() => createChat(plain)).toThrow(
    expect.objectContaining({ code: 'MG_CHAT_MODEL', remedy: expect.stringContaining('--format chat') }),
  );
});
