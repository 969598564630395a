// What the tests of hostile texts share: the error that something throws, and the ids of a corpus.
import type { MicrogptError } from '../src/base/errors.js';
import type { CorpusOptions, TextCorpus } from '../src/data/corpus.js';

export const LINES: CorpusOptions = { format: 'lines', source: 'data/x.txt' };

export function errorOf(run: () => unknown): Pick<MicrogptError, 'code' | 'message' | 'exitCode'> {
  try {
    run();
  } catch (error) {
    const { code, message, exitCode } = error as MicrogptError;
    return { code, message, exitCode };
  }
  throw new Error('nothing was thrown');
}

export const idsOf = ({ train }: TextCorpus) =>
  train.kind === 'documents'
    ? Array.from({ length: train.count }, (_, i) => [...train.document(i).tokens])
    : [...train.read(0, train.length)];
