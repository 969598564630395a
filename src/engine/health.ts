/**
 * Questions about the health of a model in training, answered from plain arrays: where is the first number that is not one, and how many
 * hidden units are dead.
 * Refuses to know: engines. Invariant: looks, and changes nothing.
 */
import type { ParameterTable } from '../model/parameters.js';
import type { NonFinite } from '../train/learner.js';

/** The kinds in the order of cause and effect: a bad parameter spoils moments and gradients, a bad moment the next parameters. */
export function firstNonFinite(
  table: ParameterTable,
  arrays: readonly (readonly [NonFinite['what'], Float64Array])[],
): NonFinite | null {
  for (const [what, values] of arrays) {
    for (const { name, offset, size } of table.list) {
      let count = 0;
      for (let i = offset; i < offset + size; i++) if (!Number.isFinite(values[i])) count++;
      if (count > 0) return { tensor: name, what, count, size };
    }
  }
  return null;
}

/** The share of columns that are 0 in the first `rows` rows. */
export function deadShare(values: Float64Array, rows: number, columns: number): number {
  let dead = 0;
  for (let c = 0; c < columns; c++) {
    let alive = false;
    for (let r = 0; r < rows && !alive; r++) alive = values[r * columns + c] !== 0;
    if (!alive) dead++;
  }
  return dead / columns;
}
