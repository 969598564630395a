// C3: every single call that reaches the disk fails, with every error, once or for ever; also in pairs, and with a power cut right after.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MicrogptError } from '../../src/base/errors.js';
import { requireWritable, writeFileDurably } from '../../src/node/durable.js';
import { type FileSystem, nodeFileSystem } from '../../src/node/file-system.js';
import { openLineFile } from '../../src/node/line-file.js';
import { FULL } from '../golden.js';
import { FAULTS, type Fault, faulty } from './faulty.js';
import { type MemoryDisk, memoryDisk } from './memory-disk.js';
import { seeded } from './seed.js';
import { begin, content, FOLDER, recover, report, resume, save, verify } from './training.js';

const MINUTES = 60_000;

/** Few codes are told apart, so the quick tier takes one of each kind. */
const QUICK = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EXDEV', 'half', 'nothing', 'ENOSPC for ever', 'EIO for ever']);

/** A run that was killed after step 100. */
async function killedRun(): Promise<MemoryDisk> {
  const disk = memoryDisk();
  const run = await begin(disk.fs, 'A');
  report(run, 0, 100);
  await run.saveCheckpoint(100, save(100));
  report(run, 100, 130);
  await run.flush();
  return disk.restarted();
}

interface Told {
  /** The newest step that was said to be saved. */
  saved: number;
  finished: boolean;
  readonly codes: string[];
  /** Something else than an error of ours. */
  readonly bugs: unknown[];
}

/** Goes on with the run to step 400. */
async function train(fs: FileSystem): Promise<Told> {
  const told: Told = { saved: 100, finished: false, codes: [], bugs: [] };
  const complain = (error: unknown) => {
    if (error instanceof MicrogptError) told.codes.push(error.code);
    else told.bugs.push(error);
  };
  const run = await resume(fs).catch(complain);
  if (run === undefined) return told;
  try {
    const { step } = (await run.newestCheckpoint(verify))!;
    if (step !== 100) throw new Error(`went on from step ${step}`);
    await run.truncateMetrics(step);
    for (const next of [200, 300]) {
      report(run, next - 100, next);
      const failure = await run.trySaveCheckpoint(next, save(next), next + 100);
      if (failure === null) told.saved = next;
      else complain(failure);
    }
    const best = await run.trySaveBest(300, save(300));
    if (best !== null) complain(best);
    report(run, 300, 400);
    await run.saveCheckpoint(400, save(400));
    told.saved = 400;
    await run.saveFinal(400, save(400));
    told.finished = true;
  } catch (error) {
    complain(error);
  } finally {
    await run.close();
  }
  return told;
}

const DISK_CODES = new Set([
  'MG_SAVE_FAILED',
  'MG_SAVE_DISK_FULL',
  'MG_SAVE_UNWRITABLE',
  'MG_FILE_READ',
  'MG_RUN_NO_CHECKPOINT',
]);

/** Every path on the disk. */
async function paths(fs: FileSystem, folder = ''): Promise<string[]> {
  const found: string[] = [];
  for (const name of await fs.readdir(folder === '' ? '/' : folder)) {
    const path = `${folder}/${name}`;
    found.push(path, ...((await fs.stat(path)).kind === 'folder' ? await paths(fs, path) : []));
  }
  return found;
}

async function expectSound(disk: MemoryDisk, told: Told, what: string): Promise<void> {
  expect(told.bugs, what).toEqual([]);
  expect(
    told.codes.filter((code) => !DISK_CODES.has(code)),
    what,
  ).toEqual([]);
  expect(disk.open.size, `${what}: open handles`).toBe(0);
  for (const [state, after] of [
    ['restarted', disk.restarted()],
    ['power cut', disk.afterPowerCut(disk.log.length, () => 'lost')],
  ] as const) {
    const { step, finished } = await recover(after.fs).catch((error: Error) => {
      throw new Error(`${what}, ${state}: ${error.message}`, { cause: error });
    });
    expect(step, `${what}, ${state}`).toBeGreaterThanOrEqual(told.saved);
    if (told.finished) {
      expect(finished, `${what}, ${state}`).toBe(400);
      expect(await content(after.fs, `${FOLDER}/model.safetensors`), `${what}, ${state}`).toEqual(save(400));
    }
  }
}

