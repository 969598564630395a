/**
 * Text that is longer than the context. When the context is full, the model reads the last `keep` tokens again (after what stays in
 * front, BOS), then the next one, and goes on from there. With `keep` = half the context it re-reads rarely and always sees at least
 * half; with `keep` = context − 1 it sees all that fits at every token, and reads the whole context for each.
 * Invariant: what is read at token n is the same whether the tokens before it were a prompt or drawn.
 */
export interface Window {
  /** How many tokens at the start stay in front of whatever is read: 1 for BOS, 0 without. */
  readonly lead: number;
  /** How many of the last tokens are read again when the context is full. */
  readonly keep: number;
}

/** A window that fits a context: `keep` is half of it if left out, and always leaves room for one more token. */
export function windowFor(blockSize: number, hasBos: boolean, keep = Math.floor(blockSize / 2)): Window {
  const lead = hasBos && blockSize > 1 ? 1 : 0;
  return { lead, keep: Math.max(0, Math.min(keep, blockSize - lead - 1)) };
}

/** What to read after the context was full and one more token was added to the end of `tokens`. */
export function slide(tokens: readonly number[], { lead, keep }: Window): number[] {
  return [...tokens.slice(0, lead), ...tokens.slice(Math.max(lead, tokens.length - 1 - keep))];
}

/** What to read of a start that may be longer than the context: what would have been read last, had it been drawn token by token. */
export function windowOf(start: readonly number[], { lead, keep }: Window, blockSize: number): readonly number[] {
  const over = start.length - blockSize;
  if (over <= 0) return start;
  const period = blockSize - lead - keep;
  const last = keep + over - (Math.ceil(over / period) - 1) * period;
  return [...start.slice(0, lead), ...start.slice(start.length - last)];
}
