/**
 * Who can reach an address: this machine alone, or others too.
 */
import { MicrogptError } from '../base/errors.js';

export const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::' || host === '[::]';

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);

/** @throws MG_SERVE_OPEN */
export function requireLoopback(host: string): void {
  if (isLoopback(host)) return;
  throw new MicrogptError(
    'MG_SERVE_OPEN',
    `refusing to listen on ${host} without a key: others could use this server`,
    'set MICROGPT_API_KEY, listen on 127.0.0.1, or pass --insecure-no-key',
  );
}
