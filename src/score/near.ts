/**
 * Which of many lines are within one or two edits (a character added, left out or changed) of another.
 * Lines are cut into d + 1 parts; whatever is within d edits must have one of the parts unchanged, moved by at most d places (Li et al.,
 * "Pass-Join", 2011). So an index of the parts finds the few lines that are worth comparing.
 * Refuses to know: models. Invariant: finds exactly what comparing with every line would find. Memory grows with the number of lines alone.
 */

/** Longer lines than these are not compared: for them, copied runs say more. */
export const LONGEST_COMPARED = 64;

/** How many edits count as nearly the same: one in short lines, where two change most of it. */
export function editsAllowed(length: number): number {
  return length < 10 ? 1 : 2;
}

export interface NearIndex {
  has(line: string): boolean;
  /** The fewest edits that make a line of the index of this one, if no more than `editsAllowed`; 0 is not asked for: other lines only. */
  nearest(line: string): number | null;
}

type Points = readonly number[];

export function createNearIndex(lines: Iterable<string>): NearIndex {
  const known = new Set<string>();
  const entries: Points[] = [];
  const index = new Map<string, number[]>();
  for (const line of lines) {
    if (known.has(line)) continue;
    known.add(line);
    if (line.length > 2 * LONGEST_COMPARED + 4) continue;
    const points = codePoints(line);
    if (points.length === 0 || points.length > LONGEST_COMPARED + 2) continue;
    const number = entries.push(points) - 1;
    // A line may be the neighbour of a shorter one, which allows one edit, or of a longer one, which allows two.
    for (const d of allowances(points.length)) {
      for (let part = 0; part <= d; part++) {
        const [from, to] = partOf(points.length, d, part);
        const key = keyOf(d, points.length, part, points, from, to);
        const found = index.get(key);
        if (found === undefined) index.set(key, [number]);
        else found.push(number);
      }
    }
  }

  function nearest(line: string): number | null {
    const points = codePoints(line);
    const n = points.length;
    if (n === 0 || n > LONGEST_COMPARED) return null;
    const d = editsAllowed(n);
    let best: number | null = null;
    for (let length = Math.max(1, n - d); length <= n + d; length++) {
      for (let part = 0; part <= d; part++) {
        const [from, to] = partOf(length, d, part);
        for (let shift = -d; shift <= d; shift++) {
          if (from + shift < 0 || to + shift > n) continue;
          for (const candidate of index.get(keyOf(d, length, part, points, from + shift, to + shift)) ?? []) {
            const edits = editDistance(points, entries[candidate], best === null ? d : best - 1);
            if (edits === null || edits === 0) continue;
            if (edits === 1) return 1;
            best = edits;
          }
        }
      }
    }
    return best;
  }

  return { has: (line) => known.has(line), nearest };
}

/** The numbers of edits that lines of about this length may be compared with. */
function allowances(length: number): number[] {
  return [...new Set([Math.max(1, length - 2), length, length + 2].map(editsAllowed))];
}

/** Part `part` of d + 1 parts of nearly equal size; empty parts fit anywhere. */
function partOf(length: number, d: number, part: number): [number, number] {
  return [Math.floor((length * part) / (d + 1)), Math.floor((length * (part + 1)) / (d + 1))];
}

function keyOf(d: number, length: number, part: number, points: Points, from: number, to: number): string {
  return `${d} ${length} ${part} ${String.fromCodePoint(...points.slice(from, to))}`;
}

function codePoints(line: string): number[] {
  return Array.from(line, (character) => character.codePointAt(0) ?? 0);
}

/** Levenshtein's distance, or null when it is above `most`: only cells at most that far from the diagonal are computed. */
export function editDistance(a: Points, b: Points, most: number): number | null {
  if (Math.abs(a.length - b.length) > most) return null;
  const far = most + 1;
  let above = Array.from({ length: b.length + 1 }, (_, j) => Math.min(j, far));
  let row = new Array<number>(b.length + 1).fill(far);
  for (let i = 1; i <= a.length; i++) {
    const from = Math.max(1, i - most);
    const to = Math.min(b.length, i + most);
    row.fill(far);
    row[0] = Math.min(i, far);
    let least = row[0];
    for (let j = from; j <= to; j++) {
      const changed = above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(changed, above[j] + 1, row[j - 1] + 1, far);
      if (row[j] < least) least = row[j];
    }
    if (least >= far) return null;
    [above, row] = [row, above];
  }
  return above[b.length] >= far ? null : above[b.length];
}
