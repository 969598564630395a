/**
 * One text on its way through an acceptor, and around excluded texts: which tokens may come next.
 * Refuses to know: models and text. Invariant: whatever allowed token is drawn, the demands can still be met within the tokens that are
 * left; so a text that runs until nothing more may follow has met them.
 */
import type { Acceptor, TokenSymbols } from './acceptor.js';
import type { ExclusionNode } from './exclusions.js';

export interface Walk {
  /** Whether there is any way at all from here. */
  readonly possible: boolean;
  /** [V] 1 = may come next; for tokens that end the text: it may end here. Overwritten by the next call. */
  mask(): Uint8Array;
  /** Goes on by an allowed token. `false`: the demands are met and nothing may follow. */
  take(token: number): boolean;
}

export interface WalkPlan {
  readonly acceptor: Acceptor;
  readonly tokens: TokenSymbols;
  /** [V] 1 = ends the text. */
  readonly ends: Uint8Array;
  /** Most tokens that the text may still have. */
  readonly room: number;
}

/** Masks of states that are far from the end of their room: the same every time. */
export type MaskCache = Map<number, Uint8Array>;

/** `excluded` is where the prompt leads among the texts that must not come out. */
export function createWalk(
  { acceptor, tokens, ends, room }: WalkPlan,
  cache: MaskCache,
  excluded: ExclusionNode | null,
): Walk {
  const { symbols } = tokens;
  const V = symbols.length;
  let state = acceptor.start;
  let node = excluded;
  let left = room;
  let own: Uint8Array | null = null;
  let current: Uint8Array | null = null; // the mask here, once it was asked for

  const mayEnd = (s: number, at: ExclusionNode | null) => acceptor.accepts(s) && !at?.excluded;

  /** Whether the demands can be met from here with at most `most` more tokens. */
  function viable(s: number, at: ExclusionNode | null, most: number): boolean {
    if (acceptor.distance(s) > most) return false;
    if (at === null || mayEnd(s, at)) return true;
    // First the ways out of the tree, where nothing is excluded any more; then those inside.
    const inside: number[] = [];
    for (let token = 0; token < V; token++) {
      const next = acceptor.next(s, token);
      if (next < 0) continue;
      if (at.children.has(symbols[token])) inside.push(token);
      else if (acceptor.distance(next) <= most - 1) return true;
    }
    return inside.some((token) => viable(acceptor.next(s, token), at.children.get(symbols[token]) ?? null, most - 1));
  }

  function fill(out: Uint8Array): Uint8Array {
    const end = mayEnd(state, node) ? 1 : 0;
    for (let token = 0; token < V; token++) {
      if (ends[token] === 1) {
        out[token] = end;
        continue;
      }
      const next = acceptor.next(state, token);
      out[token] = next >= 0 && viable(next, node?.children.get(symbols[token]) ?? null, left - 1) ? 1 : 0;
    }
    return out;
  }

  function mask(): Uint8Array {
    current ??= findMask();
    return current;
  }

  function findMask(): Uint8Array {
    if (node === null && left > MOST_CACHED_DISTANCE) {
      let found = cache.get(state);
      if (found === undefined) {
        found = fill(new Uint8Array(V));
        if (cache.size * V < MOST_CACHED_BYTES && settled(found)) cache.set(state, found);
      }
      return found;
    }
    own ??= new Uint8Array(V);
    return fill(own);
  }

  /** Whether a mask made with this much room is that of any larger room: every way that leads anywhere is in it. */
  function settled(made: Uint8Array): boolean {
    for (let token = 0; token < V; token++) {
      if (ends[token] === 1 || made[token] === 1) continue;
      const next = acceptor.next(state, token);
      if (next >= 0 && acceptor.distance(next) < Number.POSITIVE_INFINITY) return false;
    }
    for (let token = 0; token < V; token++) {
      if (ends[token] === 1 || made[token] === 0) continue;
      if (acceptor.distance(acceptor.next(state, token)) > MOST_CACHED_DISTANCE) return false;
    }
    return true;
  }

  return {
    possible: state >= 0 && viable(state, node, left),
    mask,
    take(token) {
      node = node?.children.get(symbols[token]) ?? null;
      state = acceptor.next(state, token);
      left--;
      current = null;
      if (left <= 0) return false;
      const allowed = mask();
      for (let t = 0; t < V; t++) if (allowed[t] === 1 && ends[t] === 0) return true;
      return false;
    },
  };
}

const MOST_CACHED_DISTANCE = 64;
const MOST_CACHED_BYTES = 64_000_000;
