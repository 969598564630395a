/**
 * What the strict reader refuses where JSON.parse is silent, and where its limits lie.
 */
import { expect, test } from 'vitest';
import { parseJson } from './json.js';
import { LIMITS } from './limits.js';

const read = (text: string) => parseJson(text, 'x', 'MG_CKPT_JSON', 'MG_CKPT_NAME');
const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

test('as deep as allowed, and no deeper', () => {
  expect(read(deep(LIMITS.jsonDepth))).toHaveLength(1);
  expect(() => read(deep(LIMITS.jsonDepth + 1))).toThrow(`nested more than ${LIMITS.jsonDepth} deep`);
});

test('no control character in a string, the last of them neither', () => {
  for (const code of [0, 9, 10, 31]) expect(() => read(`"${String.fromCharCode(code)}"`)).toThrow('control character');
  expect(read('"\u0020\u007f"')).toBe(' \u007f');
});

test('no name twice, and none that reaches a prototype', () => {
  expect(() => read('{"a": 1, "b": {"c": 1, "c": 2}}')).toThrow('the name "c" stands twice');
  for (const name of ['__proto__', 'constructor', 'prototype'])
    expect(() => read(`{"${name}": 1}`)).toThrow(expect.objectContaining({ code: 'MG_CKPT_NAME' }));
});
