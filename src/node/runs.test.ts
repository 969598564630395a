import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testOn } from '../../test/needs.js';
import { MicrogptError } from '../base/errors.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import { nodeProcesses } from './lock.js';
import { openRun, type Run, type RunOptions } from './runs.js';

let folder: string;
const open: Run[] = [];
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'microgpt-runs-')), 'run');
});
afterEach(async () => {
  for (const run of open.splice(0)) await run.close();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

async function opened(options: RunOptions): Promise<Run> {
  const run = await openRun(folder, options);
  open.push(run);
  return run;
}
const begin = (settings: unknown = { seed: 1 }, replace?: 'nothing' | 'finished' | 'anything') =>
  opened({ create: { settings, ...(replace && { replace }) } });
const resume = () => opened({ resume: true });

/** Text with its own hash, as a stand-in for a checkpoint. */
const bytes = (text: string) => new TextEncoder().encode(`${createHash('sha256').update(text).digest('hex')}${text}`);
function verify(data: Uint8Array): void {
  const text = new TextDecoder().decode(data);
  if (createHash('sha256').update(text.slice(64)).digest('hex') !== text.slice(0, 64)) {
    throw new MicrogptError('MG_CKPT_UNKNOWN', 'sha256 differs', 'x');
  }
}
const files = (path = '') => readdirSync(join(folder, path)).sort();
const read = (path: string) => readFileSync(join(folder, path), 'utf8');

test('a run: settings, lines, checkpoints of which two stay, best and final; then the folder says that it is finished', async () => {
  const run = await begin({ seed: 7, model: { nEmbd: 16 } });
  for (let step = 100; step <= 400; step += 100) {
    run.appendMetrics([{ type: 'step', step, loss: 3 - step / 1000 }]);
    run.appendTiming({ step, seconds: step / 50 });
    await run.saveCheckpoint(step, bytes(`c${step}`));
    for (const log of ['metrics.jsonl', 'timing.jsonl']) expect(read(log).trim().split('\n').length).toBe(step / 100);
  }
  await run.saveBest(300, bytes('best'));
  await run.saveFinal(400, bytes('final'));
  await run.close();
  expect(files()).toEqual(
    ['best.safetensors', 'checkpoints', 'metrics.jsonl', 'model.safetensors', 'run.json', 'timing.jsonl'].sort(),
  );
  expect(files('checkpoints')).toEqual(['step-00000300.safetensors', 'step-00000400.safetensors']);
  expect(JSON.parse(read('run.json'))).toEqual({
    format: 1,
    finished: 400,
    settings: { seed: 7, model: { nEmbd: 16 } },
  });
  const again = await resume();
  expect(again.settings).toEqual({ seed: 7, model: { nEmbd: 16 } });
  expect(again.finished).toBe(400);
  expect(again.notes).toEqual([]);
  expect((await again.newestCheckpoint(verify))?.step).toBe(400);
});

test('going on cuts the lines beyond the checkpoint and a torn last line, and nothing else', async () => {
  const run = await begin();
  for (let step = 1; step <= 5; step++) run.appendMetrics([{ step, text: 'ü'.repeat(3) }]);
  await run.saveCheckpoint(5, bytes('5'));
  const upTo5 = read('metrics.jsonl');
  run.appendMetrics([{ step: 6 }, { step: 7 }]);
  run.appendTiming({ step: 6, seconds: 1 });
  await run.close();
  writeFileSync(join(folder, 'metrics.jsonl'), `${read('metrics.jsonl')}{"step":8,"te`);
  const again = await resume();
  const { step } = (await again.newestCheckpoint(verify))!;
  await again.truncateMetrics(step);
  expect(read('metrics.jsonl')).toBe(upTo5);
  expect(read('timing.jsonl')).toBe('');
  again.appendMetrics([{ step: 6 }]);
  await again.flush();
  expect(read('metrics.jsonl')).toBe(`${upTo5}{"step":6}\n`);
});

test('a damaged checkpoint is passed over and named; training on from the older one never removes the last sound one', async () => {
  const run = await opened({ create: { settings: {} }, keep: 3 });
  for (const step of [800, 900, 1000]) await run.saveCheckpoint(step, bytes(`c${step}`));
  await run.close();
  const path = (step: number) => join(folder, `checkpoints/step-0000${String(step).padStart(4, '0')}.safetensors`);
  const damage = (step: number) => writeFileSync(path(step), readFileSync(path(step)).fill(1, 66, 67));

  damage(1000);
  let again = await opened({ resume: true, keep: 1 });
  const found = (await again.newestCheckpoint(verify))!;
  expect(found.step).toBe(900);
  expect(found.skipped).toEqual([{ path: path(1000), why: 'sha256 differs' }]);
  expect(found.warning).toMatchObject({ code: 'MG_CKPT_SKIPPED' });
  expect(found.warning?.message).toBe(`${path(1000)} is damaged (sha256 differs); going on from step 900`);
  await again.saveCheckpoint(950, bytes('c950'));
  // The damaged one of step 1000 does not count as the one to keep.
  expect(files('checkpoints')).toEqual(['step-00000950.safetensors', 'step-00001000.safetensors']);
  await again.saveCheckpoint(1000, bytes('c1000'));
  expect(files('checkpoints')).toEqual(['step-00001000.safetensors']);
  await again.close();

  // The clock went backwards: names decide, not times.
  for (const [step, time] of [
    [900, 300],
    [950, 200],
    [1000, 100],
  ] as const) {
    writeFileSync(path(step), bytes(`c${step}`));
    utimesSync(path(step), time, time);
  }
  again = await resume();
  expect((await again.newestCheckpoint(verify))?.step).toBe(1000);
  await again.close();
  damage(1000);
  damage(950);
  again = await resume();
  const third = (await again.newestCheckpoint(verify))!;
  expect([third.step, third.skipped.length]).toEqual([900, 2]);
  expect(third.warning?.message).toContain('is damaged (sha256 differs) and 1 more; going on from step 900');
  await again.close();

  damage(900);
  writeFileSync(path(1100), '');
  again = await resume();
  await expect(again.newestCheckpoint(verify)).rejects.toMatchObject({
    code: 'MG_RUN_NO_CHECKPOINT',
    message: expect.stringContaining('all 4 are damaged'),
  });
  expect(files('checkpoints').length).toBe(4);
});

test('training again: a finished run makes room and stays until the new one is finished; its model never goes missing', async () => {
  let run = await begin({ run: 'A' });
  await run.saveCheckpoint(10, bytes('A10'));
  await run.saveFinal(10, bytes('A'));
  await run.close();
  await expect(begin({}, 'nothing')).rejects.toMatchObject({ code: 'MG_RUN_EXISTS' });

  run = await begin({ run: 'B' });
  expect(files('previous')).toEqual(['checkpoints', 'metrics.jsonl', 'run.json', 'timing.jsonl']);
  expect(files('checkpoints')).toEqual([]);
  expect(read('model.safetensors')).toContain('A');
  await run.close();
  // B has nothing to lose yet: C takes its place, and A stays aside.
  run = await begin({ run: 'C' });
  expect(JSON.parse(read('previous/run.json')).settings).toEqual({ run: 'A' });
  await run.saveCheckpoint(10, bytes('C10'));
  await run.close();

  // Now there is something to lose.
  await expect(begin()).rejects.toMatchObject({
    code: 'MG_RUN_EXISTS',
    message: `${folder} holds an unfinished run with a checkpoint of step 10`,
  });
  expect(existsSync(join(folder, 'run.lock'))).toBe(false);
  run = await resume();
  await run.saveFinal(20, bytes('C'));
  expect(existsSync(join(folder, 'previous'))).toBe(false);
  expect(read('model.safetensors')).toContain('C');
  await run.close();
  // A finished run that is trained on beyond its end is unfinished again.
  run = await resume();
  await run.saveCheckpoint(30, bytes('C30'));
  await run.close();
  await expect(begin()).rejects.toMatchObject({ code: 'MG_RUN_EXISTS' });
  run = await begin({ run: 'D' }, 'anything');
  expect(JSON.parse(read('previous/run.json')).settings).toEqual({ run: 'C' });
});

test('a run that was about to be replaced can still be continued', async () => {
  const run = await begin({ run: 'A' });
  await run.saveCheckpoint(10, bytes('A10'));
  await run.saveFinal(10, bytes('A'));
  await run.close();
  // Killed after the first move.
  mkdirSync(join(folder, 'previous'));
  const record = read('run.json');
  writeFileSync(join(folder, 'previous/run.json'), record);
  rmSync(join(folder, 'run.json'));
  const again = await resume();
  expect(again.settings).toEqual({ run: 'A' });
  expect((await again.newestCheckpoint(verify))?.step).toBe(10);
  await again.close();
  // Killed after the last move.
  mkdirSync(join(folder, 'previous'));
  for (const name of ['run.json', 'checkpoints', 'metrics.jsonl', 'timing.jsonl']) {
    renameSync(join(folder, name), join(folder, 'previous', name));
  }
  const third = await resume();
  expect(third.settings).toEqual({ run: 'A' });
  expect((await third.newestCheckpoint(verify))?.step).toBe(10);
  await third.close();
  // Not killed: B has lost its run.json, and must not go on as A.
  const b = await begin({ run: 'B' });
  await b.saveCheckpoint(5, bytes('B5'));
  await b.close();
  rmSync(join(folder, 'run.json'));
  await expect(resume()).rejects.toMatchObject({ code: 'MG_RUN_DAMAGED' });
  await expect(begin()).rejects.toMatchObject({ code: 'MG_RUN_EXISTS' });
  expect(files('checkpoints')).toEqual(['step-00000005.safetensors']);
  expect(files('previous/checkpoints')).toEqual(['step-00000010.safetensors']);
});

test('folders without a run, and damaged ones, are named', async () => {
  await expect(resume()).rejects.toMatchObject({ code: 'MG_FILE_MISSING' });
  expect(existsSync(folder)).toBe(false);
  const run = await begin();
  expect(await run.newestCheckpoint(verify)).toBeNull();
  await run.saveCheckpoint(1, bytes('1'));
  await run.close();
  for (const text of [
    '',
    '{',
    '[]',
    '{"settings":1}',
    '{"settings":{},"finished":"yes"}',
    '{"finished":1,"finished":2}',
  ]) {
    writeFileSync(join(folder, 'run.json'), text);
    await expect(resume(), text).rejects.toMatchObject({ code: 'MG_RUN_DAMAGED' });
    await expect(begin(), text).rejects.toMatchObject({ code: 'MG_RUN_DAMAGED' });
  }
  rmSync(join(folder, 'run.json'));
  await expect(resume()).rejects.toMatchObject({ code: 'MG_RUN_DAMAGED' });
  await expect(begin()).rejects.toMatchObject({ code: 'MG_RUN_EXISTS' });
  await begin({}, 'anything');
});

test('two trainers: the second is told who and since when; a lock of a dead process, or of another with its id, does not count', async () => {
  const run = await begin();
  await expect(resume()).rejects.toMatchObject({
    code: 'MG_RUN_LOCKED',
    message: expect.stringMatching(/ is being trained by this very process since \d{4}-\d\d-\d\d \d\d:\d\d UTC$/),
  });
  await run.saveCheckpoint(1, bytes('1'));
  await run.close();
  const { self } = nodeProcesses();
  const dead = 2 ** 22 + 1; // Linux gives no such id
  const plant = (name: string) => {
    mkdirSync(join(folder, 'run.lock'), { recursive: true });
    writeFileSync(join(folder, 'run.lock', name), '');
  };
  plant(`${dead}-0-1700000000000-${self.host}`);
  await (await resume()).close();
  if (process.platform === 'linux') {
    plant(`${process.pid}-${self.start}1-1700000000000-${self.host}`);
    await (await resume()).close();
  }
  plant(`${dead}-0-1700000000000-another-host`);
  await expect(resume()).rejects.toMatchObject({
    code: 'MG_RUN_LOCKED',
    message: `${folder} is being trained by process ${dead} on another-host since 2023-11-14 22:13 UTC`,
  });
  rmSync(join(folder, 'run.lock'), { recursive: true });
  await resume();
});

testOn(
  'Linux',
  'a process that is dead and still in the list of processes, because nobody asked how it ended, holds nothing',
  async () => {
    // A shell starts a child and becomes a program that never asks; only then may the child come to its end.
    const parent = spawn('sh', ['-c', 'cat <&3 & echo $!; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
    });
    const until = async (path: string, holds: (text: string) => boolean) => {
      while (!holds(readFileSync(path, 'utf8'))) await new Promise((r) => setTimeout(r, 5));
    };
    try {
      const [said] = (await once(parent.stdio[1] as Readable, 'data')) as [Buffer];
      const pid = Number(said.toString());
      await until(`/proc/${parent.pid}/comm`, (name) => name.trim() === 'sleep');
      (parent.stdio[3] as Writable).end();
      await until(`/proc/${pid}/stat`, (stat) => stat.includes(') Z '));
      const { self, isAlive } = nodeProcesses();
      expect(isAlive({ ...self, pid, start: '0' })).toBe(false);
      expect(isAlive({ ...self, pid: parent.pid ?? 0, start: '0' })).toBe(true);
    } finally {
      parent.kill();
    }
  },
);

test('a run that was on its way to previous/ comes back whole, wherever its way back is interrupted', async () => {
  for (let failing = 0, done = false; !done; failing++) {
    const run = await begin({ seed: failing }, 'anything');
    run.appendMetrics([{ step: 100 }]);
    await run.saveCheckpoint(100, bytes('c100'));
    await run.close();
    rmSync(join(folder, 'previous'), { recursive: true, force: true });
    mkdirSync(join(folder, 'previous'));
    for (const name of ['run.json', 'metrics.jsonl', 'timing.jsonl', 'checkpoints'])
      renameSync(join(folder, name), join(folder, 'previous', name));
    let calls = 0;
    const rename: FileSystem['rename'] = async (from, to) => {
      if (calls++ >= failing) throw Object.assign(new Error('no more'), { code: 'EIO' });
      await nodeFileSystem.rename(from, to);
    };
    const interrupted = await openRun(folder, { resume: true, fs: { ...nodeFileSystem, rename } }).catch(() => null);
    done = interrupted !== null;
    await interrupted?.close();
    const again = await resume();
    expect([failing, again.settings]).toEqual([failing, { seed: failing }]);
    expect((await again.newestCheckpoint(verify))?.step).toBe(100);
    expect(read('metrics.jsonl')).toBe('{"step":100}\n');
    await again.close();
  }
});

test('damaged checkpoints are none of those to keep', async () => {
  const run = await begin();
  for (const step of [100, 200]) await run.saveCheckpoint(step, bytes(`c${step}`));
  await run.close();
  writeFileSync(join(folder, 'checkpoints/step-00000200.safetensors'), 'damaged');
  const again = await resume();
  expect((await again.newestCheckpoint(verify))?.step).toBe(100);
  await again.saveCheckpoint(250, bytes('c250'));
  expect(files('checkpoints')).toEqual(['step-00000100.safetensors', 'step-00000250.safetensors']);
});

test('what processes left that died while they took the lock is removed; of living ones it stays', async () => {
  await (await begin()).close();
  const claims = [2 ** 22 + 1, process.ppid].map((pid) => `.run.lock.${pid}.0.tmp`);
  for (const claim of claims) {
    mkdirSync(join(folder, claim));
    writeFileSync(join(folder, claim, 'holder'), '');
  }
  await resume();
  expect(claims.map((claim) => existsSync(join(folder, claim)))).toEqual([false, true]);
});

test('what killed processes left unfinished is removed and said, and nothing else', async () => {
  await (await begin()).close();
  const put = (name: string, size: number) => writeFileSync(join(folder, name), new Uint8Array(size));
  put('checkpoints/.step-00001000.safetensors.4711.3.tmp', 2_100_000);
  let run = await resume();
  expect(run.notes).toEqual([
    'removed 1 unfinished save (.step-00001000.safetensors.4711.3.tmp, 2.1 MB) left by process 4711',
  ]);
  await run.close();
  put('.best.safetensors.4711.3.tmp', 500);
  put('.run.json.4712.0.tmp', 500);
  put('.mine.4712.0.tmp', 500);
  put('model.json', 500);
  run = await resume();
  expect(run.notes).toEqual(['removed 2 unfinished saves (1.0 KB) left by processes 4711, 4712']);
  expect(files()).toEqual(expect.arrayContaining(['.mine.4712.0.tmp', 'model.json']));
});

test('a place that cannot be written is found out before the first step', async () => {
  const create = { settings: {} };
  writeFileSync(join(folder, '..', 'file'), '');
  for (const place of [
    join(folder, '../file'),
    join(folder, '../file/run'),
    join(folder, 'x'.repeat(256)),
    '/proc/run',
  ]) {
    await expect(openRun(place, { create }), place).rejects.toMatchObject({ code: 'MG_SAVE_UNWRITABLE', exitCode: 4 });
  }
});