test(
  'every call of a run fails with every error, once and for ever: nothing saved is lost, nothing is left, training goes on',
  async () => {
    const base = await killedRun();
    const whole = faulty(base.restarted().fs, Number.POSITIVE_INFINITY, 'EIO', false);
    const unharmed = await train(whole.fs);
    expect(unharmed).toEqual({ saved: 400, finished: true, codes: [], bugs: [] });
    const calls = whole.calls.length;
    const seen = new Map<string, number>();
    let runs = 0;
    for (const fault of FAULTS) {
      for (const forever of [false, true]) {
        for (let at = 0; at < calls; at++) {
          const name = whole.calls[at];
          if ((fault === 'half' || fault === 'nothing') && name !== 'write') continue;
          if (fault === 'EXDEV' && name !== 'rename') continue;
          if (!FULL && !QUICK.has(forever ? `${fault} for ever` : fault)) continue;
          const disk = base.restarted();
          const broken = faulty(disk.fs, at, fault, forever, disk);
          const told = await train(broken.fs);
          const what = `${fault} ${forever ? 'from' : 'in'} call ${at} (${name})`;
          await expectSound(disk, told, what);
          expect(broken.forcedAgain, what).toBe(0);
          if (!forever) {
            const left = (await paths(disk.fs)).filter((path) => path.endsWith('.tmp'));
            if (!['unlink', 'rmdir'].includes(name)) expect(left, what).toEqual([]);
          }
          if (fault === 'half') expect(told, what).toEqual(unharmed);
          for (const code of told.codes) seen.set(code, (seen.get(code) ?? 0) + 1);
          runs++;
        }
      }
    }
    console.log(`fault loop: ${runs} runs of ${calls} calls`, Object.fromEntries(seen));
    expect([...seen.keys()].sort()).toEqual([...DISK_CODES].sort());
  },
  10 * MINUTES,
);

test(
  'a second fault while the first is dealt with',
  async () => {
    const random = seeded('two faults', 3);
    const base = await killedRun();
    const whole = faulty(base.restarted().fs, Number.POSITIVE_INFINITY, 'EIO', false);
    await train(whole.fs);
    let failed = 0;
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
    for (let i = 0; i < (FULL ? 5000 : 300); i++) {
      const disk = base.restarted();
      const [first, second] = [Math.floor(random() * whole.calls.length), 1 + Math.floor(random() * 12)];
      const [a, b]: Fault[] = [pick(FAULTS), pick(FAULTS)];
      const inner = faulty(disk.fs, first, a, false, disk);
      const outer = faulty(inner.fs, first + second, b, random() < 0.3, disk);
      const told = await train(outer.fs);
      await expectSound(disk, told, `${a} in call ${first}, ${b} from call ${first + second}`);
      if (told.codes.length > 0) failed++;
    }
    expect(failed).toBeGreaterThan(100);
  },
  10 * MINUTES,
);

test('a periodic save that fails says what was needed, what is intact and when it is tried again; the next one catches up', async () => {
  const disk = await killedRun();
  const run = await resume({ ...disk.fs, free: async () => full });
  let full = 1e9;
  await run.newestCheckpoint(verify);
  await run.truncateMetrics(100);
  full = 1000;
  const failure = await run.trySaveCheckpoint(200, save(200), 300);
  expect(failure).toMatchObject({
    code: 'MG_SAVE_DISK_FULL',
    message: `could not save step 200 in ${FOLDER}/checkpoints/step-00000200.safetensors: needed 2.6 KB, 1.0 KB free; step 100 is intact`,
    remedy: 'free space, or keep fewer checkpoints with --keep 1; training goes on and will try again at step 300',
    exitCode: 4,
  });
  await expect(run.saveFinal(300, save(300))).rejects.toMatchObject({ code: 'MG_SAVE_DISK_FULL' });
  full = 1e9;
  expect(await run.trySaveCheckpoint(300, save(300), 400)).toBeNull();
  await run.close();
});

