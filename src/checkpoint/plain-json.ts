/**
 * JSON values as text inside of a checkpoint, and back: the state of a run, the optimizer's settings.
 * Invariant: what is written here reads back equal, the sign of zero included; whatever could not be read is not written.
 */
import { MicrogptError } from '../base/errors.js';
import { type Json, type JsonObject, parseJson } from '../base/json.js';
import { LIMITS } from '../base/limits.js';
import type { JsonValue } from './checkpoint.js';

/** JSON that our reader takes, with the sign of zero, which JSON.stringify drops. @throws MG_CKPT_FORMAT */
export function jsonText(value: JsonValue, what: string): string {
  const text = dump(value, 0);
  if (text === null) {
    const message = `${what} holds something that JSON does not: a number that is not finite, or too many levels`;
    throw new MicrogptError('MG_CKPT_FORMAT', message, 'keep plain and finite values only');
  }
  parseJson(text, what, 'MG_CKPT_FORMAT'); // names that the reader refuses
  return text;
}

function dump(value: JsonValue, depth: number): string | null {
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? null;
  if (depth >= LIMITS.jsonDepth) return null;
  const list = Array.isArray(value) ? (value as readonly JsonValue[]) : null;
  const items = list
    ? list.map((x) => dump(x, depth + 1))
    : Object.entries(value).map(([name, x]) => {
        const text = dump(x, depth + 1);
        return text === null ? null : `${JSON.stringify(name)}:${text}`;
      });
  if (items.includes(null)) return null;
  return list ? `[${items.join(',')}]` : `{${items.join(',')}}`;
}

/** The first number in a value that is not finite (the reader takes Python's NaN and Infinity), or null. */
export function firstNonFinite(value: Json): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : value;
  const inside =
    value instanceof Map ? (value as JsonObject).values() : Array.isArray(value) ? (value as readonly Json[]) : [];
  for (const x of inside) {
    const found = firstNonFinite(x);
    if (found !== null) return found;
  }
  return null;
}

/** The reader's Maps as plain objects; its names cannot touch a prototype. */
export function plain(value: Json): JsonValue {
  if (value instanceof Map) {
    return Object.fromEntries([...(value as JsonObject)].map(([name, x]) => [name, plain(x)]));
  }
  return Array.isArray(value) ? (value as readonly Json[]).map(plain) : (value as JsonValue);
}
