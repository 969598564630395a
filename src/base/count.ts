/**
 * Counts as people read them. Refuses to know: what is counted. Invariant: the same text in every locale.
 */

/** 1,234 */
export const count = (n: number | bigint): string => n.toLocaleString('en');
