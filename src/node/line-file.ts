/**
 * A file that grows by whole lines: lines wait in memory, go to the file with `flush`, and are on disk for good after `sync`.
 * Refuses to know: what the lines mean. Invariant: what has not been forced to disk is still in memory, and is written again from the
 * last place known to be on disk when a write or fsync has failed; so a failure costs no line and leaves no torn one in the middle.
 */
import { writeAll } from './durable.js';
import type { FileSystem } from './file-system.js';

export interface LineFile {
  /** `value` as one line of JSON. */
  append(value: object): void;
  flush(): Promise<void>;
  sync(): Promise<void>;
  /** Keeps the lines before the first that is not whole or that `keep` refuses, and forgets the others for good. Number of lines cut. */
  cut(keep: (value: unknown) => boolean): Promise<number>;
  close(): Promise<void>;
}

const NEWLINE = 10;
const BLOCK = 2 ** 20;

/** The file must exist, or may be made now; its entry in the folder is the caller's to fsync. */
export async function openLineFile(fs: FileSystem, path: string): Promise<LineFile> {
  let file: number | null = await fs.open(path, 'update');
  /** Bytes on disk for good, bytes of `waiting` that are in the file already, and the lines since `durable`. */
  let durable = (await fs.fstat(file)).size;
  let flushed = 0;
  let waiting: Uint8Array[] = [];
  let lines: string[] = [];

  /** A handle on which a call has failed is not used again. */
  async function giveUp(error: unknown): Promise<never> {
    const failed = file;
    file = null;
    flushed = 0;
    if (failed !== null) await fs.close(failed).catch(() => {});
    throw error;
  }

  async function flush(): Promise<void> {
    if (lines.length > 0) waiting.push(new TextEncoder().encode(lines.join('')));
    lines = [];
    try {
      file ??= await fs.open(path, 'update');
      let at = 0;
      for (const bytes of waiting) {
        if (at >= flushed) {
          await writeAll(fs, file, bytes, durable + at);
          flushed = at + bytes.length;
        }
        at += bytes.length;
      }
    } catch (error) {
      await giveUp(error);
    }
  }

  async function sync(): Promise<void> {
    await flush();
    if (flushed === 0) return;
    try {
      await fs.fsync(file!);
    } catch (error) {
      await giveUp(error);
    }
    durable += flushed;
    flushed = 0;
    waiting = [];
  }

  async function cut(keep: (value: unknown) => boolean): Promise<number> {
    file ??= await fs.open(path, 'update');
    const { size } = await fs.fstat(file);
    const { end, cutLines } = await wholeLines(fs, file, size, keep);
    if (end < size) {
      try {
        await fs.truncate(file, end);
        await fs.fsync(file);
      } catch (error) {
        await giveUp(error);
      }
    }
    durable = end;
    return cutLines;
  }

  return {
    append: (value) => void lines.push(`${JSON.stringify(value)}\n`),
    flush,
    sync,
    cut,
    close: async () => {
      const open = file;
      file = null;
      if (open !== null) await fs.close(open);
    },
  };
}

/** Where the lines to be kept end, in bytes, and how many come after. */
async function wholeLines(fs: FileSystem, file: number, size: number, keep: (value: unknown) => boolean) {
  let end = 0;
  let cutLines = 0;
  let kept = true;
  let rest: Uint8Array = new Uint8Array(0);
  for (let at = 0; at < size; ) {
    const block = new Uint8Array(rest.length + Math.min(BLOCK, size - at));
    block.set(rest);
    const got = await fs.read(file, block.subarray(rest.length), at);
    if (got === 0) break;
    at += got;
    const filled = block.subarray(0, rest.length + got);
    let start = 0;
    for (let stop = filled.indexOf(NEWLINE); stop >= 0; stop = filled.indexOf(NEWLINE, start)) {
      kept &&= isKept(filled.subarray(start, stop), keep);
      if (kept) end += stop + 1 - start;
      else cutLines++;
      start = stop + 1;
    }
    rest = filled.slice(start);
  }
  return { end, cutLines: cutLines + (rest.length > 0 ? 1 : 0) };
}

function isKept(line: Uint8Array, keep: (value: unknown) => boolean): boolean {
  try {
    return keep(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line)));
  } catch {
    return false;
  }
}
