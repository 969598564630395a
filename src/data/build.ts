/**
 * Text → corpus, for texts in memory and, part by part, for files of any size: the same reader, encoder and writer either way.
 * Refuses to know: files. Invariant: the result depends on the bytes and the options, not on how the bytes were cut or where ids are kept.
 */
import { count, counted } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { refuse, requireNames } from '../base/options.js';
import { createByteTokenizer } from '../tokenizer/byte.js';
import { type ByteCounts, byteCorpus, countBytes } from './byte-corpus.js';
import { type Columns, memoryColumns } from './columns.js';
import { type Corpus, type CorpusFacts, type CorpusOptions, selectDocuments, type TextCorpus } from './corpus.js';
import { columnSink, createDocumentWriter, type DocumentWriter, type Written } from './document-writer.js';
import { byteEncoder, charEncoder, type Encoded, type Encoder, learningEncoder } from './encoder.js';
import { requireTextFile } from './file-kinds.js';
import { CORPUS_NAMES, requireCorpusOptions } from './options.js';
import { chatReader, linesReader, type TextReader } from './readers.js';
import { createSelection } from './selection.js';
import { tableReader } from './tables.js';
import { arrayStream, columnDocuments, columnStream, sliceStream, windowDocuments } from './token-documents.js';
import { createUtf8Decoder } from './utf8.js';
import { createSpaceCollapser } from './white-space.js';

/**
 * Takes a text part by part, the first of at least 512 bytes if there are as many, so that other kinds of files are recognised; `end` gives the
 * corpus. Not for `bytes`, whose tokens are the file itself.
 */
export interface CorpusBuilder {
  push(bytes: Uint8Array): void;
  end(file: { readonly bytes: number; readonly sha256: string | null }): TextCorpus;
}

/**
 * @throws MG_OPTION_VALUE; from push and end: MG_DATA_KIND, MG_DATA_UTF8, MG_DATA_EMPTY, MG_DATA_TOO_SMALL, MG_DATA_UNKNOWN,
 * MG_DATA_TABLE, MG_CHAT_LINE, MG_TOKENIZER_VOCAB
 */
export function createCorpusBuilder(options: CorpusOptions, columns: Columns): CorpusBuilder {
  requireCorpusOptions(options);
  const source = options.source ?? 'the data';
  const decoder = createUtf8Decoder(source, options.encoding ?? 'strict');
  let writer: DocumentWriter | null = null;
  const encoder = encoderFor(options, source, () => writer?.begun() ?? 0);
  const text = textParts(options, source, encoder, columns);
  writer = text.writer;
  let started = false;
  return {
    push(bytes) {
      if (!started && bytes.length > 0) requireTextFile(bytes, source, ', or take it as it is with --format bytes');
      started ||= bytes.length > 0;
      text.reader.push(decoder.push(bytes));
    },
    end({ bytes, sha256 }) {
      text.reader.push(decoder.end());
      text.reader.end();
      const written = text.finish();
      const encoded = encoder.finish();
      const notes = [
        ...(decoder.bom() ? ['a byte order mark at the start was removed'] : []),
        ...(decoder.replaced() > 0 ? [`${count(decoder.replaced())} places that are not UTF-8 became U+FFFD`] : []),
        ...(encoded.loneSurrogates > 0 ? [`${count(encoded.loneSurrogates)} halves of characters became U+FFFD`] : []),
        ...text.reader.notes(),
        ...unknownNote(encoded),
      ];
      const facts = { source, format: options.format, bytes, sha256, characters: encoded.characters, notes };
      requireContent(facts, written, encoded, typeof (options.tokenizer ?? 'char') !== 'object');
      return text.corpus(encoded, written, facts);
    },
  };
}

/** The corpus of a text in memory. @throws as createCorpusBuilder */
export function corpusFromText(text: string | Uint8Array, options: CorpusOptions): TextCorpus {
  if (typeof text !== 'string' && !(text instanceof Uint8Array)) refuse('the text', text, 'a text or its bytes');
  requireNames('corpusFromText', options, CORPUS_NAMES);
  requireCorpusOptions(options);
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  if (options.format === 'bytes') {
    const counts: ByteCounts = { of: new Float64Array(256) };
    countBytes(counts, bytes);
    return byteCorpus(arrayStream(Int32Array.from(bytes)), counts, options, null);
  }
  const builder = createCorpusBuilder(options, memoryColumns());
  builder.push(bytes);
  return builder.end({ bytes: bytes.length, sha256: null });
}

