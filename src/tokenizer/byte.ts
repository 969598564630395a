/**
 * The 256 bytes of UTF-8 as tokens: knows any text, and any file. No special tokens unless conversations need them.
 * Invariant: id = byte for ids below 256, as in every byte-level checkpoint.
 */
import type { RoleTokens, Tokenizer } from './tokenizer.js';

const PIECES = Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`,
);

const NO_SPECIALS: { readonly bos: number | null; readonly roles: RoleTokens | null } = { bos: null, roles: null };

/** Ids 0 … 255 are bytes; special tokens, if any, come after them: user, assistant, end of turn, BOS. */
export function createByteTokenizer(specials: 'none' | 'bos' | 'chat' = 'none'): Tokenizer {
  const { bos, roles } =
    specials === 'none'
      ? NO_SPECIALS
      : specials === 'bos'
        ? { bos: 256, roles: null }
        : { roles: { user: 256, assistant: 257, end: 258 }, bos: 259 };
  const count = specials === 'none' ? 0 : specials === 'bos' ? 1 : 4;
  const encoder = new TextEncoder();
  return {
    kind: 'byte',
    size: 256 + count,
    bos,
    roles,
    pieces: [...PIECES, ...Array.from({ length: count }, () => null)],
    encode: (text) => ({ ids: [...encoder.encode(text)], unknown: [] }),
    decode: (ids) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytesOf(ids))),
    decoder() {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      return {
        push: (id) => (id < 256 ? decoder.decode(Uint8Array.of(id), { stream: true }) : ''),
        end: () => decoder.decode(),
      };
    },
  };
}

function* bytesOf(ids: Iterable<number>): Iterable<number> {
  for (const id of ids) if (id < 256) yield id;
}