test('lines that were not forced to disk are written again, once, after a failed write or fsync', async () => {
  for (const fault of FAULTS) {
    for (let at = 1; at < 12; at++) {
      const disk = memoryDisk({ perWrite: 7 });
      await disk.fs.mkdir('/a');
      const broken = faulty(disk.fs, at, fault, false, disk);
      const file = await openLineFile(broken.fs, '/a/lines').catch(() => null);
      if (file === null) continue;
      for (let i = 0; i < 6; i++) {
        file.append({ i });
        await (i % 2 === 0 ? file.flush() : file.sync()).catch(() => {});
      }
      await file.sync();
      expect(broken.forcedAgain).toBe(0);
      // What is on disk for good, when the power goes now: all, but for the entry in the folder, which is the caller's.
      const after = disk.afterPowerCut(disk.log.length, (effect) => (effect.type === 'link' ? 'kept' : 'lost'));
      const text = new TextDecoder().decode((await content(after.fs, '/a/lines'))!);
      expect(text, `${fault} in call ${at}`).toBe([0, 1, 2, 3, 4, 5].map((i) => `{"i":${i}}\n`).join(''));
    }
  }
});

test('on the real disk: every call of one save fails with every error; the file is the old or the new one and nothing else is left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'microgpt-faults-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'model');
  const [old, next] = [save(1), save(2)];
  writeFileSync(path, old);
  const whole = faulty(nodeFileSystem, Number.POSITIVE_INFINITY, 'EIO', false);
  await writeFileDurably(path, next, { fs: whole.fs });
  const counted = new Set<string>();
  for (const fault of FAULTS) {
    for (const forever of [false, true]) {
      for (let at = 0; at < whole.calls.length; at++) {
        writeFileSync(path, old);
        const broken = faulty(nodeFileSystem, at, fault, forever);
        const error = await writeFileDurably(path, next, { fs: broken.fs }).catch((e: unknown) => e);
        const what = `${fault} ${forever ? 'from' : 'in'} call ${at} (${whole.calls[at]})`;
        const found = readFileSync(path);
        if (error === undefined) expect(found.equals(next), what).toBe(true);
        else {
          expect(['MG_SAVE_FAILED', 'MG_SAVE_DISK_FULL'], what).toContain((error as MicrogptError).code);
          const undone = (error as MicrogptError).message.includes('may still undo it');
          expect(found.equals(undone ? next : old), what).toBe(true);
          if (!forever && fault.startsWith('E')) counted.add(whole.calls[at]);
        }
        expect(broken.forcedAgain, what).toBe(0);
        const left = readdirSync(folder).filter((name) => name !== 'model');
        if (forever) for (const name of left) rmSync(join(folder, name));
        else expect(left, what).toEqual([]);
      }
    }
  }
  expect([...counted].sort()).toEqual(['close', 'fsync', 'lstat', 'open', 'rename', 'stat', 'write']);
});

test('a place that only looks writable is found out: every call that must work is made before the first step', async () => {
  for (const fault of ['EACCES', 'EROFS', 'EDQUOT', 'ENOSPC'] as const) {
    const disk = memoryDisk();
    const broken = faulty(disk.fs, 0, fault, true);
    await expect(begin(broken.fs, 'A')).rejects.toMatchObject({ code: 'MG_SAVE_UNWRITABLE' });
    await expect(requireWritable('/a/model', broken.fs)).rejects.toMatchObject({ code: 'MG_SAVE_UNWRITABLE' });
    expect(await paths(disk.fs)).toEqual([]);
  }
});
