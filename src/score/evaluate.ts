/**
 * How well a model predicts a text: loss, perplexity, bits per character, how often the next token is among its first guesses.
 * Every token counts once, whatever the length; the end of each document too, the boundary in front not.
 * Characters that the model does not know are no tokens: they do not count in loss and accuracy. In bits per character they do (text.ts).
 */
import { exp } from '../base/math.js';
import type { Reader } from '../generate/scheduler.js';
import { readSequences } from './reading.js';
import { largestSurprise, NATS_PER_BIT, rank, surprise } from './surprise.js';
import { encodeText, type ScoreShape, WHICH_CHARACTER } from './text.js';

/** How well a model predicts texts. */
export interface Evaluation {
  /** Tokens that were predicted. */
  readonly tokens: number;
  /** Unicode code points among them; the ends of documents are none. */
  readonly characters: number;
  /** Mean surprise of a token, nats. */
  readonly loss: number;
  readonly perplexity: number;
  readonly bitsPerCharacter: number;
  /** Share of tokens that the model found likeliest, and among the five likeliest. */
  readonly top1: number;
  readonly top5: number;
  /** Characters that the model does not know. */
  readonly unknown: number;
}

/** Texts are read in groups, so that a large file does not become one large list of numbers. */
const GROUP = 1024;

/** Documents, each between its boundaries. */
export function evaluateTexts(
  reader: Reader,
  texts: readonly string[],
  { tokenizer, blockSize, vocabSize }: ScoreShape,
): Evaluation {
  const tally = createTally(vocabSize);
  const shape = { blockSize, vocabSize, bosFirst: tokenizer.bos !== null };
  for (let from = 0; from < texts.length; from += GROUP) {
    const encoded = texts.slice(from, from + GROUP).map((text) => encodeText(tokenizer, text));
    // How many unknown characters stand right before each token.
    const unknownBefore = encoded.map(({ tokens, characters, firstToken, unknown }) => {
      if (unknown === 0) return null;
      const before = new Int32Array(tokens.length);
      for (let i = 0; i < characters.length; i++) if (firstToken[i] === firstToken[i + 1]) before[firstToken[i]]++;
      return before;
    });
    const sequences = encoded.map(({ tokens }) => tokens);
    readSequences(reader, sequences, shape, (sequence, next, logits, at) => {
      tally.add(logits, at, sequences[sequence][next]);
      const unknown = unknownBefore[sequence]?.[next] ?? 0;
      if (unknown > 0) tally.addUnknown(unknown, largestSurprise(logits, at, vocabSize) + WHICH_CHARACTER);
    });
    for (const { characters } of encoded) tally.characters += characters.length;
  }
  return tally.result();
}

/** A sequence as a model learns from it, special tokens and all: 1 where the token is a target that counts, null where all do. */
export interface CountedSequence {
  readonly tokens: ArrayLike<number>;
  readonly counts: ArrayLike<number> | null;
}

/** Sequences of which not every token is of interest, as conversations, of which only the assistant's words are. */
export function evaluateSequences(
  reader: Reader,
  count: number,
  sequenceAt: (i: number) => CountedSequence,
  { tokenizer, blockSize, vocabSize }: ScoreShape,
): Evaluation {
  const tally = createTally(vocabSize);
  const shape = { blockSize, vocabSize, bosFirst: tokenizer.bos !== null };
  for (let from = 0; from < count; from += GROUP) {
    const group = Array.from({ length: Math.min(GROUP, count - from) }, (_, i) => sequenceAt(from + i));
    const sequences = group.map(({ tokens }) => tokens);
    readSequences(reader, sequences, shape, (sequence, next, logits, at) => {
      const { tokens, counts } = group[sequence];
      if (counts !== null && counts[next] === 0) return;
      tally.add(logits, at, tokens[next]);
      if (isCharacter(tokenizer, tokens[next])) tally.characters++;
    });
  }
  return tally.result();
}

/** One long stream of tokens, as of a file read as bytes. The first has nothing before it and does not count. */
export function evaluateStream(
  reader: Reader,
  tokens: ArrayLike<number>,
  { blockSize, vocabSize, tokenizer }: ScoreShape,
): Evaluation {
  const tally = createTally(vocabSize);
  readSequences(reader, [tokens], { blockSize, vocabSize, bosFirst: false }, (_sequence, next, logits, at) => {
    const token = tokens[next];
    tally.add(logits, at, token);
    if (isCharacter(tokenizer, token)) tally.characters++;
  });
  return tally.result();
}

/** Whether a character begins with this token: no special one, and none of the bytes 10xxxxxx, which go on with one that has begun. */
function isCharacter({ kind, pieces }: ScoreShape['tokenizer'], token: number): boolean {
  return kind === 'byte' ? token < 256 && (token & 0xc0) !== 0x80 : pieces[token] !== null;
}

function createTally(vocabSize: number) {
  let tokens = 0;
  let nats = 0;
  let [first, firstFive] = [0, 0];
  let [unknown, unknownNats] = [0, 0];
  return {
    characters: 0,
    add(logits: ArrayLike<number>, at: number, token: number): void {
      const place = rank(logits, at, vocabSize, token);
      nats += surprise(logits, at, vocabSize, token);
      tokens++;
      if (place === 0) first++;
      if (place < 5) firstFive++;
    },
    addUnknown(count: number, each: number): void {
      unknown += count;
      unknownNats += count * each;
    },
    result(): Evaluation {
      const loss = nats / Math.max(1, tokens);
      return {
        tokens,
        characters: this.characters,
        loss,
        perplexity: exp(loss),
        bitsPerCharacter: (nats + unknownNats) / NATS_PER_BIT / Math.max(1, this.characters),
        top1: first / Math.max(1, tokens),
        top5: firstFive / Math.max(1, tokens),
        unknown,
      };
    },
  };
}
