/**
 * Where a score stands among scores of texts that are known to be in order.
 * Invariant: the percentile of a score is the share of known texts that are less surprising, in percent; it never falls as the score rises.
 */
export interface Calibration {
  readonly count: number;
  /** 0 … 100. */
  percentile(bitsPerCharacter: number): number;
}

/** From the scores of known texts, in bits per character. */
export function calibration(bitsPerCharacter: readonly number[]): Calibration {
  const sorted = Float64Array.from(bitsPerCharacter).sort();
  return {
    count: sorted.length,
    percentile(value) {
      let low = 0;
      let high = sorted.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (sorted[middle] < value) low = middle + 1;
        else high = middle;
      }
      return sorted.length === 0 ? 0 : (100 * low) / sorted.length;
    },
  };
}
