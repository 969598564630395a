/**
 * The calls through which runs and saves reach a disk, as a record of functions, so that a test can fail the k-th call or pull the plug.
 * Refuses to know: what is in a file and why it is written. Invariant: each function is one call of the system, which may do less
 * than asked (`write`, `read`) and rejects with an error that has the system's `code`.
 */
import fs, { constants, type Stats } from 'node:fs';
import { promisify } from 'node:util';

export type FileKind = 'file' | 'folder' | 'link' | 'pipe' | 'device';

export interface FileInfo {
  readonly kind: FileKind;
  /** Bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

/** `read`: an existing file or pipe, without waiting. `create`: a file that must not exist. `update`: a file to read and write, made if missing. `folder`: to fsync it. */
export type OpenFor = 'read' | 'create' | 'update' | 'folder';

export interface FileSystem {
  open(path: string, purpose: OpenFor, mode?: number): Promise<number>;
  /** Number of bytes read into `into`, from `position` in the file; 0 at its end. */
  read(file: number, into: Uint8Array, position: number): Promise<number>;
  /** Number of bytes taken; may be fewer than given. */
  write(file: number, bytes: Uint8Array, position: number): Promise<number>;
  truncate(file: number, size: number): Promise<void>;
  fsync(file: number): Promise<void>;
  close(file: number): Promise<void>;
  fstat(file: number): Promise<FileInfo>;
  stat(path: string): Promise<FileInfo>;
  /** As `stat`, of a link itself. */
  lstat(path: string): Promise<FileInfo>;
  readlink(path: string): Promise<string>;
  readdir(path: string): Promise<string[]>;
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Bytes that this user may still write, or null where the disk does not say. */
  free(path: string): Promise<number | null>;
}

const FLAGS: Record<OpenFor, number> = {
  // Not blocking: opening a pipe that nobody writes to would wait for ever.
  read: constants.O_RDONLY | (constants.O_NONBLOCK ?? 0),
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  update: constants.O_RDWR | constants.O_CREAT,
  folder: constants.O_RDONLY,
};

const calls = {
  open: promisify(fs.open),
  read: promisify(fs.read),
  write: promisify(fs.write),
  truncate: promisify(fs.ftruncate),
  fsync: promisify(fs.fsync),
  close: promisify(fs.close),
  fstat: promisify(fs.fstat),
};

export const nodeFileSystem: FileSystem = {
  open: (path, purpose, mode = 0o666) => calls.open(path, FLAGS[purpose], mode),
  read: async (file, into, position) => (await calls.read(file, into, 0, into.length, position)).bytesRead,
  write: async (file, bytes, position) => (await calls.write(file, bytes, 0, bytes.length, position)).bytesWritten,
  truncate: (file, size) => calls.truncate(file, size),
  fsync: (file) => calls.fsync(file),
  close: (file) => calls.close(file),
  fstat: async (file) => fileInfo(await calls.fstat(file)),
  stat: async (path) => fileInfo(await fs.promises.stat(path)),
  lstat: async (path) => fileInfo(await fs.promises.lstat(path)),
  readlink: (path) => fs.promises.readlink(path),
  readdir: (path) => fs.promises.readdir(path),
  mkdir: (path) => fs.promises.mkdir(path),
  rmdir: (path) => fs.promises.rmdir(path),
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (path) => fs.promises.unlink(path),
  free: async (path) => {
    const { bavail, blocks, bsize } = await fs.promises.statfs(path);
    return blocks === 0 ? null : bavail * bsize; // a disk without blocks does not count
  },
};

function fileInfo(info: Stats): FileInfo {
  const kind = info.isFile()
    ? 'file'
    : info.isDirectory()
      ? 'folder'
      : info.isSymbolicLink()
        ? 'link'
        : info.isFIFO()
          ? 'pipe'
          : 'device';
  return { kind, size: info.size, mode: info.mode & 0o7777 };
}

/** The system's code of an error, such as ENOENT. */
export function errno(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** For calls whose failure means "it is not there". */
export async function ifThere<T>(call: Promise<T>): Promise<T | null> {
  return call.catch((error: unknown) => {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return null;
    throw error;
  });
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
    EXDEV: 'the target lies on another disk',
  };
  if (code === undefined) return error instanceof Error ? error.message : String(error);
  return code in words ? `${words[code]} (${code})` : code;
}

/** Bytes as people read them. */
export function readableSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
