import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { sha256 } from './sha256.js';

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7919 + (i >> 3)) & 255);

test('the digests of Node’s own SHA-256, at every length around the block size', () => {
  for (const length of [...Array(140).keys(), 1000, 65_537]) {
    expect(sha256(bytes(length)), `${length} bytes`).toBe(createHash('sha256').update(bytes(length)).digest('hex'));
  }
});

test('parts are read as one text, however it is cut', () => {
  const whole = bytes(300);
  const digest = sha256(whole);
  for (let a = 0; a <= 300; a += 13) {
    for (let b = a; b <= 300; b += 29) {
      expect(sha256(whole.subarray(0, a), whole.subarray(a, b), whole.subarray(b))).toBe(digest);
    }
  }
});