/** The corpus of texts that are documents already; nothing is cut from them. @throws as createCorpusBuilder */
export function corpusFromDocuments(
  documents: Iterable<string>,
  options: Omit<CorpusOptions, 'format'> = {},
): TextCorpus {
  if (typeof documents !== 'object' || !(Symbol.iterator in documents)) {
    refuse('documents', documents, 'a list of texts');
  }
  const { format: _, ...names } = CORPUS_NAMES;
  requireNames('corpusFromDocuments', options, names);
  const all: CorpusOptions = { ...options, format: 'lines' };
  requireCorpusOptions(all);
  const source = options.source ?? 'the data';
  const columns = memoryColumns();
  let writer: DocumentWriter | null = null;
  const encoder = encoderFor(all, source, () => writer?.begun() ?? 0);
  const parts = documentParts(all, source, encoder, columns);
  writer = parts.writer;
  for (const document of documents) {
    writer.text(document);
    writer.end();
  }
  const written = parts.finish();
  const encoded = encoder.finish();
  const facts = {
    source,
    format: all.format,
    bytes: 0,
    sha256: null,
    characters: encoded.characters,
    notes: unknownNote(encoded),
  };
  requireContent(facts, written, encoded, typeof (options.tokenizer ?? 'char') !== 'object');
  return parts.corpus(encoded, written, facts);
}

type Known = Pick<CorpusFacts, 'source' | 'format' | 'bytes' | 'sha256' | 'characters' | 'notes'>;

interface Parts {
  readonly reader: TextReader;
  readonly writer: DocumentWriter | null;
  finish(): Written;
  corpus(encoded: Encoded, written: Written, known: Known): TextCorpus;
}

function textParts(options: CorpusOptions, source: string, encoder: Encoder, columns: Columns): Parts {
  return options.format === 'chunked'
    ? proseParts(options, encoder, columns)
    : documentParts(options, source, encoder, columns);
}

function documentParts(
  options: CorpusOptions,
  source: string,
  encoder: Encoder,
  columns: Columns,
): Parts & { readonly writer: DocumentWriter } {
  const writer = createDocumentWriter(encoder, columns, options.heldOut ?? 0);
  const assistantOnly = options.format === 'chat' && (options.loss ?? 'assistant') === 'assistant';
  return {
    writer,
    reader: documentReader(options, source, writer),
    finish: writer.finish,
    corpus(encoded, written, known) {
      const { tokenizer, ids } = encoded;
      const stream = columnStream(columns, ids);
      const all = columnDocuments(columns, written.documents, stream, tokenizer.roles, assistantOnly);
      const { train, validation } = sides(all, written);
      const couldNot = (options.heldOut ?? 0) > 0 && validation === null;
      return {
        tokenizer,
        train,
        validation,
        facts: {
          ...known,
          documents: written.documents,
          heldOut: written.heldOut,
          tokens: written.tokens,
          longest: written.longest,
          alphabet: encoded.alphabet,
          unknown: encoded.unknown,
          leftOut: written.dropped,
          notes: [...known.notes, ...(couldNot ? ['all documents are the same: none is held out'] : [])],
        },
      };
    },
  };
}

function documentReader(options: CorpusOptions, source: string, writer: DocumentWriter): TextReader {
  const { format, column } = options;
  if (format === 'chat') return chatReader(writer, source);
  if (format !== 'csv' && format !== 'tsv') return linesReader(writer);
  const header = options.header ?? typeof column !== 'number';
  return tableReader(writer, { format, column, header, source });
}

function sides(all: Corpus, { documents, heldOut, isHeldOut }: Written): { train: Corpus; validation: Corpus | null } {
  if (heldOut === 0) return { train: all, validation: null };
  const of = (side: boolean) => {
    const selection = createSelection(documents, (i) => isHeldOut(i) === side);
    return selectDocuments(all, selection.count, selection.select);
  };
  return { train: of(false), validation: of(true) };
}

