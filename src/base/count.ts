/**
 * Counts as people read them. Refuses to know: what is counted. Invariant: the same text in every locale.
 */

/** 1,234 */
export const count = (n: number | bigint): string => n.toLocaleString('en');

/** 1 step, 1,234 steps: for words that take an s. */
export const counted = (n: number | bigint, what: string): string => `${count(n)} ${what}${Number(n) === 1 ? '' : 's'}`;
