import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testOn } from '../../test/needs.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import { readFileBounded, requireWritable, writeFileDurably } from './files.js';
import { findNewestModel } from './models.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'microgpt-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

test('a file is written with its folders, and replaced whole', async () => {
  const path = join(folder, 'a/b/c.txt');
  await writeFileDurably(path, bytes('one'));
  await writeFileDurably(path, bytes('two'));
  expect(readFileSync(path, 'utf8')).toBe('two');
  expect(readdirSync(join(folder, 'a/b'))).toEqual(['c.txt']);
});

test('room is asked for before anything is written, and what arrived is counted', async () => {
  const path = join(folder, 'x');
  await writeFileDurably(path, bytes('old'));
  const write = (other: Partial<FileSystem>) =>
    writeFileDurably(path, new Uint8Array(100), { fs: { ...nodeFileSystem, ...other } });
  await expect(
    write({ free: async () => 105, open: () => Promise.reject(new Error('too early')) }),
  ).rejects.toMatchObject({
    code: 'MG_SAVE_DISK_FULL',
    message: expect.stringContaining('105 bytes free'),
  });
  /** Loses the end of a new file and says nothing. */
  const stat: FileSystem['stat'] = async (of) => {
    const info = await nodeFileSystem.stat(of);
    return of.endsWith('.tmp') ? { ...info, size: info.size - 1 } : info;
  };
  await expect(write({ stat })).rejects.toMatchObject({
    code: 'MG_SAVE_FAILED',
    message: expect.stringContaining('99 bytes arrived'),
  });
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(folder)).toEqual(['x']);
  await write({ free: async () => 111 });
  expect(statSync(path).size).toBe(100);
});

testOn('Linux', 'who may read a file stays as it was, and links stay links, one to another too', async () => {
  const path = join(folder, 'x');
  writeFileSync(path, 'old', { mode: 0o600 });
  symlinkSync('x', join(folder, 'link'));
  symlinkSync('link', join(folder, 'link to it'));
  await writeFileDurably(join(folder, 'link to it'), bytes('new'));
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readlinkSync(join(folder, 'link to it'))).toBe('link');
  expect(readlinkSync(join(folder, 'link'))).toBe('x');
});

testOn('Linux', 'a full disk: the error says so, the old file is intact, nothing is left', async () => {
  // A file that cannot grow stands in for the disk: its size limit is below what is to be written.
  const { spawnSync } = await import('node:child_process');
  const path = join(folder, 'model.json');
  writeFileSync(path, 'old');
  const source = new URL('../../dist/node/files.js', import.meta.url).href;
  const script = `import { writeFileDurably } from ${JSON.stringify(source)};
    process.on('SIGXFSZ', () => {});
    await writeFileDurably(process.argv[1], new Uint8Array(5_000_000)).catch((e) => console.log(e.code));`;
  const { stdout } = spawnSync(
    'bash',
    ['-c', 'ulimit -f 1000; exec "$0" --input-type=module -e "$1" "$2"', process.execPath, script, path],
    {
      encoding: 'utf8',
    },
  );
  expect(stdout.trim()).toBe('MG_SAVE_FAILED');
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(folder)).toEqual(['model.json']);
});

test('writability is found out without leaving anything, also in folders that do not exist yet', async () => {
  await requireWritable(join(folder, 'new/model.json'));
  expect(readdirSync(join(folder, 'new'))).toEqual([]);
  await expect(requireWritable(folder)).rejects.toMatchObject({ code: 'MG_SAVE_UNWRITABLE' });
  writeFileSync(join(folder, 'file'), '');
  await expect(requireWritable(join(folder, 'file/model.json'))).rejects.toMatchObject({ code: 'MG_SAVE_UNWRITABLE' });
});

test('only regular files of a bounded size are read', async () => {
  const path = join(folder, 'x');
  writeFileSync(path, '12345');
  expect(await readFileBounded(path, 5, '')).toEqual(bytes('12345'));
  await expect(readFileBounded(path, 4, '')).rejects.toMatchObject({ code: 'MG_FILE_SIZE' });
  await expect(readFileBounded(folder, 5, '')).rejects.toMatchObject({ code: 'MG_FILE_KIND' });
  symlinkSync('loop', join(folder, 'loop'));
  await expect(readFileBounded(join(folder, 'loop'), 5, '')).rejects.toMatchObject({ code: 'MG_FILE_READ' });
  await expect(readFileBounded('/dev/zero', 5, '')).rejects.toMatchObject({ code: 'MG_FILE_KIND' });
  await expect(readFileBounded(join(folder, 'no'), 5, '')).rejects.toMatchObject({ code: 'MG_FILE_MISSING' });
});

test('the newest model is found, wherever train may have put it', async () => {
  await expect(findNewestModel(folder)).rejects.toMatchObject({ code: 'MG_FILE_MISSING' });
  const put = (path: string, time: number) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), '{}');
    utimesSync(join(folder, path), time, time);
  };
  put('models/a/model.json', 100);
  put('models/b/model.json', 200);
  expect(await findNewestModel(folder)).toBe(join(folder, 'models/b/model.json'));
  put('model.json', 300);
  expect(await findNewestModel(folder)).toBe(join(folder, 'model.json'));
});