/** Prose: white space collapsed, one stream of tokens, and windows of it. */
function proseParts(options: CorpusOptions, encoder: Encoder, columns: Columns): Parts {
  const sink = columnSink(columns);
  const collapse = createSpaceCollapser();
  const size = options.chunkSize ?? 128;
  const step = Math.max(1, size - (options.chunkOverlap ?? Math.floor(size / 2)));
  return {
    writer: null,
    reader: {
      push: (part) => collapse(part, (text) => encoder.encode(text, sink)),
      end: () => sink.flush(),
      notes: () => [],
    },
    finish() {
      const tokens = sink.written;
      return {
        documents: tokens === 0 ? 0 : 1,
        dropped: 0,
        tokens,
        longest: tokens,
        heldOut: 0,
        isHeldOut: () => false,
      };
    },
    corpus(encoded, { tokens }, known) {
      const { tokenizer, ids } = encoded;
      const stream = columnStream(columns, ids);
      const border = tokens - Math.floor(tokens * (options.heldOut ?? 0));
      if (border < size) {
        throw new MicrogptError(
          'MG_DATA_TOO_SMALL',
          `${known.source} has ${counted(border, 'token')} to learn from, less than one chunk of ${count(size)}`,
          'use a longer text, smaller chunks, or --format lines',
        );
      }
      const after = (options.trailingBos ?? true) ? tokenizer.bos : null;
      const windows = { size, before: tokenizer.bos, after };
      // Python also drops windows of which less than half is left without the white space around them. After collapsing there are none:
      // at most one space stands at either end.
      const train = windowDocuments(sliceStream(stream, 0, border), { ...windows, step, rest: false });
      // What is held out is read once, without overlap, to its end.
      const tail = windowDocuments(sliceStream(stream, border, tokens), { ...windows, step: size, rest: true });
      return {
        tokenizer,
        train,
        validation: tail.count > 0 ? tail : null,
        facts: {
          ...known,
          documents: train.count + tail.count,
          heldOut: tail.count,
          tokens,
          longest: size + 1 + (after === null ? 0 : 1),
          alphabet: encoded.alphabet,
          unknown: encoded.unknown,
          leftOut: 0,
        },
      };
    },
  };
}

function encoderFor(options: CorpusOptions, source: string, documentsSoFar: () => number): Encoder {
  const { tokenizer = 'char', format } = options;
  if (tokenizer === 'char') return learningEncoder(format === 'chat' ? 'chat' : (options.bosPlace ?? 'last'), source);
  if (tokenizer === 'byte') return byteEncoder(createByteTokenizer(format === 'chat' ? 'chat' : 'bos'));
  if (tokenizer.kind === 'byte') return byteEncoder(tokenizer);
  return charEncoder(tokenizer, (character) => {
    if (options.unknown !== 'error') return;
    const where = format === 'chunked' ? '' : `, document ${count(documentsSoFar() + 1)}`;
    throw new MicrogptError(
      'MG_DATA_UNKNOWN',
      `${source}${where}: the tokenizer does not know ${named(character)}`,
      'leave such characters out with --unknown skip, or train a new model',
    );
  });
}

function requireContent(
  known: Known,
  written: Written,
  { alphabet, unknown, tokenizer }: Encoded,
  learned: boolean,
): void {
  const { source, bytes } = known;
  if (written.documents === 0) {
    throw new MicrogptError(
      'MG_DATA_EMPTY',
      unknown.count > 0
        ? `${source} has no character that the tokenizer knows (${count(unknown.count)} others)`
        : `${source} has no documents (${count(bytes)} ${bytes === 1 ? 'byte' : 'bytes'}${bytes > 0 ? ', all of them white space' : ''})`,
      'give a text with something to learn from, such as one example per line',
    );
  }
  if (learned && tokenizer.kind === 'char' && alphabet.length < 2) {
    throw new MicrogptError(
      'MG_DATA_TOO_SMALL',
      `${source} holds only the character ${JSON.stringify(alphabet[0]?.[0] ?? '')}: there is nothing to predict`,
      'give a text file with one example per line, the more the better',
    );
  }
}

function unknownNote({ unknown }: Encoded): string[] {
  if (unknown.count === 0) return [];
  const which = unknown.first.map(named).join(', ');
  return [
    `${count(unknown.count)} ${unknown.count === 1 ? 'character that the tokenizer does not know was' : 'characters that the tokenizer does not know were'} left out: ${which}${unknown.first.length === 8 ? ' …' : ''}`,
  ];
}

/** "é" (U+00E9) */
export function named(character: string): string {
  const hex = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return `${JSON.stringify(character)} (U+${hex})`;
}
