/**
 * Saves checkpoints one after another until it is killed: run as a process of its own. Arguments: folder, bytes of a checkpoint, and how:
 * `run` saves as training does; `naive` overwrites one file, as a program does that knows no better; `run=POINT` stops for ever before
 * that call of the third save, e.g. `run=rename`, so that it can be killed there.
 * Prints `ready STEP`, then `saved STEP` for each save that has returned, and `at POINT` when it stops.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MicrogptError } from '../../dist/base/errors.js';
import { type FileSystem, nodeFileSystem } from '../../dist/node/file-system.js';
import { openRun } from '../../dist/node/runs.js';
import { patterned, stepOf } from './patterned.js';

const [folder, bytes, how] = process.argv.slice(2);
const size = Number(bytes);
const point = how.startsWith('run=') ? how.slice(4) : null;
const tell = (line: string) => process.stdout.write(`${line}\n`);

/** Calls of the third save, in their order: only those that have to do with its file. */
let counting = false;
const handles = new Map<number, string>();
function pausing(inner: FileSystem): FileSystem {
  async function passes(name: string): Promise<void> {
    if (!counting || name !== point) return;
    tell(`at ${name}`);
    await new Promise((resolve) => setTimeout(resolve, 2 ** 30));
  }
  const isCheckpoint = (path: string | undefined) => path?.includes('step-') === true;
  return {
    ...inner,
    open: async (path, purpose, mode) => {
      if (isCheckpoint(path) && purpose === 'create') await passes('create');
      const handle = await inner.open(path, purpose, mode);
      handles.set(handle, path);
      return handle;
    },
    write: async (handle, data, position) => {
      if (!isCheckpoint(handles.get(handle))) return inner.write(handle, data, position);
      // Half-way through.
      const half = await inner.write(handle, data.subarray(0, Math.ceil(data.length / 2)), position);
      await passes('write');
      return half;
    },
    fsync: async (handle) => {
      const path = handles.get(handle);
      if (isCheckpoint(path)) await passes('fsync');
      if (path?.endsWith('checkpoints')) await passes('folder');
      return inner.fsync(handle);
    },
    close: async (handle) => {
      if (isCheckpoint(handles.get(handle))) await passes('close');
      return inner.close(handle);
    },
    stat: async (path) => {
      if (isCheckpoint(path) && path.endsWith('.tmp')) await passes('stat');
      return inner.stat(path);
    },
    rename: async (from, to) => {
      if (isCheckpoint(to)) await passes('rename');
      return inner.rename(from, to);
    },
    unlink: async (path) => {
      if (isCheckpoint(path)) await passes('prune');
      return inner.unlink(path);
    },
    free: async (path) => {
      if (path.endsWith('checkpoints')) await passes('free');
      return inner.free(path);
    },
  };
}

if (how === 'naive') {
  tell('ready 0');
  // Made beforehand, so that it writes nearly all of the time, whatever is slow on a machine.
  const contents = [patterned(2, size), patterned(1, size)] as const;
  for (let step = 1; ; step++) {
    await writeFile(join(folder, 'model'), contents[step % 2] as Uint8Array);
    tell(`saved ${step}`);
  }
}

const fs = pausing(nodeFileSystem);
const run = await openRun(
  folder,
  existsSync(join(folder, 'run.json')) ? { resume: true, fs } : { create: { settings: {} }, fs },
);
for (const note of run.notes) tell(`note ${note}`);
const newest = await run.newestCheckpoint((data) => {
  if (stepOf(data) === null) throw new MicrogptError('MG_CKPT_UNKNOWN', 'not whole', 'none');
});
let step = newest?.step ?? 0;
await run.truncateMetrics(step);
tell(`ready ${step}`);
for (let saves = 1; ; saves++) {
  step++;
  counting = saves === 3;
  run.appendMetrics([{ step }]);
  await run.saveCheckpoint(step, patterned(step, size));
  tell(`saved ${step}`);
}
