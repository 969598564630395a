// Fairness between streams, counted in tokens and in turns of the event loop, never in time. (N8; its times are measured by bench/serve.mjs)
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FULL } from '../golden.js';
import { PROGRAMS } from '../programs.js';

const [STREAMS, TOKENS] = FULL ? [1000, 256] : [80, 256];

test(`N8 ${STREAMS} streams at once: each whole, none far ahead of another, no turn long`, () => {
  const program = join(PROGRAMS, 'serve-fairly.js');
  const out = execFileSync(process.execPath, [program, String(STREAMS), String(TOKENS)], { encoding: 'utf8' });
  const { mostInATurn, shares, apart, whole, same } = JSON.parse(out);
  expect([whole, same]).toEqual([STREAMS, true]);
  const [least, most] = shares;
  expect(most / least).toBeLessThanOrEqual(2);
  // Mostly 16, what a turn passes on of one stream; where other work takes the cores, at most what may lie unread of one stream (64 in the
  // thread that computes, 32 on their way) and a turn.
  expect(apart).toBeLessThanOrEqual(112);
  // Node takes one new connection in each turn of its loop. (It was 512: 16 of each stream.)
  expect(mostInATurn).toBeLessThanOrEqual(128);
});
