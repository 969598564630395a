/**
 * How a text of the page becomes a corpus, with the same settings as in a terminal.
 * Refuses to know: training. Invariant: the sha256 of the text is that of its bytes, so that a run goes on in either place.
 */
import { type Checkpoint, type CorpusOptions, corpusFromText, type Settings, sha256, type TextCorpus } from 'microgpt';
import type { Source } from './protocol';

/** How a text becomes examples; the rest of these settings has no part in it. */
type Reading = Pick<
  Settings['data'],
  'validation' | 'chunkSize' | 'chunkOverlap' | 'trailingBos' | 'lossOn' | 'encoding' | 'header'
>;

export function corpusOf(
  source: Source,
  reading: Reading,
  bosPlace: 'first' | 'last',
  tokenizer?: Checkpoint['tokenizer'],
): TextCorpus {
  const { name, bytes, format, column } = source;
  const asked: CorpusOptions = {
    format,
    source: name,
    bosPlace,
    tokenizer: tokenizer ?? (format === 'bytes' ? 'byte' : 'char'),
    encoding: reading.encoding,
    heldOut: reading.validation,
    chunkSize: reading.chunkSize,
    chunkOverlap: reading.chunkOverlap,
    trailingBos: reading.trailingBos,
    loss: reading.lossOn,
    ...(format === 'csv' || format === 'tsv' ? { column: columnOf(column), header: headerOf(reading) } : {}),
  };
  const corpus = corpusFromText(bytes, asked);
  return { ...corpus, facts: { ...corpus.facts, sha256: sha256(bytes) } };
}

/** The first column, unless another is asked for. */
function columnOf(column: string | null): string | number {
  if (column === null || column === '') return 1;
  return /^\d+$/.test(column) ? Number(column) : column;
}

/** A run from the command line may say whether the first row has names. */
const headerOf = ({ header }: Reading): boolean | undefined => (header === undefined ? undefined : header === 'yes');
