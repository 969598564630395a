// C1 and C2: a process that saves is killed, at random moments and before each call of a save. What had been saved is there; a writer that
// overwrites its file, killed in the same way, must lose it often, or this test sees nothing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MicrogptError } from '../../src/base/errors.js';
import { openRun } from '../../src/node/runs.js';
import { temporaryFolder } from '../cli.js';
import { FULL } from '../golden.js';
import { stepOf } from '../programs/patterned.js';
import { startChild } from './child.js';
import { seeded } from './seed.js';

const MINUTES = 60_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a killed process had been told to be saved. */
function acknowledged(lines: readonly string[]): number {
  const last = lines.findLast((line) => line.startsWith('saved '));
  return last === undefined ? 0 : Number(last.slice('saved '.length));
}

/** Opens the run as the next training would; the newest step that is there, and what was said. */
async function recovered(folder: string): Promise<{ step: number; notes: readonly string[] }> {
  const run = await openRun(folder, { resume: true });
  try {
    const found = await run.newestCheckpoint((bytes) => {
      if (stepOf(bytes) === null) throw new MicrogptError('MG_CKPT_UNKNOWN', 'not whole', 'none');
    });
    if (found === null) throw new Error('no checkpoint is left');
    expect(found.skipped).toEqual([]);
    expect(stepOf(found.bytes)).toBe(found.step);
    await run.truncateMetrics(found.step);
    const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1)!).step).toBe(found.step);
    return { step: found.step, notes: run.notes };
  } finally {
    await run.close();
  }
}

/** Sizes in MB, how often, and within how many milliseconds after it is ready. */
const KILLS = FULL
  ? ([
      [0.2, 300, 40],
      [4, 160, 60],
      [64, 40, 400],
    ] as const)
  : ([
      [0.2, 12, 40],
      [4, 6, 60],
      [64, 2, 300],
    ] as const);

for (const [megabytes, kills, within] of KILLS) {
  test(
    `${kills} kills while checkpoints of ${megabytes} MB are saved: nothing that was saved is lost`,
    async () => {
      const random = seeded(`kills at ${megabytes} MB`, Math.round(100 * megabytes));
      const folder = join(temporaryFolder(), 'run');
      let [promise, orphans, saves] = [0, 0, 0];
      for (let i = 0; i < kills; i++) {
        const child = startChild('saves', folder, String(megabytes * 1e6), 'run');
        const ready = Number((await child.next('ready')).slice('ready '.length));
        if (promise === 0) await child.next('saved');
        await pause(random() * within);
        await child.kill();
        promise = Math.max(promise, acknowledged(child.lines));
        saves += Math.max(0, promise - ready);
        const { step, notes } = await recovered(folder);
        expect(step, `kill ${i}`).toBeGreaterThanOrEqual(promise);
        expect(step, `kill ${i}`).toBeLessThanOrEqual(promise + 1);
        promise = step;
        for (const note of notes) {
          expect(note).toMatch(
            /^removed 1 unfinished save \(\.step-\d+\.safetensors\.\d+\.\d+\.tmp, [\d.]+ (bytes|KB|MB)\) left by process \d+$/,
          );
          expect(note).toContain(`process ${child.pid}`);
          orphans++;
        }
      }
      console.log(`${kills} kills at ${megabytes} MB: ${saves} saves, ${orphans} unfinished ones swept, 0 lost`);
      if (FULL) expect(orphans).toBeGreaterThan(kills / 20);
    },
    10 * MINUTES,
  );
}

test(
  'control: a writer that overwrites its file loses it in a quarter of the kills or more',
  async () => {
    const random = seeded('kills of the naive writer', 1);
    const folder = temporaryFolder();
    const kills = FULL ? 200 : 20;
    let lost = 0;
    for (let i = 0; i < kills; i++) {
      const child = startChild('saves', folder, String(4e6), 'naive');
      await child.next('saved');
      await pause(random() * 40);
      await child.kill();
      if (stepOf(new Uint8Array(readFileSync(join(folder, 'model')))) === null) lost++;
    }
    console.log(`naive writer: ${lost} of ${kills} kills lost the file`);
    expect(lost / kills).toBeGreaterThanOrEqual(0.25);
  },
  10 * MINUTES,
);

/** A call of a save, and whether the new checkpoint is there when the process dies before it. */
const POINTS = {
  free: false,
  create: false,
  write: false,
  fsync: false,
  close: false,
  stat: false,
  rename: false,
  folder: true,
  prune: true,
} as const;

for (const megabytes of FULL ? [0.2, 4, 64] : [0.2]) {
  test(
    `killed before each of the ${Object.keys(POINTS).length} calls of a save of ${megabytes} MB`,
    async () => {
      for (const [point, isNew] of Object.entries(POINTS)) {
        const folder = join(temporaryFolder(), 'run');
        const child = startChild('saves', folder, String(megabytes * 1e6), `run=${point}`);
        await child.next(`at ${point}`);
        await child.kill();
        const { step, notes } = await recovered(folder);
        expect([point, acknowledged(child.lines), step]).toEqual([point, 2, isNew ? 3 : 2]);
        const leaves = ['write', 'fsync', 'close', 'stat', 'rename'].includes(point);
        expect(notes.length, point).toBe(leaves ? 1 : 0);
        // And training goes on.
        const next = startChild('saves', folder, String(megabytes * 1e6), 'run');
        await next.next(`saved ${step + 1}`);
        await next.kill();
        expect((await recovered(folder)).step).toBeGreaterThan(step);
      }
    },
    10 * MINUTES,
  );
}
