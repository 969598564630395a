// C4: the power goes at any moment of a run, and of what was not forced to disk any part is lost or torn. Every such state is built in
// memory, and the run is opened again in it: the old checkpoint or the new one, never neither; the new one if saving had returned.
import { expect, test } from 'vitest';
import { writeFileDurably } from '../../src/node/durable.js';
import type { FileSystem } from '../../src/node/file-system.js';
import { FULL } from '../golden.js';
import { stepOf } from '../programs/patterned.js';
import { type Fate, type MemoryDisk, memoryDisk } from './memory-disk.js';
import { seeded } from './seed.js';
import { begin, content, FOLDER, recover, report, save } from './training.js';

const EXHAUSTIVE = FULL ? 10 : 6;
const MINUTES = 60_000;

/** Every disk that a power cut after each effect may leave; where there are too many, a sample. */
function* powerCuts(
  disk: MemoryDisk,
  random: () => number,
): Generator<{ at: number; after: MemoryDisk; what: string }> {
  for (let at = 0; at <= disk.log.length; at++) {
    const pending = disk.pending(at);
    const all = 2 ** pending.length;
    const isSample = pending.length > EXHAUSTIVE;
    for (let i = 0; i < Math.min(all, 2 ** EXHAUSTIVE); i++) {
      const subset = isSample ? Math.floor(random() * all) : i;
      const kept = pending.map((_, bit) => Math.floor(subset / 2 ** bit) % 2 === 1);
      yield cut(disk, at, kept);
      // The same with what is kept of a file's content torn.
      const torn = pending.map((effect, bit): Fate | boolean =>
        kept[bit] && effect.type === 'write' ? Math.floor(random() * (effect.bytes.length + 1)) - 1 : kept[bit],
      );
      if (torn.some((fate) => typeof fate === 'number')) yield cut(disk, at, torn);
    }
  }
}

function cut(disk: MemoryDisk, at: number, fates: readonly (Fate | boolean)[]) {
  const fateOf = (i: number): Fate => (fates[i] === true ? 'kept' : fates[i] === false ? 'lost' : (fates[i] as Fate));
  const what = `after effect ${at} of ${disk.log.length}: ${fates.map((_, i) => fateOf(i)).join(' ')}`;
  return { at, after: disk.afterPowerCut(at, (_, i) => fateOf(i)), what };
}

/** What had been promised when so many effects were noted. */
interface Promised<T> {
  readonly from: number;
  readonly value: T;
}
const promised = <T>(promises: readonly Promised<T>[], at: number): T | undefined =>
  promises.findLast(({ from }) => from <= at)?.value;

const SAVES = FULL ? 50 : 8;

test(
  `a power cut at any moment of a run of ${SAVES} saves`,
  async () => {
    const random = seeded('power cut', 4);
    const disk = memoryDisk();
    const saved: Promised<number>[] = [];
    let finished = Number.POSITIVE_INFINITY;
    const run = await begin(disk.fs, 'A');
    const opened = disk.log.length;
    const last = 100 * SAVES;
    for (let step = 100; step <= last; step += 100) {
      report(run, step - 100, step - 50);
      await run.flush();
      report(run, step - 50, step);
      await run.saveCheckpoint(step, save(step));
      saved.push({ from: disk.log.length, value: step });
      if (step % 300 === 0) await run.saveBest(step, save(step));
    }
    await run.saveFinal(last, save(last));
    finished = disk.log.length;
    await run.close();

    let states = 0;
    const seen = { old: 0, new: 0 };
    for (const { at, after, what } of powerCuts(disk, random)) {
      states++;
      const promise = promised(saved, at);
      const best = await content(after.fs, `${FOLDER}/best.safetensors`);
      const model = await content(after.fs, `${FOLDER}/model.safetensors`);
      if (best !== null) expect(stepOf(best), what).not.toBeNull();
      if (model !== null) expect(stepOf(model), what).toBe(last);
      try {
        const found = await recover(after.fs);
        expect(found.step).toBeGreaterThanOrEqual(promise ?? 0);
        expect(found.step).toBeLessThanOrEqual((promise ?? 0) + 100);
        if (at >= finished) expect([found.finished, stepOf(model!)]).toEqual([last, last]);
        seen[found.step === promise ? 'old' : 'new']++;
      } catch (error) {
        const code = (error as { code?: string }).code;
        const nothingYet =
          promise === undefined && (code === 'MG_RUN_NO_CHECKPOINT' || (code === 'MG_FILE_MISSING' && at < opened));
        if (!nothingYet) throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
      }
    }
    console.log(`power cut: ${states} states of ${disk.log.length} effects`, seen);
    expect(seen.new).toBeGreaterThan(SAVES);
  },
  10 * MINUTES,
);

