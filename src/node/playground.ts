/**
 * The playground's built files, and a small server for them: a fixed list in memory, so that a request can reach nothing else.
 * Refuses to know: what is in them. Invariant: every answer carries the headers with which the page may use threads.
 */
import { readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MicrogptError } from '../base/errors.js';
import { readFileBounded } from './files.js';

const BUILT = fileURLToPath(new URL('../playground/', import.meta.url));
const MOST_BYTES = 2 ** 24;

/** A file as it is served. */
export interface StaticFile {
  /** Its media type. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.jsonl': 'application/jsonl; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

/** For every file, whoever serves it: cross-origin isolation, and no guessing of types. */
export const PLAYGROUND_HEADERS: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

/**
 * All files by their paths, such as "assets/index.js"; "" is the page. Wherever they are mounted, that address must end in "/".
 * @throws MG_FILE_MISSING when the playground has not been built
 */
export async function playgroundFiles(folder = BUILT): Promise<ReadonlyMap<string, StaticFile>> {
  const read = (path: string) => readFileBounded(join(folder, path), MOST_BYTES, 'build it: npm run playground');
  const files = new Map<string, StaticFile>([['', { type: TYPES['.html'], bytes: await read('index.html') }]]);
  for (const entry of await readdir(folder, { recursive: true })) {
    const path = entry.replaceAll('\\', '/');
    const type = TYPES[extname(path)];
    if (type !== undefined) files.set(path, { type, bytes: await read(path) });
  }
  return files;
}

/** Files and headers, to be served below some path; undefined where the playground has not been built. */
export async function playgroundFolder(
  folder = BUILT,
): Promise<
  { readonly files: ReadonlyMap<string, StaticFile>; readonly headers: Readonly<Record<string, string>> } | undefined
> {
  try {
    return { files: await playgroundFiles(folder), headers: PLAYGROUND_HEADERS };
  } catch (error) {
    if (error instanceof MicrogptError && error.code === 'MG_FILE_MISSING') return undefined;
    throw error;
  }
}

/** Serves a list of files on this machine. Port 0 takes a free one. */
export async function serveFiles(
  files: ReadonlyMap<string, StaticFile>,
  { port, host = '127.0.0.1' }: { readonly port: number; readonly host?: string },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => answer(files, request, response));
  await listening(server, port, host);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function answer(files: ReadonlyMap<string, StaticFile>, request: IncomingMessage, response: ServerResponse): void {
  for (const [name, value] of Object.entries(PLAYGROUND_HEADERS)) response.setHeader(name, value);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    return;
  }
  const file = files.get((request.url ?? '/').split(/[?#]/)[0].slice(1));
  if (file === undefined) {
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('there is no such file\n');
    return;
  }
  response.writeHead(200, { 'Content-Type': file.type, 'Content-Length': file.bytes.length });
  response.end(request.method === 'HEAD' ? undefined : file.bytes);
}
