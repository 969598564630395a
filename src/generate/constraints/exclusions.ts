/**
 * Texts that must not come out, as a tree of symbols, so that a text can be led around them while it is written.
 * Refuses to know: tokens. Invariant: `has` and the tree agree.
 */

import { symbolsOf } from './acceptor.js';
import type { Alphabet } from './automaton.js';

export interface ExclusionNode {
  readonly children: Map<number, ExclusionNode>;
  /** The text that ends here is excluded. */
  excluded: boolean;
}

export interface Exclusions {
  readonly root: ExclusionNode;
  add(text: string): void;
}

export function createExclusions(alphabet: Alphabet): Exclusions {
  const root: ExclusionNode = { children: new Map(), excluded: false };
  return {
    root,
    add(text) {
      let at = root;
      for (const symbol of symbolsOf(text, alphabet)) {
        let child = at.children.get(symbol);
        if (child === undefined) {
          child = { children: new Map(), excluded: false };
          at.children.set(symbol, child);
        }
        at = child;
      }
      at.excluded = true;
    },
  };
}

/** Where a text leads; null when no excluded text begins so. */
export function descend(root: ExclusionNode, symbols: readonly number[]): ExclusionNode | null {
  let at: ExclusionNode | null = root;
  for (const symbol of symbols) at = at?.children.get(symbol) ?? null;
  return at;
}
