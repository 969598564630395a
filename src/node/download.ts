/**
 * A file from the web, of a bounded size. What was asked for may be anywhere; what a server redirects to must be https and public.
 * Refuses to know: what is in it. Invariant: no more than the limit is ever in memory, and nothing is written.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** Why a download did not work, in words that end a sentence. */
export class DownloadError extends Error {}

const REDIRECTS = 5;
const TIMEOUT_MS = 60_000;

/** The bytes, or null when there are more than `limit`. @throws DownloadError */
export async function download(url: string, limit: number): Promise<Uint8Array | null> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await follow(new URL(url), signal);
    if (!response.ok) throw new DownloadError(`the server answers ${response.status}`);
    return await bodyOf(response, limit);
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    throw new DownloadError(reason(error), { cause: error });
  }
}

async function follow(start: URL, signal: AbortSignal): Promise<Response> {
  let url = start;
  for (let n = 0; n <= REDIRECTS; n++) {
    const response = await fetch(url, { signal, redirect: 'manual' });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    await response.body?.cancel();
    if (!URL.canParse(location, url.href)) throw new DownloadError('it redirects to what is no address');
    url = new URL(location, url.href);
    await requirePublic(url);
  }
  throw new DownloadError(`more than ${REDIRECTS} redirects`);
}

async function requirePublic(url: URL): Promise<void> {
  if (url.protocol !== 'https:')
    throw new DownloadError(`it redirects to ${url.href.slice(0, 80)}, which is not https`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) > 0 ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
  if (addresses.some(isPrivate)) throw new DownloadError(`it redirects to ${host}, an address in a private network`);
}

const PRIVATE = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(net, bits, 'ipv4');
}
for (const [net, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
  ['64:ff9b::', 96], // stands for an IPv4 address, as ::ffff:… does, which BlockList sees through
] as const) {
  PRIVATE.addSubnet(net, bits, 'ipv6');
}

/** An address that belongs to this machine or its network, in any spelling. */
export function isPrivate(address: string): boolean {
  return PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

async function bodyOf(response: Response, limit: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > limit) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || String((cause as { code?: unknown }).code);
}
