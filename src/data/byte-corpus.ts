/**
 * Any bytes as one stream of tokens: nothing is read into them, so nothing can be wrong with them. The tail of the stream is held out.
 * Refuses to know: where the bytes are.
 */
import { MicrogptError } from '../base/errors.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import type { CorpusOptions, TextCorpus, TokenStream } from './corpus.js';
import { sliceStream } from './token-documents.js';

/** How often each byte occurs. */
export interface ByteCounts {
  readonly of: Float64Array; // [256]
}

export function countBytes(counts: ByteCounts, bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) counts.of[bytes[i]]++;
}

/** @throws MG_DATA_EMPTY, MG_DATA_TOO_SMALL */
export function byteCorpus(
  stream: TokenStream,
  counts: ByteCounts,
  options: CorpusOptions,
  sha256: string | null,
): TextCorpus {
  const source = options.source ?? 'the data';
  const { length } = stream;
  if (length === 0)
    throw new MicrogptError('MG_DATA_EMPTY', `${source} is empty (0 bytes)`, 'give a file with something in it');
  const distinct = counts.of.filter((n) => n > 0).length;
  const given = typeof options.tokenizer === 'object' ? options.tokenizer : null;
  if (distinct < 2 && given === null) {
    const only = counts.of.findIndex((n) => n > 0);
    throw new MicrogptError(
      'MG_DATA_TOO_SMALL',
      `${source} holds only the byte ${only}: there is nothing to predict`,
      'give a file with something to learn from',
    );
  }
  const border = length - Math.floor(length * (options.heldOut ?? 0));
  const tail = length - border;
  return {
    tokenizer: given ?? createByteTokenizer(),
    train: sliceStream(stream, 0, border),
    validation: tail >= 2 ? sliceStream(stream, border, length) : null,
    facts: {
      source,
      format: 'bytes',
      bytes: length,
      sha256,
      documents: 1,
      heldOut: 0,
      tokens: length,
      characters: counts.of.reduce((sum, n, byte) => ((byte & 0xc0) === 0x80 ? sum : sum + n), 0),
      longest: length,
      alphabet: [],
      unknown: { count: 0, first: [] },
      leftOut: 0,
      notes: [],
    },
  };
}
