/**
 * Text as the model reads it, and how surprising each of its characters is.
 *
 * A text stands between two boundaries: BOS, or a newline for tokenizers that have no BOS. The second one, the end, is an event too: its
 * surprise counts. Bits per character = all bits / characters, as in training; an empty text counts as one character.
 * A character is a Unicode code point; with bytes as tokens, its surprise is the sum over its bytes.
 * A character that the model does not know has no probability. It counts as the least likely token there, plus log2(1,112,064) = 20.1
 * bits to say which of Unicode's characters it is: always more than any character that the model knows. The model does not read it.
 * Only where it is asked for (`foldCase`) does a capital count as its small letter, when the model knows that one alone.
 * Refuses to know: where logits come from. Invariant: never fails on any string.
 */
import { log } from '../base/math.js';
import type { Reader } from '../generate/scheduler.js';
import { inSmallLetters } from '../tokenizer/small-letters.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { type ReadingShape, readSequences } from './reading.js';
import { largestSurprise, NATS_PER_BIT, surprise } from './surprise.js';

/** Nats to say which character of Unicode it is (surrogates are none). */
export const WHICH_CHARACTER = log(1_112_064);

/** How surprising a character is. */
export interface CharacterScore {
  readonly text: string;
  readonly bits: number;
}

/** How surprising a text is to a model. */
export interface TextScore {
  readonly text: string;
  /** Surprise of the whole text and of its end, in bits. */
  readonly bits: number;
  readonly bitsPerCharacter: number;
  /** The same as `bits`, as the logarithm of a probability, in nats: never above 0. */
  readonly logProbability: number;
  /** Of these bits, those of the end. */
  readonly endBits: number;
  /** How many characters the model does not know. */
  readonly unknown: number;
  /** One per character; only when asked for. */
  readonly characters?: readonly CharacterScore[] | undefined;
}

/** How texts are scored, and how much is said of them. */
export interface ScoreDetail {
  /** Say of each character how surprising it is. */
  readonly perCharacter?: boolean | undefined;
  /** A capital that the model does not know counts as its small letter, where it knows that. */
  readonly foldCase?: boolean | undefined;
}

export interface ScoreShape extends Omit<ReadingShape, 'bosFirst'> {
  readonly tokenizer: Tokenizer;
}

/** A text as tokens between boundaries, and which characters they belong to. */
export interface EncodedText {
  readonly tokens: readonly number[];
  readonly characters: readonly string[];
  /** characters[i] has tokens firstToken[i] … firstToken[i + 1] − 1; none when it is unknown. */
  readonly firstToken: readonly number[];
  readonly unknown: number;
}

/** What stands before and after a text. */
export function boundaryOf(tokenizer: Tokenizer): number {
  return tokenizer.bos ?? tokenizer.encode('\n').ids[0];
}

export function encodeText(tokenizer: Tokenizer, text: string, foldCase = false): EncodedText {
  const boundary = boundaryOf(tokenizer);
  const tokens = [boundary];
  const characters = [...text];
  const firstToken: number[] = [];
  let unknown = 0;
  const whole = tokenizer.encode(text);
  const simple = tokenizer.kind === 'char' && whole.unknown.length === 0;
  for (const [i, character] of characters.entries()) {
    firstToken.push(tokens.length);
    if (simple) tokens.push(whole.ids[i]);
    else {
      const { ids } = tokenizer.encode(foldCase ? inSmallLetters(tokenizer, character) : character);
      if (ids.length === 0) unknown++;
      tokens.push(...ids);
    }
  }
  firstToken.push(tokens.length);
  tokens.push(boundary);
  return { tokens, characters, firstToken, unknown };
}

/** Scores of texts, in their order. */
export function scoreTexts(
  reader: Reader,
  texts: readonly string[],
  { tokenizer, blockSize, vocabSize }: ScoreShape,
  { perCharacter = false, foldCase = false }: ScoreDetail = {},
): TextScore[] {
  const encoded = texts.map((text) => encodeText(tokenizer, text, foldCase));
  // Nats of each token, and where characters are unknown those of the least likely one.
  const nats = encoded.map(({ tokens }) => new Float64Array(tokens.length));
  const least = encoded.map(({ tokens, unknown }) => (unknown === 0 ? null : new Float64Array(tokens.length)));
  const sequences = encoded.map(({ tokens }) => tokens);
  const shape = { blockSize, vocabSize, bosFirst: tokenizer.bos !== null };
  readSequences(reader, sequences, shape, (sequence, next, logits, at) => {
    nats[sequence][next] = surprise(logits, at, vocabSize, sequences[sequence][next]);
    const bounds = least[sequence];
    if (bounds !== null) bounds[next] = largestSurprise(logits, at, vocabSize);
  });
  return encoded.map((one, i) => textScore(texts[i], one, nats[i], least[i], perCharacter));
}

function textScore(
  text: string,
  { tokens, characters, firstToken, unknown }: EncodedText,
  nats: Float64Array,
  least: Float64Array | null,
  perCharacter: boolean,
): TextScore {
  const each: CharacterScore[] = [];
  let sum = 0;
  for (let i = 0; i < characters.length; i++) {
    let own = 0;
    for (let token = firstToken[i]; token < firstToken[i + 1]; token++) own += nats[token];
    if (firstToken[i] === firstToken[i + 1]) own = (least?.[firstToken[i]] ?? 0) + WHICH_CHARACTER;
    sum += own;
    if (perCharacter) each.push({ text: characters[i], bits: own / NATS_PER_BIT });
  }
  const end = nats[tokens.length - 1];
  sum += end;
  const bits = sum / NATS_PER_BIT;
  return {
    text,
    bits,
    bitsPerCharacter: bits / Math.max(1, characters.length),
    logProbability: -sum,
    endBits: end / NATS_PER_BIT,
    unknown,
    ...(perCharacter ? { characters: each } : {}),
  };
}
