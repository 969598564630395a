import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAcceptor, symbolsOf } from './acceptor.js';
import { type Alphabet, compile } from './automaton.js';
import { createExclusions, descend } from './exclusions.js';
import { ANY, parsePattern } from './pattern.js';
import { byteRanges, bytesOf } from './utf8.js';
import { createWalk } from './walk.js';

const seed = Number(process.env['MG_TEST_SEED'] ?? 20240607);

function matches(pattern: string, text: string, alphabet: Alphabet): boolean {
  const automaton = compile(parsePattern(pattern), alphabet);
  let state = automaton.start;
  for (const symbol of symbolsOf(text, alphabet)) {
    if (state < 0) return false;
    state = automaton.next(state, symbol);
  }
  return state >= 0 && automaton.accepts(state);
}

/** Patterns from a few pieces, nested. */
const patterns = fc.letrec((tie) => ({
  atom: fc.oneof(
    fc.constantFrom(
      'a',
      'b',
      'é',
      '😀',
      '.',
      '[ab]',
      '[^a]',
      '[a-cx]',
      '[a-xb]',
      '[^\\d😀]',
      '\\d',
      '\\W',
      '\\s',
      '\\.',
      '\\x41',
      '\\u{1F600}',
      '[\\w-]',
    ),
    fc.tuple(tie('pattern')).map(([p]) => `(${p})`),
    fc.tuple(tie('pattern')).map(([p]) => `(?:${p})`),
  ),
  piece: fc
    .tuple(tie('atom'), fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '+?'))
    .map(([a, q]) => `${a}${q}`),
  pattern: fc.oneof(
    { maxDepth: 4 },
    fc.array(tie('piece') as fc.Arbitrary<string>, { maxLength: 3 }).map((parts) => parts.join('')),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `${a}|${b}`),
  ),
}));

test.each<Alphabet>(['code points', 'bytes'])('patterns mean what they mean to RegExp, over %s', (alphabet) => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', 'c', 'x', 'A', 'é', '😀', '1', ' ', '.', '\n', '-'),
    maxLength: 6,
  });
  fc.assert(
    fc.property(
      patterns.pattern as fc.Arbitrary<string>,
      fc.array(text, { minLength: 1, maxLength: 8 }),
      (pattern, texts) => {
        const expected = new RegExp(`^(?:${pattern})$`, 'u');
        for (const t of texts)
          expect(matches(pattern, t, alphabet), `${pattern} ${JSON.stringify(t)}`).toBe(expected.test(t));
      },
    ),
    { seed, numRuns: 400 },
  );
});

test('groups are counted by how deep they are, not by how many there are', () => {
  expect(matches('(a)'.repeat(150), 'a'.repeat(150), 'code points')).toBe(true);
});

test('^ and $ at the ends, and \\s, \\w, . over all of a plane', () => {
  expect(matches('^ab$', 'ab', 'code points')).toBe(true);
  for (const pattern of ['\\s', '\\w', '.', '\\D']) {
    const regexp = new RegExp(`^${pattern}$`, 'u');
    const automaton = compile(parsePattern(pattern), 'code points');
    for (let code = 0; code < 0x10000; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const next = automaton.next(automaton.start, code);
      if ((next >= 0 && automaton.accepts(next)) !== regexp.test(String.fromCharCode(code))) {
        expect.fail(`${pattern} ${code.toString(16)}`);
      }
    }
  }
});

