/**
 * Who may ask at all: by the Host and the Origin that a browser sends along, and by a key.
 * Refuses to know: sockets. Invariants: nothing is decided by an address that was put together from Host; a Host or an Origin is compared
 * with a list as a whole, never by a part; the time that comparing keys takes says nothing of them.
 */
import { createKeyring } from './keys.js';
import { REQUEST_LIMITS } from './limits.js';
import { Refusal } from './refusal.js';

/** What the connection says of a request, where there is one. */
export interface Peer {
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** The path as it came. */
  readonly target: string;
  /** Breaks the connection off. */
  cut(): void;
}

export interface GuardOptions {
  /** Keys that may ask; without any, everybody may. */
  readonly keys: readonly string[];
  /** Origins of pages that may ask. */
  readonly origins: readonly string[];
}

export interface Guard {
  /** Hosts as `name:port`, in lower case, that a request may name. Set when the server listens. */
  allowHosts(hosts: readonly string[]): void;
  /** @throws Refusal 400, 403, 431 */
  checkPlace(request: Request, peer: Peer | null): void;
  /** The name by which a key is counted; null where none is needed. @throws Refusal 401 */
  checkKey(request: Request): string | null;
  /** The origin of a page that may read the answer. */
  allowedOrigin(request: Request): string | null;
}

export function createGuard({ keys, origins }: GuardOptions): Guard {
  const known = createKeyring(keys);
  let hosts = new Set<string>();

  function checkOrigin(request: Request): void {
    const origin = request.headers.get('origin');
    if (origin === null || origins.includes(origin) || isOwn(origin, request)) return;
    const message = `pages of ${shown(origin)} may not use this server`;
    throw new Refusal(403, 'origin_not_allowed', message);
  }

  /** The server's own page. Host has been compared with the list before. */
  function isOwn(origin: string, request: Request): boolean {
    const host = request.headers.get('host')?.toLowerCase();
    return host !== undefined && hosts.has(host) && origin === `http://${host}`;
  }

  return {
    allowHosts(list) {
      hosts = new Set(list.map((host) => host.toLowerCase()));
    },
    checkPlace(request, peer) {
      if (peer !== null) checkPeer(peer, hosts);
      checkOrigin(request);
    },
    checkKey(request) {
      if (keys.length === 0) return null;
      const given = /^Bearer ([^\s,]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
      const match = known.find(given);
      if (match >= 0) return String(match);
      throw new Refusal(
        401,
        'invalid_api_key',
        'the API key is missing or wrong: send it as Authorization: Bearer KEY',
        {
          headers: { 'www-authenticate': 'Bearer' },
        },
      );
    },
    allowedOrigin(request) {
      const origin = request.headers.get('origin');
      return origin !== null && origins.includes(origin) ? origin : null;
    },
  };
}

function checkPeer({ rawHeaders, target }: Peer, hosts: ReadonlySet<string>): void {
  const close = { headers: { connection: 'close' } };
  const count = rawHeaders.length / 2;
  if (count > REQUEST_LIMITS.headers) {
    const message = `${count} headers, at most ${REQUEST_LIMITS.headers} are taken`;
    throw new Refusal(431, 'too_many_headers', message, close);
  }
  const named = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1].toLowerCase() === 'host');
  if (named.length > 1) throw new Refusal(400, 'invalid_request', 'more than one Host', close);
  if (!target.startsWith('/')) throw new Refusal(400, 'invalid_request', 'the path has to begin with /', close);
  if (target.length > REQUEST_LIMITS.pathBytes) {
    throw new Refusal(404, 'not_found', `the path is longer than ${REQUEST_LIMITS.pathBytes} characters`, close);
  }
  const host = named[0] ?? '';
  if (hosts.has(host.toLowerCase())) return;
  throw new Refusal(403, 'host_not_allowed', `this server does not go by ${shown(host)}: see --allow-host`, close);
}

const shown = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
