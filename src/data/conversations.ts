/**
 * A line of JSON → the turns of a conversation: [{"role": "user", "content": "…"}, …], or {"messages": [that]}. Other fields are ignored.
 * Refuses to know: tokens. Invariant: what stands in a content is text, whatever it looks like.
 */
import { count } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { type Json, parseJson } from '../base/json.js';

export interface Turn {
  readonly role: 'user' | 'assistant';
  readonly text: string;
}

/** @throws MG_CHAT_LINE with the number of the line and what is wrong in it. */
export function conversationFrom(line: string, source: string, number: number): Turn[] {
  const place = `${source}, line ${count(number)}`;
  const json = parse(line, place);
  const list: Json | undefined = json instanceof Map ? json.get('messages') : json;
  if (!Array.isArray(list)) throw bad(place, `${kind(json)} that is no conversation`);
  return list.map((message: Json, i) => turnFrom(message, `${place}, message ${i + 1}`));
}

function parse(line: string, place: string): Json {
  try {
    return parseJson(line, place, 'MG_CHAT_LINE');
  } catch (error) {
    if (error instanceof MicrogptError) throw bad(error.message);
    throw error;
  }
}

function turnFrom(message: Json, place: string): Turn {
  if (!(message instanceof Map)) throw bad(place, `${kind(message)}, expected an object with role and content`);
  const role = message.get('role');
  if (role !== 'user' && role !== 'assistant') {
    throw bad(place, `role ${role === undefined ? 'is missing,' : `${shown(role)} is not`} one of user, assistant`);
  }
  const text = message.get('content');
  if (typeof text !== 'string') throw bad(place, `content is ${kind(text)}, expected a text`);
  if (text === '') throw bad(place, 'content is empty');
  return { role, text };
}

function kind(json: Json | undefined): string {
  if (json === undefined) return 'missing';
  if (json === null) return 'null';
  if (json instanceof Map) return 'an object';
  if (Array.isArray(json)) return 'a list';
  return typeof json === 'string' ? 'a text' : `a ${typeof json}`;
}

function shown(json: Json): string {
  return typeof json === 'string' ? JSON.stringify(json.slice(0, 40)) : kind(json);
}

function bad(...parts: string[]): MicrogptError {
  return new MicrogptError(
    'MG_CHAT_LINE',
    parts.join(': '),
    'each line is a list of messages, {"role": "user" or "assistant", "content": "…"}; correct the line or take it out',
  );
}
