/**
 * Reading and writing files so that neither side is ever surprised: only regular files of a bounded size are read, and a file is
 * replaced whole or not at all (new file beside it, all bytes, fsync, rename, fsync of the folder).
 * Refuses to know: what is in a file. Invariant: when a write fails, the file that was there before is untouched and no other is left.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readlink, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MicrogptError } from '../base/errors.js';

/** @throws MG_FILE_MISSING, MG_FILE_KIND, MG_FILE_SIZE, MG_FILE_READ */
export async function readFileBounded(path: string, limit: number, missingRemedy: string): Promise<Uint8Array> {
  let file: FileHandle;
  try {
    // Not blocking: opening a pipe that nobody writes to would wait for ever.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') {
      throw new MicrogptError('MG_FILE_MISSING', `there is no file ${path}`, missingRemedy);
    }
    throw unreadable(path, error);
  }
  try {
    const info = await file.stat();
    if (!info.isFile()) {
      const kind = info.isDirectory() ? 'a folder' : info.isFIFO() ? 'a pipe' : 'a device';
      throw new MicrogptError('MG_FILE_KIND', `${path} is ${kind}, expected a regular file`, 'give the path of a file');
    }
    if (info.size > limit) throw tooLarge(path, limit);
    return await readAtMost(file, path, limit);
  } catch (error) {
    if (error instanceof MicrogptError) throw error;
    throw unreadable(path, error);
  } finally {
    await file.close();
  }
}

/** A file may say that it is smaller than it is, or grow while it is read. */
async function readAtMost(file: FileHandle, path: string, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of file.createReadStream({ autoClose: false, end: limit })) {
    chunks.push(chunk as Uint8Array);
    size += (chunk as Uint8Array).length;
  }
  if (size > limit) throw tooLarge(path, limit);
  return new Uint8Array(Buffer.concat(chunks));
}

function tooLarge(path: string, limit: number): MicrogptError {
  return new MicrogptError(
    'MG_FILE_SIZE',
    `${path} has more than the ${limit.toLocaleString('en')} bytes that are read`,
    'use a smaller file',
  );
}

/**
 * Finds out, before hours of work, whether `path` can be written: makes the folders, and a file beside the target that it removes again.
 * @throws MG_SAVE_UNWRITABLE
 */
export async function requireWritable(path: string): Promise<void> {
  const unwritable = (why: string) =>
    new MicrogptError('MG_SAVE_UNWRITABLE', `cannot write ${path}: ${why}`, 'choose another place with --output');
  try {
    const target = await realTarget(path);
    const info = await stat(target).catch(() => null);
    if (info?.isDirectory()) throw unwritable('it is a folder');
    if (info !== null && !info.isFile()) throw unwritable('it is not a regular file');
    const probe = temporaryBeside(target);
    await makeFolders(dirname(target));
    await (await open(probe, 'wx')).close();
    await unlink(probe);
  } catch (error) {
    throw error instanceof MicrogptError ? error : unwritable(plainReason(error));
  }
}

/** @throws MG_SAVE_FAILED; what was at `path` before is then still there. */
export async function writeFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  let temporary: string | null = null;
  try {
    const target = await realTarget(path);
    const folder = dirname(target);
    await makeFolders(folder);
    const mode = (await stat(target).catch(() => null))?.mode;
    const name = temporaryBeside(target);
    const file = await open(name, 'wx', mode);
    temporary = name;
    try {
      await writeAll(file, bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
    temporary = null;
    await syncFolder(folder);
  } catch (error) {
    if (temporary !== null) await unlink(temporary).catch(() => {});
    throw new MicrogptError(
      'MG_SAVE_FAILED',
      `could not write ${path} (${bytes.length.toLocaleString('en')} bytes): ${plainReason(error)}`,
      'make room or choose another place; what was there before is unchanged',
      { cause: error },
    );
  }
}

/** Folder by folder: Node's own recursive mkdir never returns where a file system answers "no such file" to a mkdir, as /proc does. */
export async function makeFolders(folder: string): Promise<void> {
  if ((await stat(folder).catch(() => null))?.isDirectory()) return;
  const parent = dirname(folder);
  if (parent !== folder) await makeFolders(parent);
  await mkdir(folder).catch(async (error: unknown) => {
    if (errno(error) !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error;
  });
}

/** One write call may take fewer bytes than it was given without any error; the next one then says why. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, done);
    if (bytesWritten === 0) throw new Error('the disk takes no more bytes');
    done += bytesWritten;
  }
}

/** A rename that must survive a power cut needs its folder written out as well. Not possible on Windows, where it is skipped. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A link at the target is kept: the file that it leads to is the one to be written, there or not. */
async function realTarget(path: string): Promise<string> {
  let target = resolve(path);
  for (let links = 0; links < 40; links++) {
    const info = await lstat(target).catch(() => null);
    if (!info?.isSymbolicLink()) return target;
    target = resolve(dirname(target), await readlink(target));
  }
  throw new Error('too many links lead from one to the next');
}

let counter = 0;
function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.${counter++}.tmp`);
}

function unreadable(path: string, error: unknown): MicrogptError {
  return new MicrogptError(
    'MG_FILE_READ',
    `cannot read ${path}: ${plainReason(error)}`,
    'check the permissions of the file',
    { cause: error },
  );
}

function errno(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** The usual reasons in words, with the system's own code. */
export function plainReason(error: unknown): string {
  const code = errno(error);
  const words: Record<string, string> = {
    EACCES: 'no permission',
    EPERM: 'not permitted',
    EROFS: 'the disk is read-only',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota is used up',
    ENAMETOOLONG: 'the name is too long',
    ENOTDIR: 'a part of the path is not a folder',
    EEXIST: 'a part of the path is not a folder',
    EISDIR: 'it is a folder',
    ENOENT: 'the folder does not exist and cannot be made',
    EIO: 'the disk reports an error',
    EMFILE: 'too many open files',
  };
  if (code === undefined) return error instanceof Error ? error.message : String(error);
  return code in words ? `${words[code]} (${code})` : code;
}
