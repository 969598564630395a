/**
 * Patterns for whole texts: the part of regular expressions that a finite automaton can follow. Literals, . [a-z] [^a-z] \d \w \s and their
 * opposites, groups, |, * + ?, {m} {m,} {m,n}; ^ at the start and $ at the end change nothing, since the whole text has to match.
 * Refuses to know: tokens. Invariant: what it accepts means what it means to JavaScript's RegExp with the u flag and ^(?:…)$ around it;
 * anything else is refused by name.
 */
import { MicrogptError } from '../../base/errors.js';

/** Code points from `low` to `high`, both included; sorted and apart in a set. */
export type Range = readonly [low: number, high: number];

export type Pattern =
  | { readonly kind: 'set'; readonly ranges: readonly Range[] }
  | { readonly kind: 'sequence'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'either'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly least: number; readonly most: number };

const MOST_CHARACTERS = 10_000;
const MOST_REPEATS = 1000;
const MOST_DEPTH = 100;
const LAST = 0x10ffff;

/** Every character but the halves of surrogate pairs, which no text holds. */
export const ANY: Pattern = {
  kind: 'set',
  ranges: [
    [0, 0xd7ff],
    [0xe000, LAST],
  ],
};
export const ANY_TEXT: Pattern = { kind: 'repeat', part: ANY, least: 0, most: Number.POSITIVE_INFINITY };

export function literal(text: string): Pattern {
  return { kind: 'sequence', parts: [...text].map((c) => one(c.codePointAt(0)!)) };
}

export const sequence = (...parts: Pattern[]): Pattern => ({ kind: 'sequence', parts });

const one = (code: number): Pattern => ({ kind: 'set', ranges: [[code, code]] });

const DIGIT: Range[] = [[48, 57]];
const WORD: Range[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACE: Range[] = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_ENDS: Range[] = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];
const CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/** Sorted, without overlaps. */
function union(ranges: readonly Range[]): Range[] {
  const out: [number, number][] = [];
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else out.push([low, high]);
  }
  return out;
}

function complement(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  let from = 0;
  for (const [low, high] of union([...ranges, [0xd800, 0xdfff]])) {
    if (low > from) out.push([from, low - 1]);
    from = high + 1;
  }
  if (from <= LAST) out.push([from, LAST]);
  return out;
}

/** The error for a pattern, with the place in it. */
function refuse(source: string, at: number, why: string): never {
  throw new MicrogptError(
    'MG_GEN_PATTERN',
    `the pattern ${JSON.stringify(source.length > 60 ? `${source.slice(0, 57)}…` : source)} at character ${at + 1}: ${why}`,
    'use literals, . [a-z] \\d \\w \\s, groups, |, * + ? and {m,n}; the whole text has to match',
  );
}