test(
  'a power cut at any moment of a run that takes the place of a finished one: one of the two is there, and the model always',
  async () => {
    const random = seeded('power cut while replacing', 5);
    const first = memoryDisk();
    const a = await begin(first.fs, 'A');
    report(a, 0, 100);
    await a.saveCheckpoint(100, save(100));
    await a.saveBest(100, save(100));
    await a.saveFinal(100, save(100));
    await a.close();

    const disk = first.restarted();
    const b = await begin(disk.fs, 'B');
    const opened = disk.log.length;
    report(b, 0, 200);
    await b.saveCheckpoint(200, save(200));
    const saved = disk.log.length;
    await b.saveFinal(200, save(200));
    const finished = disk.log.length;
    await b.close();

    const seen = { A: 0, B: 0, none: 0 };
    for (const { at, after, what } of powerCuts(disk, random)) {
      const model = stepOf((await content(after.fs, `${FOLDER}/model.safetensors`))!);
      expect([100, 200], what).toContain(model);
      if (at >= finished) expect(model, what).toBe(200);
      const again = after.restarted();
      try {
        const { step, name } = await recover(after.fs);
        expect(step, what).toBe(name === 'A' ? 100 : 200);
        if (at >= saved) expect(name, what).toBe('B');
        seen[name as 'A' | 'B']++;
      } catch (error) {
        // B is there and has nothing to lose yet; A lies in previous/.
        if ((error as { code?: string }).code !== 'MG_RUN_NO_CHECKPOINT' || at >= saved)
          throw new Error(what, { cause: error });
        seen.none++;
      }
      // A third run either may begin, then the model is still there, or is told of B.
      try {
        await (await begin(again.fs, 'C')).close();
        expect(at < saved || model === 200, what).toBe(true);
      } catch (error) {
        if ((error as { code?: string }).code !== 'MG_RUN_EXISTS' || at < opened)
          throw new Error(what, { cause: error });
      }
      expect(stepOf((await content(again.fs, `${FOLDER}/model.safetensors`))!), what).toBe(model);
    }
    console.log('power cut while replacing:', seen);
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(0);
  },
  10 * MINUTES,
);

/** Replaces one file over and over in some way; gives the ways in which a power cut breaks it. */
async function broken(
  random: () => number,
  write: (fs: FileSystem, path: string, bytes: Uint8Array) => Promise<void>,
): Promise<Set<string>> {
  const disk = memoryDisk();
  const saved: Promised<number>[] = [];
  for (let step = 1; step <= 3; step++) {
    await write(disk.fs, '/model', save(step));
    saved.push({ from: disk.log.length, value: step });
  }
  const found = new Set<string>();
  for (const { at, after } of powerCuts(disk, random)) {
    const promise = promised(saved, at);
    const bytes = await content(after.fs, '/model');
    const step = bytes === null ? null : stepOf(bytes);
    if (bytes !== null && step === null) found.add('torn');
    else if (promise !== undefined && step === null) found.add('gone');
    else if ((step ?? 0) < (promise ?? 0)) found.add('older than promised');
  }
  return found;
}

test('controls: each step that is left out is seen by this test, and the whole way breaks nothing', async () => {
  const random = seeded('power cut controls', 6);
  async function careless(fs: FileSystem, path: string, bytes: Uint8Array, steps: readonly string[]): Promise<void> {
    const inPlace = steps.includes('in place');
    const temporary = inPlace ? path : `${path}.tmp`;
    const file = await fs.open(temporary, 'update');
    for (let at = 0; at < bytes.length; ) at += await fs.write(file, bytes.subarray(at), at);
    if (steps.includes('fsync')) await fs.fsync(file);
    await fs.close(file);
    if (!inPlace) await fs.rename(temporary, path);
    if (!steps.includes('folder')) return;
    const folder = await fs.open('/', 'folder');
    await fs.fsync(folder);
    await fs.close(folder);
  }
  const leaving = (...steps: string[]) => broken(random, (fs, path, bytes) => careless(fs, path, bytes, steps));
  expect([...(await leaving('in place', 'fsync', 'folder'))]).toContain('torn');
  expect([...(await leaving('folder'))]).toContain('torn');
  expect([...(await leaving('fsync'))]).toContain('older than promised');
  expect([...(await leaving('fsync', 'folder'))]).toEqual([]);
  expect([...(await broken(random, (fs, path, bytes) => writeFileDurably(path, bytes, { fs })))]).toEqual([]);
});
