/**
 * The playground below /playground/, from a list of files in memory.
 * Refuses to know: disks, and what is in the files. Invariant: a path reaches a file of the list or nothing.
 */

export interface PlaygroundFolder {
  /** By their paths below the folder; "" is the page. */
  readonly files: ReadonlyMap<string, { readonly type: string; readonly bytes: Uint8Array }>;
  readonly headers: Readonly<Record<string, string>>;
}

export const PLAYGROUND = '/playground/';

/** Null where the path is none of the playground's. */
export function playgroundAnswer(folder: PlaygroundFolder | undefined, method: string, path: string): Response | null {
  if (folder === undefined || (method !== 'GET' && method !== 'HEAD')) return null;
  if (`${path}/` === PLAYGROUND) return new Response(null, { status: 308, headers: { location: PLAYGROUND } });
  const file = path.startsWith(PLAYGROUND) ? folder.files.get(path.slice(PLAYGROUND.length)) : undefined;
  if (file === undefined) return null;
  const headers = { ...folder.headers, 'content-type': file.type, 'content-length': String(file.bytes.length) };
  return new Response(method === 'HEAD' ? null : (file.bytes as Uint8Array<ArrayBuffer>), { headers });
}