test.each([
  ['(a', 'this group is not closed'],
  ['a)', 'closes nothing'],
  ['a$b', '$ in the middle'],
  ['a^b', '^ in the middle'],
  ['[a', 'not closed'],
  ['[b-a]', 'backwards'],
  ['[\\d-x]', 'both sides'],
  ['*a', 'nothing to repeat'],
  ['a**', 'nothing to repeat'],
  ['a{2', '{m}'],
  ['a{3,2}', 'empty'],
  ['a{1001}', 'repetitions'],
  ['a^b', 'in the middle'],
  ['(?=a)', 'looking ahead'],
  ['(?<!a)b', 'looking behind'],
  ['(?<name>a)', 'names of groups'],
  ['(?i)a', 'flags'],
  ['(a)\\1', 'references'],
  ['\\bword', 'word boundaries'],
  ['\\p{L}', 'Unicode properties'],
  ['\\u12', 'hexadecimal'],
  ['\\x4', 'hexadecimal'],
  ['\\u{D800}', 'not a character'],
  ['\\q', 'not supported'],
  ['\\', 'at the end'],
  ['\\01', 'octal'],
  ['\\é', 'means nothing'],
  ['('.repeat(101) + ')'.repeat(101), 'deep'],
  ['a'.repeat(10_001), 'longer'],
])('%j is refused with its reason', (pattern, reason) => {
  expect(() => parsePattern(pattern)).toThrow(
    expect.objectContaining({ code: 'MG_GEN_PATTERN', message: expect.stringContaining(reason) }),
  );
});

test('a pattern that explodes is refused', () => {
  expect(() => compile(parsePattern('((a{1000}){1000}){2}'), 'code points')).toThrow('states');
  const hard = createAcceptorOf('(a|b)*a(a|b){40}', 'ab');
  expect(hard).toThrow('states');
});

function createAcceptorOf(pattern: string, characters: string) {
  const symbols = Int32Array.from(characters, (c) => c.codePointAt(0)!);
  return () => createAcceptor({ matches: pattern }, { alphabet: 'code points', symbols }, '');
}

test('byte ranges hold the bytes of each character in them and no others', () => {
  fc.assert(
    fc.property(fc.nat(0x10ffff), fc.nat(0x10ffff), fc.nat(0x10ffff), (a, b, c) => {
      if (c >= 0xd800 && c <= 0xdfff) return;
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const bytes = bytesOf(c);
      expect([...new TextEncoder().encode(String.fromCodePoint(c))]).toEqual(bytes);
      const fits = byteRanges([low, high]).filter(
        (ranges) =>
          ranges.length === bytes.length && ranges.every(([from, to], i) => bytes[i] >= from && bytes[i] <= to),
      );
      expect(fits.length).toBe(c >= low && c <= high ? 1 : 0);
    }),
    { seed, numRuns: 3000 },
  );
  for (const surrogate of [0xd800, 0xdbff, 0xdc00, 0xdfff]) {
    const bytes = bytesOf(surrogate); // no character: UTF-8 has no such bytes
    const fits = byteRanges([0xd000, 0xf000]).filter((ranges) =>
      ranges.every(([from, to], i) => bytes[i] >= from && bytes[i] <= to),
    );
    expect(fits).toEqual([]);
  }
  expect(ANY.kind).toBe('set');
});

