/**
 * How a file is refused: where, what was found, what to do. What came from outside is never long in a message.
 */
export { count, counted } from '../base/count.js';

import { type ErrorCode, MicrogptError } from '../base/errors.js';
import type { Json } from '../base/json.js';

export function bad(code: ErrorCode, source: string, what: string): MicrogptError {
  return new MicrogptError(
    code,
    `${source}: ${what}`,
    'use a file that is whole, as the program that trained the model wrote it',
  );
}

export function describe(x: Json | undefined): string {
  if (x === undefined) return 'missing';
  if (x === null) return 'null';
  if (Array.isArray(x)) return `a list of ${x.length}`;
  if (x instanceof Map) return 'an object';
  return typeof x === 'string' ? JSON.stringify(x.length > 60 ? `${x.slice(0, 60)}…` : x) : String(x);
}
