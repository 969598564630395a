/**
 * A corpus from a file of any size. One pass reads, hashes, checks and tokenises it; small ones end up in memory, the token ids of large ones
 * in temporary files, and raw bytes are read from the file itself. Invariant: all three give the same ids in the same order.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type OptionNames, requireNames } from '../base/options.js';
import { createCorpusBuilder } from '../data/build.js';
import { type ByteCounts, byteCorpus, countBytes } from '../data/byte-corpus.js';
import { memoryColumns } from '../data/columns.js';
import type { CorpusOptions, TextCorpus, TokenStream } from '../data/corpus.js';
import { type Guess, guessFormat } from '../data/guess-format.js';
import { CORPUS_NAMES, requireCorpusOptions } from '../data/options.js';
import { arrayStream } from '../data/token-documents.js';
import { cacheFolder } from './corpora.js';
import { openTextFile, type TextFile } from './text-files.js';
import { fileColumns } from './token-files.js';

/** How a file is read and cut into examples. */
export interface OpenCorpusOptions extends CorpusOptions {
  /** Files up to this size are kept in memory; 4 MiB if left out. */
  readonly inMemory?: number | undefined;
  /** Where token ids of larger ones go; a folder in the cache if left out. */
  readonly folder?: string | undefined;
  /** Called now and then with the bytes read so far. */
  readonly onProgress?: ((bytes: number, of: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const NAMES: OptionNames<OpenCorpusOptions> = {
  ...CORPUS_NAMES,
  inMemory: true,
  folder: true,
  onProgress: true,
  signal: true,
};

/** A corpus that may lie in temporary files until it is closed. */
export interface OpenCorpus extends TextCorpus {
  /** Removes the temporary files. */
  close(): void;
}

const IN_MEMORY = 4 * 1024 * 1024;
const GUESS_BYTES = 65_536;

/**
 * @throws MG_OPTION_VALUE, MG_FILE_MISSING, MG_FILE_KIND, MG_FILE_READ, MG_DATA_CHANGED, MG_DATA_SPILL, and what createCorpusBuilder throws;
 * the signal's reason when it is aborted.
 */
export async function openCorpus(path: string, options: OpenCorpusOptions): Promise<OpenCorpus> {
  requireNames('openCorpus', options, NAMES);
  const all = { ...options, source: options.source ?? path };
  requireCorpusOptions(all);
  const file = openTextFile(path);
  try {
    return options.format === 'bytes' ? await openBytes(file, all) : await openText(file, all);
  } catch (error) {
    file.close();
    throw error;
  }
}

async function openText(file: TextFile, options: OpenCorpusOptions): Promise<OpenCorpus> {
  const small = file.size <= (options.inMemory ?? IN_MEMORY);
  const spill = small ? null : await fileColumns(options.folder ?? join(cacheFolder(), 'tokens'), file.size);
  try {
    const builder = createCorpusBuilder(options, spill ?? memoryColumns());
    const sha256 = await readAll(file, options, (bytes) => builder.push(bytes));
    file.close();
    return { ...builder.end({ bytes: file.size, sha256 }), close: () => spill?.close() };
  } catch (error) {
    spill?.close();
    throw error;
  }
}

async function openBytes(file: TextFile, options: OpenCorpusOptions): Promise<OpenCorpus> {
  const small = file.size <= (options.inMemory ?? IN_MEMORY);
  const inMemory = new Int32Array(small ? file.size : 0);
  const counts: ByteCounts = { of: new Float64Array(256) };
  let at = 0;
  const sha256 = await readAll(file, options, (bytes) => {
    countBytes(counts, bytes);
    if (small) inMemory.set(bytes, at);
    at += bytes.length;
  });
  if (small) file.close();
  const stream: TokenStream = small
    ? arrayStream(inMemory)
    : { kind: 'stream', length: file.size, read: (from, count) => Int32Array.from(file.read(from, count)) };
  return { ...byteCorpus(stream, counts, options, sha256), close: file.close };
}

/** Gives the sha256 of the whole. */
async function readAll(
  file: TextFile,
  { onProgress, signal }: OpenCorpusOptions,
  take: (bytes: Uint8Array) => void,
): Promise<string> {
  const hash = createHash('sha256');
  let done = 0;
  for await (const bytes of file.parts()) {
    signal?.throwIfAborted();
    hash.update(bytes);
    take(bytes);
    done += bytes.length;
    onProgress?.(done, file.size);
  }
  return hash.digest('hex');
}

/** Which format the file at a path seems to have. @throws MG_FILE_* */
export function guessFileFormat(path: string, lossy = false): Guess {
  const file = openTextFile(path);
  try {
    return guessFormat(path, file.read(0, GUESS_BYTES), lossy);
  } finally {
    file.close();
  }
}
