/**
 * Tokenizers as plain JSON, to travel inside checkpoints.
 *   {"kind": "char", "characters": ["a", "b"], "bos": 2}, and for conversations "roles": {"user": 2, "assistant": 3, "end": 4}
 *   {"kind": "byte", "specials": "none" | "bos" | "chat"}
 * Characters stand in the order of their ids; special tokens have the ids that the characters leave free.
 * Refuses to know: files. Invariant: tokenizerFromJson(tokenizerToJson(t)) gives every piece and every special token the same id.
 */
import { MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { createByteTokenizer } from './byte.js';
import { createCharTokenizer } from './char.js';
import type { RoleTokens, Tokenizer } from './tokenizer.js';

/** A tokenizer as plain JSON. */
export type TokenizerJson =
  | {
      readonly kind: 'char';
      readonly characters: readonly string[];
      readonly bos: number;
      readonly roles?: { readonly user: number; readonly assistant: number; readonly end: number };
    }
  | { readonly kind: 'byte'; readonly specials: 'none' | 'bos' | 'chat' };

/** A tokenizer as plain JSON, for `tokenizerFromJson`. @throws MG_TOKENIZER_INVALID for a char tokenizer without BOS, which the form cannot hold. */
export function tokenizerToJson(tokenizer: Tokenizer): TokenizerJson {
  const { kind, bos, roles, pieces } = tokenizer;
  if (kind === 'byte') return { kind, specials: bos === null ? 'none' : roles === null ? 'bos' : 'chat' };
  if (bos === null) throw invalid('a char tokenizer without BOS', 'one with BOS');
  const characters = pieces.filter((piece) => piece !== null);
  if (roles === null) return { kind, characters, bos };
  const { user, assistant, end } = roles;
  return { kind, characters, bos, roles: { user, assistant, end } };
}

/**
 * Reads what `tokenizerToJson` made, from JSON.parse or from parseJson (whose objects are Maps). Nothing may be missing, nothing more there.
 * @throws MG_TOKENIZER_INVALID
 */
export function tokenizerFromJson(json: unknown): Tokenizer {
  const fields = fieldsOf(json, 'the tokenizer');
  const kind = fields.get('kind');
  if (kind === 'byte') {
    requireFields(fields, ['kind', 'specials'], 'a byte tokenizer');
    const specials = fields.get('specials');
    if (specials !== 'none' && specials !== 'bos' && specials !== 'chat') {
      throw invalid(`specials is ${shown(specials)}`, '"none", "bos" or "chat"');
    }
    return createByteTokenizer(specials);
  }
  if (kind !== 'char') throw invalid(`kind is ${shown(kind)}`, '"char" or "byte"');
  const known = fields.has('roles') ? ['kind', 'characters', 'bos', 'roles'] : ['kind', 'characters', 'bos'];
  requireFields(fields, known, 'a char tokenizer');
  const characters = fields.get('characters');
  if (!Array.isArray(characters)) throw invalid(`characters is ${shown(characters)}`, 'a list');
  const roles = fields.has('roles') ? rolesFrom(fields.get('roles')) : null;
  const bos = whole(fields.get('bos'), 'bos');
  return createCharTokenizer(withSpecials(characters, bos, roles), roles);
}

/** The list of pieces: null at the ids of special tokens, the characters at all others. */
function withSpecials(characters: readonly unknown[], bos: number, roles: RoleTokens | null): (string | null)[] {
  const specials = new Set(roles === null ? [bos] : [bos, roles.user, roles.assistant, roles.end]);
  if (roles !== null && specials.size < 4) throw invalid('two special tokens with the same id', 'an id for each');
  const size = characters.length + specials.size;
  if (size > LIMITS.vocabSize) throw invalid(`${size} tokens`, `at most ${LIMITS.vocabSize}`);
  for (const id of specials) if (id >= size) throw invalid(`special token ${id} of ${size}`, `ids below ${size}`);
  let next = 0;
  return Array.from({ length: size }, (_, id) => {
    if (specials.has(id)) return null;
    const character = characters[next++];
    if (typeof character !== 'string') throw invalid(`character ${next - 1} is ${shown(character)}`, 'a string');
    return character;
  });
}

function rolesFrom(json: unknown): RoleTokens {
  const fields = fieldsOf(json, 'roles');
  requireFields(fields, ['user', 'assistant', 'end'], 'roles');
  const id = (name: string) => whole(fields.get(name), `roles.${name}`);
  return { user: id('user'), assistant: id('assistant'), end: id('end') };
}

function fieldsOf(json: unknown, name: string): ReadonlyMap<unknown, unknown> {
  if (json instanceof Map) return json;
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalid(`${name} is ${shown(json)}`, 'an object');
  }
  return new Map(Object.entries(json));
}

function requireFields(fields: ReadonlyMap<unknown, unknown>, names: readonly string[], what: string): void {
  for (const name of names) if (!fields.has(name)) throw invalid(`${what} without ${name}`, names.join(', '));
  for (const name of fields.keys()) {
    if (!names.some((n) => n === name)) throw invalid(`${what} with ${shown(name)}`, names.join(', '));
  }
}

function whole(json: unknown, name: string): number {
  if (typeof json === 'number' && Number.isInteger(json) && json >= 0) return json;
  throw invalid(`${name} is ${shown(json)}`, 'an id: a whole number from 0');
}

/** A value in a message: short, and never deep. */
function shown(json: unknown): string {
  if (json instanceof Map) return 'an object';
  if (json !== null && typeof json === 'object') return Array.isArray(json) ? 'a list' : 'an object';
  return json === undefined ? 'missing' : JSON.stringify(json).slice(0, 40);
}

function invalid(found: string, expected: string): MicrogptError {
  return new MicrogptError(
    'MG_TOKENIZER_INVALID',
    `the tokenizer cannot be read: ${found}, expected ${expected}`,
    'use a file that is whole and unchanged',
  );
}
