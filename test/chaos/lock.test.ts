// C7: several trainers want one run at the same moment, with and without the lock of a dead one in their way: exactly one gets it.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openRun } from '../../src/node/runs.js';
import { temporaryFolder } from '../cli.js';
import { FULL } from '../golden.js';
import { type Child, startChild } from './child.js';

const ROUNDS = FULL ? 100 : 10;
const CONTENDERS = 4;

test(
  `${CONTENDERS} trainers, ${ROUNDS} times at once: exactly one trains, the others are told who does`,
  async () => {
    const folder = join(temporaryFolder(), 'run');
    await (await openRun(folder, { create: { settings: {} } })).close();
    const start = () => startChild('contender', folder);
    const children: Child[] = Array.from({ length: CONTENDERS }, start);
    onTestFinished(async () => {
      for (const child of children) await child.kill();
    });
    for (const child of children) await child.next('here');
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 3 === 1) {
        // The lock of a process that is long gone.
        mkdirSync(join(folder, 'run.lock'));
        writeFileSync(join(folder, 'run.lock', `4194305-0-1700000000000-${hostname()}`), '');
      }
      for (const child of children) child.tell('go');
      const answers = await Promise.all(children.map((child) => child.next('')));
      const winner = answers.indexOf('got');
      for (const [i, answer] of answers.entries()) {
        if (i === winner) continue;
        expect(answer, `round ${round}`).toMatch(/^MG_RUN_LOCKED: .* is being trained by process \d+ since /);
        expect(answer, `round ${round}`).toContain(`process ${children[winner]?.pid} `);
      }
      if (round % 3 === 2) {
        // The one that trains is killed: its lock stays behind, and the next round starts with it.
        await children[winner].kill();
        children[winner] = start();
        await children[winner].next('here');
      } else {
        children[winner].tell('leave');
        await children[winner].next('left');
      }
    }
    for (const child of children) await child.kill();
    rmSync(join(folder, 'run.lock'), { recursive: true, force: true });
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  },
  5 * 60_000,
);
