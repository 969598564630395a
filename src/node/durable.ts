/**
 * A file replaced whole or not at all, so that it survives a killed process and a power cut: room for it → new file beside the target →
 * all bytes → fsync → close → size as expected → rename → fsync of the folder.
 * Refuses to know: what is in the file. Invariant: at every moment the target is wholly the old or wholly the new file; when a save
 * fails nothing else is left, provided the disk still lets us remove it. A file whose fsync failed is given up: what the system did not
 * write then it may have forgotten, and a second fsync would say that all is well (PostgreSQL's lesson of 2018).
 */

import { basename, dirname, join, resolve } from 'node:path';
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { errno, type FileSystem, ifThere, nodeFileSystem, plainReason, readableSize } from './file-system.js';

export interface SaveOptions {
  readonly fs?: FileSystem;
  /** What is saved, for the message: "step 1000". */
  readonly what?: string;
  /** What is not lost when saving fails: "step 900 is intact". */
  readonly intact?: string;
  /** The way out when saving fails. */
  readonly remedy?: string;
}

/** Free space needed, in sizes of the file: its blocks and what the file system notes about them. */
const ROOM = 1.1;
/** Bytes handed to one call: the system takes less than 2³¹ at once. */
const CHUNK = 64 * 2 ** 20;
/** On Windows a scanner may hold a file for a moment. */
const RENAME = process.platform === 'win32' ? { tries: 10, pauseMs: 50 } : { tries: 1, pauseMs: 0 };

/** @throws MG_SAVE_DISK_FULL, MG_SAVE_FAILED; what was at `path` before is then still there, unless the message says otherwise. */
export async function writeFileDurably(path: string, bytes: Uint8Array, options: SaveOptions = {}): Promise<void> {
  const { fs = nodeFileSystem } = options;
  let temporary: string | null = null;
  let replaced = false;
  try {
    const target = await realTarget(fs, path);
    const folder = dirname(target);
    await makeFolders(fs, folder);
    // Where the disk does not answer, the writing will tell.
    const free = await fs.free(folder).catch(() => null);
    if (free !== null && free < ROOM * bytes.length) throw diskFull(path, bytes.length, free, options);
    const mode = (await ifThere(fs.stat(target)))?.mode;
    const created = await createBeside(fs, target, mode);
    temporary = created.path;
    await fill(fs, created.file, bytes);
    const { size } = await fs.stat(temporary);
    if (size !== bytes.length) throw new Error(`${count(size)} bytes arrived`);
    await replace(fs, temporary, target);
    temporary = null;
    replaced = true;
    await syncFolder(fs, folder);
  } catch (error) {
    if (temporary !== null) await fs.unlink(temporary).catch(() => {});
    if (error instanceof MicrogptError) throw error;
    throw await saveFailure(path, bytes.length, error, replaced, { ...options, fs });
  }
}

/** The error to throw when `cause` stopped the saving of `size` bytes at `path`. */
export async function saveFailure(
  path: string,
  size: number,
  cause: unknown,
  replaced: boolean,
  options: SaveOptions,
): Promise<MicrogptError> {
  const { fs = nodeFileSystem, what, intact = 'what was there before is unchanged' } = options;
  if (!replaced && (errno(cause) === 'ENOSPC' || errno(cause) === 'EDQUOT')) {
    const free = errno(cause) === 'ENOSPC' ? await fs.free(dirname(path)).catch(() => null) : null;
    return diskFull(path, size, free, options, cause);
  }
  const outcome = replaced ? 'the new file is there, but a power cut may still undo it' : intact;
  return new MicrogptError(
    'MG_SAVE_FAILED',
    `could not save ${what === undefined ? path : `${what} in ${path}`} (${readableSize(size)}): ${plainReason(cause)}; ${outcome}`,
    options.remedy ?? 'check the disk or choose another place',
    { cause },
  );
}

function diskFull(path: string, size: number, free: number | null, options: SaveOptions, cause?: unknown) {
  const { what, intact = 'what was there before is unchanged' } = options;
  const room =
    free !== null
      ? `${readableSize(free)} free`
      : errno(cause) === 'EDQUOT'
        ? 'the quota is used up'
        : 'the disk is full';
  return new MicrogptError(
    'MG_SAVE_DISK_FULL',
    `could not save ${what === undefined ? path : `${what} in ${path}`}: needed ${readableSize(Math.ceil(ROOM * size))}, ${room}; ${intact}`,
    options.remedy ?? 'make room or choose another place',
    { cause },
  );
}

/**
 * Finds out, before hours of work, whether `path` can be written: makes the folders, and a file beside the target that it removes again.
 * @throws MG_SAVE_UNWRITABLE
 */