/** @throws MG_GEN_PATTERN naming what is not supported, and where. */
export function parsePattern(source: string): Pattern {
  const text = [...source];
  if (text.length > MOST_CHARACTERS) refuse(source, MOST_CHARACTERS, `it is longer than ${MOST_CHARACTERS} characters`);
  let at = 0;
  let depth = 0;
  const fail = (why: string, place = at): never => refuse(source, place, why);
  const take = (expected: string): boolean => {
    if (text[at] !== expected) return false;
    at++;
    return true;
  };

  function either(): Pattern {
    if (++depth > MOST_DEPTH) fail(`groups are more than ${MOST_DEPTH} deep`);
    const parts = [concatenation()];
    while (take('|')) parts.push(concatenation());
    depth--;
    return parts.length === 1 ? parts[0] : { kind: 'either', parts };
  }

  function concatenation(): Pattern {
    const parts: Pattern[] = [];
    while (at < text.length && text[at] !== '|' && text[at] !== ')') {
      if (text[at] === '^' && at === 0) at++;
      else if (text[at] === '$' && at === text.length - 1) at++;
      else parts.push(repeated());
    }
    return { kind: 'sequence', parts };
  }

  function repeated(): Pattern {
    const part = atom();
    const place = at;
    const bounds = quantifier();
    if (bounds === null) return part;
    take('?'); // a lazy quantifier finds the same whole texts
    if (['*', '+', '?', '{'].includes(text[at] ?? '')) fail('nothing to repeat');
    const [least, most] = bounds;
    if (least > most) fail(`{${least},${most}} is empty`, place);
    if (least > MOST_REPEATS || (most > MOST_REPEATS && most !== Number.POSITIVE_INFINITY)) {
      fail(`more than ${MOST_REPEATS} repetitions`, place);
    }
    return { kind: 'repeat', part, least, most };
  }

  function quantifier(): [number, number] | null {
    if (take('*')) return [0, Number.POSITIVE_INFINITY];
    if (take('+')) return [1, Number.POSITIVE_INFINITY];
    if (take('?')) return [0, 1];
    if (text[at] !== '{') return null;
    const found = /^\{(\d{1,6})(,(\d{0,6}))?\}/.exec(text.slice(at, at + 16).join(''));
    if (found === null) return fail('{ without {m}, {m,} or {m,n}; a brace itself is \\{');
    at += found[0].length;
    const least = Number(found[1]);
    if (found[2] === undefined) return [least, least];
    return [least, found[3] === '' ? Number.POSITIVE_INFINITY : Number(found[3])];
  }

  function atom(): Pattern {
    const c = text[at];
    if (c === '(') return group();
    if (c === '[') return { kind: 'set', ranges: characterClass() };
    if (c === '\\') return { kind: 'set', ranges: escaped(false) };
    if (c === '^' || c === '$') fail(`${c} in the middle; the whole text has to match anyway`);
    if (c === '*' || c === '+' || c === '?') fail('nothing to repeat');
    if (c === '{' || c === '}' || c === ']') fail(`${c} alone; the character itself is \\${c}`);
    at++;
    return c === '.' ? { kind: 'set', ranges: complement(LINE_ENDS) } : one(c.codePointAt(0)!);
  }

  function group(): Pattern {
    const open = at++;
    if (take('?') && !take(':')) fail(unsupportedGroup(text.slice(at, at + 2).join('')), open);
    const inside = either();
    if (!take(')')) fail('this group is not closed', open);
    return inside;
  }

  function characterClass(): Range[] {
    const open = at++;
    const negated = take('^');
    const ranges: Range[] = [];
    while (at < text.length && text[at] !== ']') {
      const place = at;
      const low = member();
      if (text[at] !== '-' || text[at + 1] === ']' || at + 1 >= text.length) {
        ranges.push(...low);
        continue;
      }
      at++;
      const high = member();
      if (!isSingle(low) || !isSingle(high)) fail('a range needs a character on both sides', place);
      if (low[0][0] > high[0][0]) fail('a range that runs backwards', place);
      ranges.push([low[0][0], high[0][0]]);
    }
    if (!take(']')) fail('this class is not closed', open);
    return negated ? complement(ranges) : union(ranges);
  }

  function member(): readonly Range[] {
    if (text[at] === '\\') return escaped(true);
    const code = text[at++].codePointAt(0)!;
    return [[code, code]];
  }

  function escaped(inClass: boolean): Range[] {
    const place = at++;
    const c = text[at++] ?? fail('\\ at the end', place);
    const single = (code: number): Range[] => [[code, code]];
    if (Object.hasOwn(CLASSES, c)) return [...CLASSES[c]];
    if (c === '0' && /\d/.test(text[at] ?? '')) fail('octal escapes are not supported', place);
    if (Object.hasOwn(CONTROLS, c)) return single(CONTROLS[c]);
    if (c === 'x' || c === 'u') return single(hexadecimal(c, place));
    if (/[1-9k]/.test(c)) fail('references to groups are not supported', place);
    if (c === 'b' || c === 'B') fail(`\\${c} (word boundaries) is not supported`, place);
    if (c === 'p' || c === 'P') fail(`\\${c} (Unicode properties) is not supported`, place);
    if (/[a-zA-Z]/.test(c)) fail(`\\${c} is not supported`, place);
    if (!/[\^$\\.*+?()[\]{}|/]/.test(c) && !(inClass && c === '-')) fail(`\\${c} means nothing; write ${c}`, place);
    return single(c.codePointAt(0)!);
  }

  function hexadecimal(kind: string, place: number): number {
    const rest = text.slice(at, at + 10).join('');
    const found = (kind === 'x' ? /^([\da-f]{2})/i : /^([\da-f]{4})|^\{([\da-f]{1,6})\}/i).exec(rest);
    if (found === null) return fail(`\\${kind} without its hexadecimal digits`, place);
    at += found[0].length;
    const code = Number.parseInt(found[1] ?? found[2], 16);
    if (code > LAST || (code >= 0xd800 && code <= 0xdfff)) fail('not a character', place);
    return code;
  }

  const pattern = either();
  if (at < text.length) fail('this ) closes nothing');
  return pattern;
}

const isSingle = (ranges: readonly Range[]) => ranges.length === 1 && ranges[0][0] === ranges[0][1];

function unsupportedGroup(after: string): string {
  if (/^[=!]/.test(after)) return 'looking ahead is not supported';
  if (/^<[=!]/.test(after)) return 'looking behind is not supported';
  if (after.startsWith('<')) return 'names of groups are not supported';
  return 'flags in a pattern are not supported';
}
