/**
 * From the events of samples to what the field's API says of them: text, reasons to finish, log-probabilities, counts of tokens.
 * Refuses to know: requests, which of the two forms an answer takes. Invariant: the pieces of a sample, one after the other, are the same
 * however they are put into chunks and whatever else runs.
 */
import type { Model } from '../engine/plan.js';
import type { TokenLogprob } from '../engine/prompt-logprobs.js';
import type { SampleEvent } from '../engine/samples.js';
import type { TextStream } from '../tokenizer/tokenizer.js';

export interface WrittenToken {
  readonly text: string;
  readonly bytes: readonly number[] | null;
  readonly logprob: number | null;
}

/** A token that was written, with the likeliest ones of its place. */
export interface ScoredToken extends WrittenToken {
  readonly likely: readonly WrittenToken[];
}

/** More of a sample. */
export interface Piece {
  /** From 0. */
  readonly sample: number;
  readonly text: string;
  /** Of the tokens whose text has come with this piece or before. */
  readonly tokens: readonly ScoredToken[];
  readonly finish: 'stop' | 'length' | null;
}

/** In the place of a token that the model does not have, such as of a text that was not written by it. */
export const UNKNOWN = -1;

/** Counts the tokens of all samples of an answer. */
export interface Counter {
  completion: number;
}

/** Samples as pieces; each sample's in its order. */
export async function* pieces(
  events: AsyncIterable<SampleEvent>,
  model: Model,
  counter: Counter,
): AsyncGenerator<Piece, void, undefined> {
  const samples = new Map<number, Sample>();
  for await (const event of events) {
    if (event.token === null && event.end === null) continue; // the prompt
    let state = samples.get(event.sample);
    if (state === undefined) {
      state = { decoder: model.tokenizer.decoder(), drawn: 0, given: 0, held: [] };
      samples.set(event.sample, state);
    }
    if (event.token !== null) counter.completion++;
    yield pieceOf(event, state, model);
    if (event.end !== null) samples.delete(event.sample);
  }
}

interface Sample {
  readonly decoder: TextStream;
  /** UTF-16 units of text of the tokens so far, and of what was given out. */
  drawn: number;
  given: number;
  /** Tokens whose text is held back, because it may begin a stop string. */
  held: { readonly at: number; readonly token: ScoredToken }[];
}

function pieceOf({ sample, text, token, logprob, likely, end }: SampleEvent, state: Sample, model: Model): Piece {
  if (token !== null && logprob !== undefined) {
    const shown = (one: TokenLogprob) =>
      one.token === UNKNOWN ? unknown(text, one.logprob) : written(model, one.token, one.logprob);
    const scored = { ...shown({ token, logprob }), likely: (likely ?? []).map(shown) };
    state.held.push({ at: state.drawn, token: scored });
    state.drawn += token === UNKNOWN ? text.length : state.decoder.push(token).length;
  }
  state.given += text.length;
  const all = end !== null && end !== 'stopped'; // no stop string cut anything off
  const count = state.held.findIndex(({ at }) => !all && at >= state.given);
  const out = count < 0 ? state.held.splice(0) : state.held.splice(0, count);
  return {
    sample,
    text,
    tokens: out.map((one) => one.token),
    finish: end === null ? null : end === 'length' || end === 'context' ? 'length' : 'stop',
  };
}

/** How a character is shown that is no token of the model. */
export const unknown = (text: string, logprob: number | null): WrittenToken => ({
  text,
  bytes: [...new TextEncoder().encode(text)],
  logprob,
});

/** How a token is shown: its text; bytes that are no text alone as OpenAI shows them; special tokens by their names. */
export function written(model: Model, token: number, logprob: number | null): WrittenToken {
  const { kind, bos, roles, pieces } = model.tokenizer;
  if (pieces[token] === null) {
    const names = new Map([
      [bos, '<BOS>'],
      [roles?.user, '<user>'],
      [roles?.assistant, '<assistant>'],
      [roles?.end, '<end>'],
    ]);
    return { text: names.get(token) ?? `<${token}>`, bytes: null, logprob };
  }
  if (kind === 'char') return { text: pieces[token], bytes: [...new TextEncoder().encode(pieces[token])], logprob };
  const text = token < 128 ? String.fromCharCode(token) : `bytes:\\x${token.toString(16)}`;
  return { text, bytes: [token], logprob };
}

/**
 * Pieces of several samples in one order that depends on the samples alone: the first of each, then the second of each, and so on.
 * (In which order they come depends on what else runs.)
 */
export async function* inTurns(source: AsyncIterable<Piece>, samples: number): AsyncGenerator<Piece, void, undefined> {
  if (samples === 1) {
    yield* source;
    return;
  }
  const waiting: Piece[][] = Array.from({ length: samples }, () => []);
  const going = Array.from({ length: samples }, () => true);
  let turn = 0;
  function* due(): Generator<Piece> {
    while (going.includes(true)) {
      if (going[turn]) {
        const piece = waiting[turn].shift();
        if (piece === undefined) return;
        going[turn] = piece.finish === null;
        yield piece;
      }
      turn = (turn + 1) % samples;
    }
  }
  for await (const piece of source) {
    waiting[piece.sample].push(piece);
    yield* due();
  }
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export const usageOf = (prompt: number, completion: number): Usage => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
});