describe('a walk can always be finished', () => {
  const characters = 'abc';
  const END = 3;
  const tokens = {
    alphabet: 'code points' as const,
    symbols: Int32Array.from([...characters].map((c) => c.codePointAt(0)!).concat(-1)),
  };
  const ends = Uint8Array.of(0, 0, 0, 1);

  /** All texts of the walk, by trying every allowed token. */
  function allTexts(
    demands: Parameters<typeof createAcceptor>[0],
    room: number,
    excluded: string[],
    withEnd = true,
  ): string[] {
    const acceptor = createAcceptor(demands, tokens, '');
    const tree = createExclusions('code points');
    for (const text of excluded) tree.add(text);
    const plan = { acceptor, tokens, ends: withEnd ? ends : new Uint8Array(4), room };
    const out: string[] = [];
    const visit = (path: number[]) => {
      const walk = createWalk(plan, new Map(), descend(tree.root, []));
      if (path.length === 0 && !walk.possible) return;
      let goesOn = true;
      for (const token of path) goesOn = walk.take(token);
      const text = path.map((t) => characters[t]).join('');
      if (!goesOn) {
        out.push(text);
        return;
      }
      const mask = [...walk.mask()];
      expect(mask.some((allowed) => allowed === 1)).toBe(true);
      if (mask[END] === 1) out.push(text);
      for (let token = 0; token < 3; token++) if (mask[token] === 1) visit([...path, token]);
    };
    visit([]);
    return out.sort();
  }

  /** All texts of up to `room` characters. */
  const universe = (room: number): string[] =>
    room === 0 ? [''] : ['', ...universe(room - 1).flatMap((text) => [...characters].map((c) => c + text))];

  test('it reaches exactly the texts that meet the demands', () => {
    const cases: [Parameters<typeof createAcceptor>[0], (text: string) => boolean][] = [
      [{ minLength: 2, maxLength: 3 }, (t) => t.length >= 2 && t.length <= 3],
      [{ startsWith: 'ab' }, (t) => t.startsWith('ab')],
      [{ endsWith: 'aba' }, (t) => t.endsWith('aba')],
      [
        { startsWith: 'ab', endsWith: 'ba', minLength: 4 },
        (t) => t.startsWith('ab') && t.endsWith('ba') && t.length >= 4,
      ],
      [{ matches: '(ab|c)+', maxLength: 4 }, (t) => /^(ab|c)+$/.test(t) && t.length <= 4],
      [{ matches: '[^b]*b[^b]*', minLength: 3 }, (t) => /^[^b]*b[^b]*$/.test(t) && t.length >= 3],
    ];
    for (const [demands, fits] of cases) {
      const expected = [...new Set(universe(5))].filter(fits).sort();
      expect(allTexts(demands, 5, []), JSON.stringify(demands)).toEqual(expected);
      const excluded = expected.filter((_, i) => i % 3 !== 1);
      expect(allTexts(demands, 5, excluded)).toEqual(expected.filter((_, i) => i % 3 === 1));
      expect(allTexts(demands, 5, expected)).toEqual([]);
    }
  });

  test('without a token that ends texts, each runs until nothing may follow, and has met the demands', () => {
    for (const text of allTexts({ matches: '(ab)*c?' }, 4, [], false)) expect(text).toMatch(/^(ab)*c?$/);
    const left = allTexts({ matches: '[ab]{2}' }, 5, ['ab', 'bb', 'ba'], false);
    expect(left).toEqual(['aa']);
  });

  test('what the prompt makes impossible is known before anything is drawn', () => {
    const acceptor = createAcceptor({ startsWith: 'ab' }, tokens, 'b');
    expect(acceptor.start).toBe(-1);
    expect(createWalk({ acceptor, tokens, ends, room: 9 }, new Map(), null).possible).toBe(false);
    const long = createAcceptor({ minLength: 9 }, tokens, 'ab');
    expect(createWalk({ acceptor: long, tokens, ends, room: 6 }, new Map(), null).possible).toBe(false);
    expect(createWalk({ acceptor: long, tokens, ends, room: 7 }, new Map(), null).possible).toBe(true);
  });

  test('masks that are kept are those that would be made', () => {
    const acceptor = createAcceptor({ matches: '(ab|c)*', maxLength: 40 }, tokens, '');
    const cache = new Map();
    for (const room of [200, 70, 65, 200]) {
      const kept = createWalk({ acceptor, tokens, ends, room }, cache, null);
      const fresh = createWalk({ acceptor, tokens, ends, room }, new Map(), null);
      for (const token of [0, 1, 2, 0, 1]) {
        expect([...kept.mask()]).toEqual([...fresh.mask()]);
        kept.take(token);
        fresh.take(token);
      }
    }
    expect(cache.size).toBeGreaterThan(0);
  });

  test('a mask is not kept where more room would allow more, or less room less', () => {
    const acceptor = createAcceptor({ matches: '(a{150}|b)c*' }, tokens, '');
    for (const rooms of [
      [200, 100],
      [100, 200],
    ]) {
      const cache = new Map();
      const masks = rooms.map((room) => [...createWalk({ acceptor, tokens, ends, room }, cache, null).mask()]);
      expect(masks).toEqual(rooms.map((room) => [room >= 150 ? 1 : 0, 1, 0, 0]));
    }
  });
});
