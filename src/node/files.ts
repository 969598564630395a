/**
 * Reading files so that nothing surprises: only regular files of a bounded size are read. Writing them is durable.ts.
 * Refuses to know: what is in a file. Invariant: never more than `limit` bytes are taken, whatever the file says about its size.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { errno, type FileSystem, nodeFileSystem, plainReason } from './file-system.js';

export { requireWritable, writeFileDurably } from './durable.js';
export { plainReason } from './file-system.js';

/** @throws MG_FILE_MISSING, MG_FILE_KIND, MG_FILE_SIZE, MG_FILE_READ */
export async function readFileBounded(
  path: string,
  limit: number,
  missingRemedy: string,
  fs: FileSystem = nodeFileSystem,
): Promise<Uint8Array> {
  let file: number;
  try {
    file = await fs.open(path, 'read');
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') {
      throw new MicrogptError('MG_FILE_MISSING', `there is no file ${path}`, missingRemedy);
    }
    throw unreadable(path, error);
  }
  try {
    const { kind, size } = await fs.fstat(file);
    if (kind !== 'file') {
      throw new MicrogptError(
        'MG_FILE_KIND',
        `${path} is a ${kind}, expected a regular file`,
        'give the path of a file',
      );
    }
    if (size > limit) throw tooLarge(path, limit);
    return await readAtMost(fs, file, size, path, limit);
  } catch (error) {
    throw error instanceof MicrogptError ? error : unreadable(path, error);
  } finally {
    await fs.close(file).catch(() => {}); // nothing was written
  }
}

/** A file may say that it is smaller than it is, or grow while it is read. */
async function readAtMost(
  fs: FileSystem,
  file: number,
  size: number,
  path: string,
  limit: number,
): Promise<Uint8Array> {
  let bytes = new Uint8Array(size + 1); // one more, to meet the end without a second buffer
  let filled = 0;
  for (;;) {
    const got = await fs.read(file, bytes.subarray(filled, filled + 2 ** 30), filled);
    if (got === 0) return bytes.subarray(0, filled);
    filled += got;
    if (filled > limit) throw tooLarge(path, limit);
    if (filled < bytes.length) continue;
    const larger = new Uint8Array(Math.min(2 * bytes.length + 65_536, limit + 1));
    larger.set(bytes);
    bytes = larger;
  }
}

function tooLarge(path: string, limit: number): MicrogptError {
  return new MicrogptError(
    'MG_FILE_SIZE',
    `${path} has more than the ${count(limit)} bytes that are read`,
    'use a smaller file',
  );
}

export function unreadable(path: string, error: unknown): MicrogptError {
  return new MicrogptError(
    'MG_FILE_READ',
    `cannot read ${path}: ${plainReason(error)}`,
    'check the permissions, and the disk',
    { cause: error },
  );
}
