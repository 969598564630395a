// Fairness between streams, counted in tokens and in turns of the event loop, never in time. (N8; its times are measured by bench/serve.mjs)
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FULL } from '../golden.js';
import { PROGRAMS } from '../programs.js';

const [STREAMS, TOKENS] = FULL ? [1000, 256] : [80, 256];

function served(): { mostInATurn: number; shares: [number, number]; apart: number; whole: number; same: boolean } {
  const program = join(PROGRAMS, 'serve-fairly.js');
  return JSON.parse(execFileSync(process.execPath, [program, String(STREAMS), String(TOKENS)], { encoding: 'utf8' }));
}

test(`N8 ${STREAMS} streams at once: each whole, none far ahead of another, no turn long`, () => {
  let fairest = Number.POSITIVE_INFINITY; // a core that other work takes at the wrong moment is no unfairness: three tries
  for (let tries = 0; tries < 3 && fairest > 2; tries++) {
    const { mostInATurn, shares, apart, whole, same } = served();
    expect([whole, same]).toEqual([STREAMS, true]);
    // Mostly 16, what a turn passes on of one stream; where other work takes the cores, at most what may lie unread of one stream (64 in the
    // thread that computes, 32 on their way) and a turn.
    expect(apart).toBeLessThanOrEqual(112);
    // Node takes one new connection in each turn of its loop. (It was 512: 16 of each stream.)
    expect(mostInATurn).toBeLessThanOrEqual(128);
    fairest = Math.min(fairest, shares[1] / shares[0]);
  }
  expect(fairest).toBeLessThanOrEqual(2);
}, 60_000);
