/**
 * Texts to train on: files, and the well-known ones that can be downloaded once and are then kept in a cache.
 */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { decodeUtf8, documentsFromLines } from '../data/documents.js';
import { readFileBounded, writeFileDurably } from './files.js';

/** One document per line. @throws MG_FILE_*, MG_DATA_EMPTY, MG_DATA_UTF8 */
export async function readDocuments(path: string): Promise<string[]> {
  const bytes = await readFileBounded(path, LIMITS.textBytes, 'give the path of a text file with one example per line');
  return documentsFromLines(decodeUtf8(bytes, path), path);
}

export interface Download {
  readonly name: string;
  readonly about: string;
  readonly url: string;
  readonly sha256: string;
  readonly bytes: number;
}

export const DOWNLOADS: readonly Download[] = [
  {
    name: 'names',
    about: '32,033 first names, one per line (MIT, from makemore)',
    url: 'https://raw.githubusercontent.com/karpathy/makemore/refs/heads/master/names.txt',
    sha256: '0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d',
    bytes: 228_145,
  },
];

/** Where downloads are kept: $XDG_CACHE_HOME/microgpt or ~/.cache/microgpt. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'microgpt');
}

/**
 * The path of a downloaded text; fetches it when the cache does not hold it, and keeps nothing whose sha256 is another.
 * @throws MG_DOWNLOAD_FAILED without network or when the server refuses, MG_DOWNLOAD_HASH when it is not the file expected.
 */
export async function fetchCorpus(
  download: Download,
  options: { readonly url?: string | undefined; readonly folder?: string | undefined } = {},
): Promise<{ readonly path: string; readonly cached: boolean }> {
  const path = join(options.folder ?? cacheFolder(), `${download.name}.txt`);
  const url = options.url ?? download.url;
  const kept = await readFileBounded(path, download.bytes, '').catch(() => null);
  if (kept !== null && sha256(kept) === download.sha256) return { path, cached: true };

  const bytes = await downloadBytes(url, download.bytes);
  const hash = sha256(bytes);
  if (hash !== download.sha256) {
    throw new MicrogptError(
      'MG_DOWNLOAD_HASH',
      `${url} is not the expected file (sha256 ${hash.slice(0, 12)}…, expected ${download.sha256.slice(0, 12)}…, ${bytes.length.toLocaleString('en')} bytes)`,
      'nothing was kept; try again, or use a file of your own with --data',
    );
  }
  await writeFileDurably(path, bytes);
  return { path, cached: false };
}

async function downloadBytes(url: string, limit: number): Promise<Uint8Array> {
  const failed = (why: string, cause?: unknown) =>
    new MicrogptError(
      'MG_DOWNLOAD_FAILED',
      `could not download ${url}: ${why}`,
      'check the network, or go on without it: microgpt train names uses the names that come with microgpt',
      { cause },
    );
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
    if (!response.ok) throw failed(`the server answers ${response.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      // One byte too many is enough to know that it is another file; its hash will say so.
      chunks.push(chunk);
      if (size > limit) break;
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof MicrogptError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw failed(
      cause instanceof Error ? cause.message || String((cause as { code?: unknown }).code) : String(cause),
      error,
    );
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
