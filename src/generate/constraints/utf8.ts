/**
 * Ranges of code points as sequences of ranges of UTF-8 bytes, so that an automaton over bytes can follow them.
 * (The method of Russ Cox, "Regular Expression Matching in the Wild", 2010.)
 */
import type { Range } from './pattern.js';

/** Code points that take 1, 2, 3 and 4 bytes; the third without surrogates. */
const LENGTHS: readonly Range[] = [
  [0, 0x7f],
  [0x80, 0x7ff],
  [0x800, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, 0x10ffff],
];

/** Sequences of byte ranges; a character is in the range when its bytes fit one of them. */
export function byteRanges([low, high]: Range): Range[][] {
  return LENGTHS.flatMap(([from, to]) => {
    const [a, b] = [Math.max(low, from), Math.min(high, to)];
    return a > b ? [] : split(bytesOf(a), bytesOf(b));
  });
}

export function bytesOf(code: number): number[] {
  if (code < 0x80) return [code];
  if (code < 0x800) return [0xc0 | (code >> 6), 0x80 | (code & 63)];
  if (code < 0x10000) return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
  return [0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
}

/** From one encoding to another of the same length, in order: the first byte decides unless it is an edge. */
function split(low: readonly number[], high: readonly number[]): Range[][] {
  if (low.length === 1) return [[[low[0], high[0]]]];
  const [a, ...lowRest] = low;
  const [b, ...highRest] = high;
  const ahead = (byte: number, tails: Range[][]): Range[][] => tails.map((tail) => [[byte, byte], ...tail]);
  const first = lowRest.map(() => 0x80);
  const last = lowRest.map(() => 0xbf);
  if (a === b) return ahead(a, split(lowRest, highRest));
  const lowFits = lowRest.every((byte) => byte === 0x80);
  const highFits = highRest.every((byte) => byte === 0xbf);
  const [from, to] = [lowFits ? a : a + 1, highFits ? b : b - 1];
  return [
    ...(lowFits ? [] : ahead(a, split(lowRest, last))),
    ...(from <= to ? [[[from, to] as Range, ...lowRest.map((): Range => [0x80, 0xbf])]] : []),
    ...(highFits ? [] : ahead(b, split(first, highRest))),
  ];
}
