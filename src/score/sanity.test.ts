import { expect, test } from 'vitest';
import { display, sanityNextAtOffset, sanityNextFromData, sixDigits, topNext } from './sanity.js';

test('numbers as C++ prints them', () => {
  const pairs: [number, string][] = [
    [0, '0'],
    [1, '1'],
    [0.2, '0.2'],
    [1 / 3, '0.333333'],
    [0.13752799, '0.137528'],
    [0.080902301, '0.0809023'],
    [0.00012345678, '0.000123457'],
    [0.000012345678, '1.23457e-05'],
    [1e-300, '1e-300'],
    [0.9999999, '1'],
    [123456.7, '123457'],
    [1234567, '1.23457e+06'],
  ];
  for (const [x, text] of pairs) expect(sixDigits(x)).toBe(text);
});

test('bytes as that program shows them', () => {
  expect([10, 13, 9, 65, 0, 200].map((byte) => display(byte, false))).toEqual(['\\n', '\\r', '\\t', 'A', '.', '.']);
  expect([10, 0, 200].map((byte) => display(byte, true))).toEqual(['\\n', '\\x00', '\\xC8']);
});

const logits = new Float64Array(256);
logits[97] = 3;
logits[10] = 2;
const bytes = new TextEncoder().encode('xyza\nxyzb\n'.repeat(2048)).subarray(0, 20_479);

test('random contexts: its places, its words', () => {
  const contexts: string[] = [];
  const predict = (context: readonly number[]) => {
    contexts.push(String.fromCharCode(...context));
    return logits;
  };
  const text = sanityNextFromData(bytes, predict, 5, { context: 64, top: 2, seed: 1 });
  // The places that the recorded transcript of that program shows for a file of this size.
  expect([...text.matchAll(/start=(\d+)/g)].map((m) => Number(m[1]))).toEqual([370, 10134, 4004, 18324, 10931]);
  expect(contexts.every((context) => context.length === 64)).toBe(true);
  expect(text.startsWith('\n[sanity 1/5] start=370 ctx_len=64\n  expected next: id=')).toBe(true);
  expect(text).toContain(
    "  pred top1:    id=97 tok='a'\n\nTop-2 next tokens (after temperature, before sampling):\n  1) id=97  p=0.071358  tok='a'\n",
  );
  const right = [370, 10134, 4004, 18324, 10931].filter((start) => bytes[start + 64] === 97).length;
  expect(text.endsWith(`\n\nSanity top1 accuracy: ${right}/5 = ${right / 5}\n`)).toBe(true);
});

test('one place: preview, and what is too short', () => {
  const at = (offset: number, preview: number) =>
    sanityNextAtOffset(bytes, () => logits, offset, { context: 8, top: 0, preview });
  expect(at(5, 3)).toBe(
    '\n[sanity offset] offset=5 ctx_len=8 (predicts byte @ 13)\n  context preview: "...xyz"\n' +
      "  expected next: id=97 tok='a'\n  pred top1:    id=97 tok='a'  [OK]\n",
  );
  expect(at(0, 100)).toContain('context preview: "xyza\\nxyz"');
  expect(at(0, 100)).toContain("id=98 tok='b'\n  pred top1:    id=97 tok='a'  [MISMATCH]");
  expect(() => at(20_471, 3)).toThrow('need bytes[20471..20479] but dataset has 20479 bytes');
  expect(at(20_470, 0)).toContain('context preview: "..."');
  const all = { context: 8, top: 1, seed: 1 };
  expect(() => sanityNextFromData(bytes.subarray(0, 8), () => logits, 1, all)).toThrow('8 bytes');
  expect(topNext(logits, 0, false)).toBe('');
});
