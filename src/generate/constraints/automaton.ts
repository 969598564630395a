/**
 * A pattern as an automaton: first one with several ways at once (Thompson, 1968), then, as far as it is walked, one with a single state
 * at a time (the set of all states that the first could be in).
 * Refuses to know: tokens and texts. Symbols are code points, or bytes of UTF-8.
 */
import { count } from '../../base/count.js';
import { MicrogptError } from '../../base/errors.js';
import type { Pattern, Range } from './pattern.js';
import { byteRanges } from './utf8.js';

export type Alphabet = 'code points' | 'bytes';

export interface Automaton {
  readonly start: number;
  /** −1 when nothing that begins so can match. */
  next(state: number, symbol: number): number;
  accepts(state: number): boolean;
  /** Symbols between two neighbouring edges are never told apart. Sorted. */
  readonly edges: readonly number[];
}

const MOST_STATES = 100_000;

interface Arrow {
  readonly low: number;
  readonly high: number;
  readonly to: number;
}

/** A state of the first automaton: ways that cost nothing, and at most one that reads a symbol. */
interface Node {
  readonly free: number[];
  readonly arrows: Arrow[];
}

export function tooLarge(what: string, states: number): MicrogptError {
  return new MicrogptError(
    'MG_GEN_PATTERN',
    `${what} needs more than ${count(states)} states`,
    'repeat less, or bound the length of samples more tightly',
  );
}

/** @throws MG_GEN_PATTERN when it gets too large. */
export function compile(pattern: Pattern, alphabet: Alphabet): Automaton {
  const nodes: Node[] = [];
  const edges = new Set<number>();

  function node(): number {
    if (nodes.length >= MOST_STATES) throw tooLarge('the pattern', MOST_STATES);
    return nodes.push({ free: [], arrows: [] }) - 1;
  }

  function arrow(from: number, [low, high]: Range, to: number): void {
    nodes[from].arrows.push({ low, high, to });
    edges.add(low).add(high + 1);
  }

  /** Builds the pattern from state `from` on; returns the state behind it. */
  function build(p: Pattern, from: number): number {
    switch (p.kind) {
      case 'set':
        return buildSet(p.ranges, from);
      case 'sequence':
        return p.parts.reduce((at, part) => build(part, at), from);
      case 'either': {
        const end = node();
        for (const part of p.parts) {
          const begin = node();
          nodes[from].free.push(begin);
          nodes[build(part, begin)].free.push(end);
        }
        return end;
      }
      case 'repeat':
        return buildRepeat(p.part, p.least, p.most, from);
      default:
        return p satisfies never;
    }
  }

  function buildSet(ranges: readonly Range[], from: number): number {
    const end = node();
    if (alphabet === 'code points') {
      for (const range of ranges) arrow(from, range, end);
      return end;
    }
    for (const bytes of ranges.flatMap(byteRanges)) {
      let at = from;
      bytes.forEach((range, i) => {
        const to = i === bytes.length - 1 ? end : node();
        arrow(at, range, to);
        at = to;
      });
    }
    return end;
  }

  function buildRepeat(part: Pattern, least: number, most: number, from: number): number {
    let at = from;
    for (let i = 0; i < least; i++) at = build(part, at);
    const end = node();
    if (most === Number.POSITIVE_INFINITY) {
      const loop = node();
      nodes[at].free.push(loop);
      nodes[build(part, loop)].free.push(loop);
      nodes[loop].free.push(end);
      return end;
    }
    for (let i = least; i < most; i++) {
      nodes[at].free.push(end);
      at = build(part, at);
    }
    nodes[at].free.push(end);
    return end;
  }

  const start = node();
  const end = build(pattern, start);
  return determinise(
    nodes,
    start,
    end,
    [...edges].sort((a, b) => a - b),
  );
}

function determinise(nodes: readonly Node[], start: number, end: number, edges: readonly number[]): Automaton {
  const sets: number[][] = [];
  const known = new Map<string, number>();
  const steps: Map<number, number>[] = []; // state → interval between edges → state
  const seen = new Int32Array(nodes.length).fill(-1);
  let round = 0;

  /** All that can be reached from these without reading, as a state. */
  function stateOf(roots: readonly number[]): number {
    if (roots.length === 0) return -1;
    const stack = [...roots];
    const set: number[] = [];
    round++;
    while (stack.length > 0) {
      const at = stack.pop() as number;
      if (seen[at] === round) continue;
      seen[at] = round;
      if (nodes[at].arrows.length > 0 || at === end) set.push(at);
      stack.push(...nodes[at].free);
    }
    set.sort((a, b) => a - b);
    const key = set.join();
    let state = known.get(key);
    if (state === undefined) {
      if (sets.length >= MOST_STATES) throw tooLarge('the pattern', MOST_STATES);
      state = sets.push(set) - 1;
      steps.push(new Map());
      known.set(key, state);
    }
    return state;
  }

  return {
    start: stateOf([start]),
    edges,
    accepts: (state) => sets[state].includes(end),
    next(state, symbol) {
      const interval = intervalOf(edges, symbol);
      let to = steps[state].get(interval);
      if (to === undefined) {
        const targets = new Set<number>();
        for (const at of sets[state]) {
          for (const { low, high, to: target } of nodes[at].arrows)
            if (symbol >= low && symbol <= high) targets.add(target);
        }
        to = stateOf([...targets]);
        steps[state].set(interval, to);
      }
      return to;
    },
  };
}

/** How many edges are at or below the symbol. */
export function intervalOf(edges: readonly number[], symbol: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (edges[middle] <= symbol) low = middle + 1;
    else high = middle;
  }
  return low;
}
