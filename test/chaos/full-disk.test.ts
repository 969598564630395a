// C5 and C9: a disk that really is full, and one that really is read-only. Both need the right to mount a disk in memory; without it they
// are skipped and say so, and under CI=true in the full tier that is a failure.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeFileDurably } from '../../src/node/durable.js';
import { type FileSystem, nodeFileSystem } from '../../src/node/file-system.js';
import { openRun } from '../../src/node/runs.js';
import { temporaryFolder } from '../cli.js';
import { FULL } from '../golden.js';
import { patterned, stepOf } from '../programs/patterned.js';

const mount = (...args: string[]) => execFileSync('mount', args, { stdio: 'pipe' });
const unmount = (folder: string) => execFileSync('umount', [folder], { stdio: 'pipe' });

function canMount(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root mounts disks';
  const folder = join('/tmp', `microgpt-mount-${process.pid}`);
  try {
    mkdirSync(folder);
    mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder);
    unmount(folder);
    return null;
  } catch (error) {
    return `mount: ${(error as Error).message.split('\n')[0]}`;
  } finally {
    execFileSync('rmdir', [folder]);
  }
}

const why = canMount();
function diskTest(name: string, run: (disk: string) => Promise<void>): void {
  if (why !== null && !(FULL && process.env['CI'] === 'true')) {
    test.skip(`${name} (skipped: ${why})`, () => {});
    return;
  }
  test(name, async () => {
    expect(why).toBeNull();
    const disk = temporaryFolder();
    mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk);
    onTestFinished(() => {
      unmount(disk);
    });
    await run(disk);
  });
}

/** A disk that says that there is room, as some do; the writing finds out. */
const boastful: FileSystem = { ...nodeFileSystem, free: async () => 1e12 };

diskTest(
  'a full disk: the old file is whole, nothing else is left, and the message says how much was needed',
  async (disk) => {
    const path = join(disk, 'model');
    const old = patterned(1, 400_000);
    await writeFileDurably(path, old);
    for (const fs of [nodeFileSystem, boastful]) {
      const error = await writeFileDurably(path, patterned(2, 900_000), { fs, what: 'step 2' }).catch(
        (e: unknown) => e,
      );
      expect(error).toMatchObject({ code: 'MG_SAVE_DISK_FULL', exitCode: 4 });
      expect((error as Error).message).toMatch(
        /^could not save step 2 in .*: needed 990\.0 KB, .* what was there before is unchanged$/,
      );
      expect(readFileSync(path).equals(old)).toBe(true);
      expect(readdirSync(disk)).toEqual(['model']);
    }
  },
);

diskTest(
  'a run on a disk that fills up: the periodic save fails and training goes on; with room again it is saved',
  async (disk) => {
    const folder = join(disk, 'run');
    for (const fs of [nodeFileSystem, boastful]) {
      const run = await openRun(folder, { create: { settings: {}, replace: 'anything' }, fs });
      run.appendMetrics([{ step: 1 }]);
      await run.saveCheckpoint(1, patterned(1, 300_000));
      writeFileSync(join(disk, 'other'), new Uint8Array(500_000));
      run.appendMetrics([{ step: 2 }]);
      const failure = await run.trySaveCheckpoint(2, patterned(2, 300_000), 3);
      expect(failure).toMatchObject({
        code: 'MG_SAVE_DISK_FULL',
        message: expect.stringContaining('step 1 is intact'),
      });
      await expect(run.saveFinal(2, patterned(2, 300_000))).rejects.toMatchObject({ code: 'MG_SAVE_DISK_FULL' });
      execFileSync('rm', [join(disk, 'other')]);
      run.appendMetrics([{ step: 3 }]);
      expect(await run.trySaveCheckpoint(3, patterned(3, 300_000), 4)).toBeNull();
      await run.close();
      expect(readFileSync(join(folder, 'metrics.jsonl'), 'utf8')).toBe('{"step":1}\n{"step":2}\n{"step":3}\n');
      execFileSync('rm', ['-r', folder]);
    }
  },
);

diskTest(
  'control: one write call whose answer nobody reads "succeeds" on a full disk and replaces the file by a piece',
  async (disk) => {
    const path = join(disk, 'model');
    writeFileSync(path, patterned(1, 100_000));
    const file = await open(`${path}.tmp`, 'w');
    await file.write(patterned(2, 4_000_000));
    await file.sync();
    await file.close();
    await rename(`${path}.tmp`, path);
    expect(statSync(path).size).toBeLessThan(1_000_000);
    expect(stepOf(new Uint8Array(readFileSync(path)))).toBeNull();
  },
);

diskTest('a read-only disk is found out before the first step', async (disk) => {
  await (await openRun(join(disk, 'run'), { create: { settings: {} } })).close();
  mount('-o', 'remount,ro', disk);
  for (const [folder, options] of [
    [join(disk, 'run'), { resume: true }],
    [join(disk, 'run'), { create: { settings: {} } }],
    [join(disk, 'new'), { create: { settings: {} } }],
  ] as const) {
    await expect(openRun(folder, options)).rejects.toMatchObject({
      code: 'MG_SAVE_UNWRITABLE',
      message: `cannot write ${folder}: the disk is read-only (EROFS)`,
      exitCode: 4,
    });
  }
});
