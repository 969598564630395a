/**
 * All that is demanded of a text (patterns and lengths) as one automaton over tokens, with the fewest tokens from each state to a text
 * that may end. From that follows what may come next, so that a text that is begun can always be finished.
 * Refuses to know: models, and which tokens end a text. Invariant: as long as only allowed tokens are taken, `distance` is at most the
 * number of tokens that are left.
 */
import { type Alphabet, type Automaton, compile, intervalOf, tooLarge } from './automaton.js';
import { ANY_TEXT, literal, type Pattern, parsePattern, sequence } from './pattern.js';
import { bytesOf } from './utf8.js';

/** What a text has to be like. */
export interface Demands {
  /** In characters (code points), prompt included. */
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly startsWith?: string | undefined;
  readonly endsWith?: string | undefined;
  /** A pattern that the whole text has to match; see pattern.ts. */
  readonly matches?: string | undefined;
}

export interface Acceptor {
  /** After the prompt; −1 when nothing that begins so can meet the demands. */
  readonly start: number;
  next(state: number, token: number): number;
  accepts(state: number): boolean;
  /** Fewest tokens to a text that may end; Infinity when there is no way. */
  distance(state: number): number;
}

/** What the tokens stand for: the symbol of each (a code point or a byte), −1 for those that must not occur. */
export interface TokenSymbols {
  readonly alphabet: Alphabet;
  readonly symbols: Int32Array; // [V]
}

const MOST_STATES = 200_000;
const MOST_STEPS = 20_000_000;

export function symbolsOf(text: string, alphabet: Alphabet): number[] {
  const codes = [...text].map((c) => c.codePointAt(0)!);
  return alphabet === 'bytes' ? codes.flatMap(bytesOf) : codes;
}

/** Patterns that all have to match. */
function patternsOf({ startsWith, endsWith, matches }: Demands, alphabet: Alphabet): Pattern[] {
  const out: Pattern[] = [];
  if (startsWith !== undefined) out.push(sequence(literal(startsWith), ANY_TEXT));
  if (endsWith !== undefined) out.push(sequence(ANY_TEXT, literal(endsWith)));
  if (matches !== undefined) out.push(parsePattern(matches));
  // Whatever else is asked for, bytes have to come out as characters.
  if (alphabet === 'bytes' || out.length === 0) out.push(ANY_TEXT);
  return out;
}

/** @throws MG_GEN_PATTERN when a pattern cannot be read, or all of them together get too large. */
export function createAcceptor(demands: Demands, { alphabet, symbols }: TokenSymbols, prompt: string): Acceptor {
  const automata = patternsOf(demands, alphabet).map((pattern) => compile(pattern, alphabet));
  const counter = createCounter(demands, alphabet);
  const parts: readonly Walker[] = [...automata, counter];
  let from: number[] | null = parts.map((part) => part.start);
  for (const symbol of symbolsOf(prompt, alphabet)) from = from && step(parts, from, symbol);

  const { classOf, samples } = classesOf(automata, symbols, alphabet);
  const { transitions, accepting } = explore(parts, from, samples);
  const distances = distancesOf(transitions, accepting, samples.length);
  return {
    start: from === null ? -1 : 0,
    next: (state, token) => (classOf[token] < 0 ? -1 : transitions[state * samples.length + classOf[token]]),
    accepts: (state) => accepting[state],
    distance: (state) => distances[state],
  };
}

type Walker = Pick<Automaton, 'start' | 'next' | 'accepts'>;

/** States that all go on, or null when one of them cannot. */
function step(parts: readonly Walker[], states: readonly number[], symbol: number): number[] | null {
  const out: number[] = [];
  for (let i = 0; i < parts.length; i++) {
    const next = parts[i].next(states[i], symbol);
    if (next < 0) return null;
    out.push(next);
  }
  return out;
}

/** Counts characters as far as it matters: beyond the most allowed it fails, beyond the fewest needed it stands still. */
function createCounter({ minLength = 0, maxLength }: Demands, alphabet: Alphabet): Walker {
  const cap = maxLength ?? minLength;
  return {
    start: 0,
    next(length, symbol) {
      if (alphabet === 'bytes' && (symbol & 0xc0) === 0x80) return length; // inside a character
      if (length < cap) return length + 1;
      return maxLength === undefined ? cap : -1;
    },
    accepts: (length) => length >= minLength,
  };
}

/** Tokens that no automaton tells apart share a class: its number for each token, and one symbol of each. */
function classesOf(automata: readonly Automaton[], symbols: Int32Array, alphabet: Alphabet) {
  const known = new Map<string, number>();
  const samples: number[] = [];
  const classOf = Int32Array.from(symbols, (symbol) => {
    if (symbol < 0) return -1;
    const inside = alphabet === 'bytes' && (symbol & 0xc0) === 0x80; // the counter tells these from others
    const key = `${inside} ${automata.map(({ edges }) => intervalOf(edges, symbol)).join()}`;
    let found = known.get(key);
    if (found === undefined) {
      found = samples.push(symbol) - 1;
      known.set(key, found);
    }
    return found;
  });
  return { classOf, samples };
}

/** All states that can be reached, breadth first: where each class leads from each, −1 for nowhere. */
function explore(parts: readonly Walker[], start: readonly number[] | null, samples: readonly number[]) {
  const transitions: number[] = [];
  const accepting: boolean[] = [];
  const states: (readonly number[])[] = [];
  const known = new Map<string, number>();
  function numberOf(state: readonly number[]): number {
    const key = state.join();
    let found = known.get(key);
    if (found === undefined) {
      if (states.length >= MOST_STATES) throw tooLarge('what is demanded of samples', MOST_STATES);
      found = states.push(state) - 1;
      accepting.push(state.every((s, i) => parts[i].accepts(s)));
      known.set(key, found);
    }
    return found;
  }
  if (start !== null) numberOf(start);
  for (let at = 0; at < states.length; at++) {
    for (const symbol of samples) {
      const to = step(parts, states[at], symbol);
      transitions.push(to === null ? -1 : numberOf(to));
    }
    if (transitions.length > MOST_STEPS) throw tooLarge('what is demanded of samples', states.length);
  }
  return { transitions: Int32Array.from(transitions), accepting };
}

/** Breadth first backwards from the states that accept. */
function distancesOf(transitions: Int32Array, accepting: readonly boolean[], classes: number): Float64Array {
  const count = accepting.length;
  const starts = new Int32Array(count + 1); // sources of the arrows into each state
  for (const to of transitions) if (to >= 0) starts[to + 1]++;
  for (let s = 0; s < count; s++) starts[s + 1] += starts[s];
  const sources = new Int32Array(starts[count]);
  const filled = starts.slice();
  for (let i = 0; i < transitions.length; i++)
    if (transitions[i] >= 0) sources[filled[transitions[i]]++] = Math.floor(i / classes);

  const distances = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  const queue: number[] = [];
  for (let s = 0; s < count; s++) {
    if (!accepting[s]) continue;
    distances[s] = 0;
    queue.push(s);
  }
  for (let at = 0; at < queue.length; at++) {
    const to = queue[at];
    for (let i = starts[to]; i < starts[to + 1]; i++) {
      if (distances[sources[i]] !== Number.POSITIVE_INFINITY) continue;
      distances[sources[i]] = distances[to] + 1;
      queue.push(sources[i]);
    }
  }
  return distances;
}
