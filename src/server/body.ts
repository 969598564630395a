/**
 * The body of a request as a value: bounded, UTF-8, strict JSON.
 * Refuses to know: what the value means. Invariants: no more is held of a body than its limit; what is too deep or has too many values is
 * refused before it is built, so that no body keeps the event loop for more than a few milliseconds.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { type Json, parseJson } from '../base/json.js';
import { LIMITS } from '../base/limits.js';
import { REQUEST_LIMITS } from './limits.js';
import { Refusal } from './refusal.js';

/** What JSON can hold. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain };

export interface Body {
  readonly text: string;
  readonly value: Plain;
}

/** @throws Refusal 400, 413, 415 */
export async function readJson(request: Request, most: number): Promise<Body> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    const found = type === '' ? 'none' : type.slice(0, 80);
    throw new Refusal(
      415,
      'unsupported_media_type',
      `the content type has to be application/json, got ${found}`,
      CLOSE,
    );
  }
  const text = await readText(request, most);
  return { text, value: parseStrictly(text) };
}

/** The text of a body. @throws Refusal 400, 413, 415 */
export async function readText(request: Request, most: number): Promise<string> {
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (encoding.trim().toLowerCase() !== 'identity') {
    throw new Refusal(415, 'unsupported_encoding', 'a packed body is not taken: send it as it is', CLOSE);
  }
  const bytes = await readBytes(request, most);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal(400, 'invalid_utf8', 'the body is not UTF-8');
  }
}

/** A body that says its length is read in one go: whoever hands it over holds it to its word, and it takes a third of the time. */
async function readBytes(request: Request, most: number): Promise<Uint8Array> {
  const declared = request.headers.get('content-length');
  if (Number(declared) > most) throw tooLarge(most);
  if (declared !== null) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.length > most) throw tooLarge(most);
    return bytes;
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  if (request.body !== null) {
    const reader = request.body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const part = next.value as Uint8Array;
      length += part.length;
      if (length > most) {
        reader.cancel().catch(() => {});
        throw tooLarge(most);
      }
      parts.push(part);
    }
  }
  return parts.length === 1 ? parts[0] : joined(parts, length);
}

const CLOSE = { headers: { connection: 'close' } } as const;

const tooLarge = (most: number) =>
  new Refusal(413, 'body_too_large', `the body is larger than ${count(most)} bytes`, CLOSE);

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** More commas than that outside of texts; looked for without parsing anything, which takes a thirtieth of the time. */
function holdsMore(text: string, most: number): boolean {
  if (text.length <= most) return false;
  let commas = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === COMMA) {
      if (++commas > most) return true;
    } else if (c === QUOTE) {
      at++;
      while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
    }
  }
  return false;
}

const [COMMA, QUOTE, BACKSLASH] = [0x2c, 0x22, 0x5c];

/** @throws Refusal 400 */
export function parseStrictly(text: string): Plain {
  if (text.trim() === '') throw new Refusal(400, 'empty_body', 'the body is empty, expected a JSON object');
  if (holdsMore(text, REQUEST_LIMITS.values)) {
    const most = count(REQUEST_LIMITS.values);
    throw new Refusal(400, 'invalid_json', `the body holds more than ${most} values, which is the most`);
  }
  try {
    return plain(parseJson(text, 'the body', 'MG_OPTION_VALUE'));
  } catch (error) {
    if (!(error instanceof MicrogptError)) throw error;
    const message = error.message.replace('the file ends', 'it ends');
    throw new Refusal(400, 'invalid_json', message);
  }
}

/** Maps as plain objects; the reader has refused names that mean something to JavaScript, and nesting beyond LIMITS.jsonDepth. */
function plain(json: Json): Plain {
  if (typeof json === 'number') {
    if (Number.isFinite(json)) return json;
    throw new Refusal(400, 'invalid_json', `the body holds ${json}, which is no number of JSON, or too large a one`);
  }
  if (json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map(plain);
  const out: Record<string, Plain> = {};
  for (const [name, value] of json as ReadonlyMap<string, Json>) out[name] = plain(value);
  return out;
}

export const MOST_DEPTH: number = LIMITS.jsonDepth;
