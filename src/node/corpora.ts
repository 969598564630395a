/**
 * Well-known texts: downloaded once and then kept in a cache, with the sha256 that they had. One that was pinned must be that file; of the
 * others the first download counts, and a later one that differs is refused. Invariant: what the cache gives has the sha256 that is recorded.
 */

import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { requireNames } from '../base/options.js';
import { decodeUtf8, documentsFromLines } from '../data/documents.js';
import { requireTextFile } from '../data/file-kinds.js';
import { DownloadError, download } from './download.js';
import { readFileBounded, writeFileDurably } from './files.js';

/** One document per line. @throws MG_FILE_*, MG_DATA_KIND, MG_DATA_EMPTY, MG_DATA_UTF8 */
export async function readDocuments(path: string): Promise<string[]> {
  const bytes = await readFileBounded(path, LIMITS.textBytes, 'give the path of a text file with one example per line');
  requireTextFile(bytes, path);
  return documentsFromLines(decodeUtf8(bytes, path), path);
}

/** A text that can be downloaded. */
export interface Download {
  readonly name: string;
  readonly about: string;
  readonly url: string;
  /** Null where the first download decides. */
  readonly sha256: string | null;
  /** The most bytes that it may have. */
  readonly bytes: number;
  /** How it is read: a format and its options, as on the command line. */
  readonly format: 'lines' | 'chunked';
}

/** The well-known texts that `fetchCorpus` can get. */
export const DOWNLOADS: readonly Download[] = [
  {
    name: 'names',
    about: '32,033 first names, one per line (MIT, from makemore)',
    url: 'https://raw.githubusercontent.com/karpathy/makemore/refs/heads/master/names.txt',
    sha256: '0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d',
    bytes: 228_145,
    format: 'lines',
  },
  {
    name: 'alice',
    about: 'Alice’s Adventures in Wonderland, 0.2 MB of prose (public domain, from Project Gutenberg)',
    url: 'https://www.gutenberg.org/files/11/11-0.txt',
    sha256: null,
    bytes: 1_000_000,
    format: 'chunked',
  },
  {
    name: 'shakespeare',
    about: 'Shakespeare’s plays, 1.1 MB of verse (public domain, from char-rnn)',
    url: 'https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt',
    sha256: null,
    bytes: 4_000_000,
    format: 'chunked',
  },
  {
    name: 'verdict',
    about: 'The Verdict by Edith Wharton, 20 KB of prose (public domain, from LLMs-from-scratch)',
    url: 'https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/ch02/01_main-chapter-code/the-verdict.txt',
    sha256: null,
    bytes: 100_000,
    format: 'chunked',
  },
];

/** Where downloads are kept: $XDG_CACHE_HOME/microgpt or ~/.cache/microgpt. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'microgpt');
}

/**
 * The path of a downloaded text; fetches it when the cache does not hold it, and keeps nothing whose sha256 is another than expected.
 * @throws MG_DOWNLOAD_FAILED without network or when the server refuses, MG_DOWNLOAD_HASH when it is not the file expected.
 */
export async function fetchCorpus(
  wanted: Download,
  options: { readonly url?: string | undefined; readonly folder?: string | undefined } = {},
): Promise<{ readonly path: string; readonly cached: boolean; readonly sha256: string }> {
  requireNames('fetchCorpus', options, { url: true, folder: true });
  const path = join(options.folder ?? cacheFolder(), `${wanted.name}.txt`);
  const url = options.url ?? wanted.url;
  const expected = wanted.sha256 ?? (await recordedHash(path));
  const kept = await readFileBounded(path, wanted.bytes, '').catch(() => null);
  if (kept !== null) {
    const sha256 = hashOf(kept);
    // One without a record was put there by hand: then it is the first.
    if (expected === null) await recordHash(path, wanted.name, sha256);
    if (expected === null || sha256 === expected) return { path, cached: true, sha256 };
  }

  const bytes = await download(url, wanted.bytes).catch((error: unknown) => {
    throw failed(wanted, url, path, error);
  });
  if (bytes === null) {
    const size = `more than the ${count(wanted.bytes)} bytes that it may have`;
    throw wanted.sha256 === null
      ? failed(wanted, url, path, new DownloadError(size))
      : another(wanted, url, path, size);
  }
  const sha256 = hashOf(bytes);
  if (expected !== null && sha256 !== expected) {
    const was = wanted.sha256 === null ? 'at the first download it was' : 'expected';
    const facts = `sha256 ${sha256.slice(0, 12)}…, ${was} ${expected.slice(0, 12)}…, ${count(bytes.length)} bytes`;
    throw another(wanted, url, path, facts);
  }
  await writeFileDurably(path, bytes);
  if (wanted.sha256 === null) await recordHash(path, wanted.name, sha256);
  return { path, cached: false, sha256 };
}

/** Beside the file, as sha256sum writes it. */
async function recordedHash(path: string): Promise<string | null> {
  const bytes = await readFileBounded(`${path}.sha256`, 1000, '').catch(() => null);
  return bytes === null ? null : (/^[0-9a-f]{64}/.exec(new TextDecoder().decode(bytes))?.[0] ?? null);
}

async function recordHash(path: string, name: string, sha256: string): Promise<void> {
  await writeFileDurably(`${path}.sha256`, new TextEncoder().encode(`${sha256}  ${name}.txt\n`));
}

function failed(wanted: Download, url: string, path: string, error: unknown): MicrogptError {
  const why = error instanceof DownloadError ? error.message : String(error);
  const instead =
    wanted.name === 'names' ? '; or go on without it: microgpt train names uses the names that come with microgpt' : '';
  return new MicrogptError(
    'MG_DOWNLOAD_FAILED',
    `could not download ${url}: ${why}`,
    `check the network, get the file another way and save it as ${path}, or train on a text of your own with --data FILE${instead}`,
    { cause: error },
  );
}

function another(wanted: Download, url: string, path: string, facts: string): MicrogptError {
  return new MicrogptError(
    'MG_DOWNLOAD_HASH',
    `${url} is not the expected file (${facts})`,
    wanted.sha256 === null
      ? `nothing was kept; to accept the new one, remove ${path}.sha256 and fetch again`
      : 'nothing was kept; try again, or use a file of your own with --data',
  );
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