export async function requireWritable(path: string, fs: FileSystem = nodeFileSystem): Promise<void> {
  try {
    const target = await realTarget(fs, path);
    const info = await fs.stat(target).catch(() => null);
    if (info?.kind === 'folder') throw unwritable(path, 'it is a folder');
    if (info !== null && info.kind !== 'file') throw unwritable(path, 'it is not a regular file');
    await makeFolders(fs, dirname(target));
    const probe = await createBeside(fs, target);
    try {
      await fs.close(probe.file);
    } finally {
      await fs.unlink(probe.path);
    }
  } catch (error) {
    throw error instanceof MicrogptError ? error : unwritable(path, plainReason(error));
  }
}

export function unwritable(path: string, why: string): MicrogptError {
  return new MicrogptError(
    'MG_SAVE_UNWRITABLE',
    `cannot write ${path}: ${why}`,
    'choose another place with --run or --output',
  );
}

/**
 * Folder by folder: Node's own recursive mkdir never returns where a file system answers "no such file" to a mkdir, as /proc does.
 * A new folder survives a power cut once its parent is written out.
 */
export async function makeFolders(fs: FileSystem, folder: string): Promise<void> {
  if ((await fs.stat(folder).catch(() => null))?.kind === 'folder') return;
  const parent = dirname(folder);
  if (parent !== folder) await makeFolders(fs, parent);
  try {
    await fs.mkdir(folder);
  } catch (error) {
    if (errno(error) !== 'EEXIST' || (await fs.stat(folder)).kind !== 'folder') throw error;
  }
  await syncFolder(fs, parent);
}

/** A rename that must survive a power cut needs its folder written out as well. Windows and some network disks cannot do that. */
export async function syncFolder(fs: FileSystem, folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await fs.open(folder, 'folder');
  try {
    await fs.fsync(handle);
  } catch (error) {
    if (errno(error) !== 'EINVAL' && errno(error) !== 'ENOTSUP') throw error;
  } finally {
    await fs.close(handle);
  }
}

/** Writes all of `bytes` at `position`: one call may take fewer bytes than it was given without any error; the next one then says why. */
export async function writeAll(fs: FileSystem, file: number, bytes: Uint8Array, position = 0): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const taken = await fs.write(file, bytes.subarray(done, Math.min(bytes.length, done + CHUNK)), position + done);
    if (taken === 0) throw new Error('the disk takes no more bytes');
    done += taken;
  }
}

/** Fills a new file, forces it to disk and closes it, once, whatever happens. */
async function fill(fs: FileSystem, file: number, bytes: Uint8Array): Promise<void> {
  try {
    await writeAll(fs, file, bytes);
    await fs.fsync(file);
  } catch (error) {
    await fs.close(file).catch(() => {});
    throw error;
  }
  await fs.close(file);
}

async function replace(fs: FileSystem, from: string, to: string): Promise<void> {
  for (let tried = 1; ; tried++) {
    try {
      return await fs.rename(from, to);
    } catch (error) {
      if (tried >= RENAME.tries || !['EPERM', 'EBUSY', 'EACCES'].includes(errno(error) ?? '')) throw error;
      await new Promise((done) => setTimeout(done, RENAME.pauseMs));
    }
  }
}

/** A link at the target is kept: the file that it leads to is the one to be written, there or not. */
async function realTarget(fs: FileSystem, path: string): Promise<string> {
  let target = resolve(path);
  for (let links = 0; links < 40; links++) {
    const info = await ifThere(fs.lstat(target));
    if (info?.kind !== 'link') return target;
    target = resolve(dirname(target), await fs.readlink(target));
  }
  throw new Error('too many links lead from one to the next');
}

let counter = 0;

/** Opens a new file beside `target`. One that a dead process with our id has left does not stand in the way. */
async function createBeside(fs: FileSystem, target: string, mode?: number): Promise<{ path: string; file: number }> {
  for (let tried = 1; ; tried++) {
    const path = temporaryBeside(target);
    try {
      return { path, file: await fs.open(path, 'create', mode) };
    } catch (error) {
      if (errno(error) !== 'EEXIST' || tried >= 100) throw error;
    }
  }
}

/** `.<name>.<process>.<n>.tmp`, never the same twice in one process. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.${counter++}.tmp`);
}

/** The target's name and the process of a temporary file's name, or null for any other name. */
export function parseTemporary(name: string): { readonly target: string; readonly pid: number } | null {
  const match = /^\.(.+)\.(\d+)\.\d+\.tmp$/.exec(name);
  return match === null ? null : { target: match[1], pid: Number(match[2]) };
}
