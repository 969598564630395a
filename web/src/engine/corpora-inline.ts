/** The texts that come with the page, from within the page in one file. */
import { packed } from 'virtual:datasets';

export async function fetchCorpus(file: string): Promise<Uint8Array> {
  const bytes = Uint8Array.from(atob(packed[file] ?? ''), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
