/**
 * Counts as people read them. Refuses to know: what is counted. Invariant: the same text in every locale.
 */

/** 1,234, with at most three decimals. Not toLocaleString: the first use of that loads every locale, which takes 20 ms. */
export function count(n: number | bigint): string {
  const [whole = '', decimals] = String(typeof n === 'bigint' ? n : Number(n.toFixed(3))).split('.');
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, ',');
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/** 1 step, 1,234 steps: for words that take an s. */
export const counted = (n: number | bigint, what: string): string => `${count(n)} ${what}${Number(n) === 1 ? '' : 's'}`;
