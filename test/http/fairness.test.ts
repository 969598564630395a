// Fairness between streams, counted in tokens and in turns of the event loop, never in time. (N8; its times are measured by bench/serve.mjs)
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FULL } from '../golden.js';
import { PROGRAMS } from '../programs.js';

const [STREAMS, TOKENS] = FULL ? [1000, 256] : [80, 128];

test(`N8 ${STREAMS} streams at once: each whole, none ahead of another by more than a few tokens, no turn long`, () => {
  const program = join(PROGRAMS, 'serve-fairly.js');
  const out = execFileSync(process.execPath, [program, String(STREAMS), String(TOKENS)], { encoding: 'utf8' });
  const { mostInATurn, shares, apart, whole, same } = JSON.parse(out);
  expect([whole, same]).toEqual([STREAMS, true]);
  const [least, most] = shares;
  expect(most / least).toBeLessThanOrEqual(2);
  expect(apart).toBeLessThanOrEqual(64); // mostly 16, what a turn passes on of one stream; a machine with other work may be late by a few turns
  // Node takes one new connection in each turn of its loop. (It was 512: 16 of each stream.)
  expect(mostInATurn).toBeLessThanOrEqual(128);
});
