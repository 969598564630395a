/**
 * Files of training data, read from front to back in bounded memory, and in places later. A file must stay as it is while it is used.
 * Refuses to know: what is in it. Invariant: nothing that was read from a file that changed meanwhile is ever used.
 */

import { closeSync, constants, fstatSync, openSync, read, readSync, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { plainReason } from './files.js';

export interface TextFile {
  readonly size: number;
  /** The whole file, in parts; each is valid until the next one. @throws MG_DATA_CHANGED, MG_FILE_READ */
  parts(): AsyncGenerator<Uint8Array, void, void>;
  /** `count` bytes from `from` on. @throws MG_DATA_CHANGED, MG_FILE_READ */
  read(from: number, count: number): Uint8Array;
  close(): void;
}

const PART = 256 * 1024;
const readAsync = promisify(read);

/** @throws MG_FILE_MISSING, MG_FILE_KIND, MG_FILE_READ */
export function openTextFile(path: string): TextFile {
  const unreadable = (error: unknown) =>
    new MicrogptError(
      'MG_FILE_READ',
      `cannot read ${path}: ${plainReason(error)}`,
      'check the permissions of the file',
      {
        cause: error,
      },
    );
  const file = open(path, unreadable);
  const before = fstatSync(file);
  const size = before.size;
  const requireSame = () => {
    const now = fstatSync(file);
    if (now.size !== size || now.mtimeMs !== before.mtimeMs) throw changed(path, size, now.size);
  };
  let isOpen = true;

  return {
    size,
    async *parts() {
      const buffer = new Uint8Array(PART);
      let at = 0;
      for (;;) {
        let filled = 0;
        while (filled < PART) {
          const { bytesRead } = await readAsync(file, buffer, filled, PART - filled, at + filled).catch((error) => {
            throw unreadable(error);
          });
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        at += filled;
        if (at > size) throw changed(path, size, at);
        if (filled > 0) yield buffer.subarray(0, filled);
        if (filled < PART) break;
      }
      if (at !== size) throw changed(path, size, at);
      requireSame();
    },
    read(from, count) {
      requireSame();
      const bytes = new Uint8Array(Math.max(0, Math.min(count, size - from)));
      try {
        for (let done = 0; done < bytes.length; ) {
          const n = readSync(file, bytes, done, bytes.length - done, from + done);
          if (n === 0) throw changed(path, size, from + done);
          done += n;
        }
      } catch (error) {
        throw error instanceof MicrogptError ? error : unreadable(error);
      }
      return bytes;
    },
    close() {
      if (isOpen) closeSync(file);
      isOpen = false;
    },
  };
}

function open(path: string, unreadable: (error: unknown) => MicrogptError): number {
  let file: number;
  try {
    // Not blocking: opening a pipe that nobody writes to would wait for ever.
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw unreadable(error);
    throw new MicrogptError(
      'MG_FILE_MISSING',
      `there is no file ${path}`,
      'give the path of a text file to learn from',
    );
  }
  const info = fstatSync(file);
  if (info.isFile()) return file;
  closeSync(file);
  throw new MicrogptError(
    'MG_FILE_KIND',
    `${path} is ${kindOf(info)}, expected a regular file`,
    'give the path of a file',
  );
}

function kindOf(info: Stats): string {
  return info.isDirectory() ? 'a folder' : info.isFIFO() ? 'a pipe' : 'a device';
}

function changed(path: string, was: number, is: number): MicrogptError {
  const sizes = was === is ? 'its contents' : `it had ${count(was)} bytes, now ${count(is)}`;
  return new MicrogptError(
    'MG_DATA_CHANGED',
    `${path} changed while it was used: ${sizes}`,
    'use a copy that nobody writes to, and start again',
  );
}
