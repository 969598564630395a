/**
 * Questions about the health of a model in training: where is the first number that is not one, and how many hidden units are dead.
 * Looks at one tensor at a time, so that a large model is not copied as a whole.
 * Refuses to know: engines. Invariant: looks, and changes nothing.
 */
import type { ParameterTable } from '../model/parameters.js';
import type { NonFinite } from '../train/learner.js';

/** The numbers of a parameter's place in one of the buffers that are as long as all parameters. */
type Part = (offset: number, size: number) => Float64Array;

/** The kinds in the order of cause and effect: a bad parameter spoils moments and gradients, a bad moment the next parameters. */
export function firstNonFinite(
  table: ParameterTable,
  buffers: readonly (readonly [NonFinite['what'], Part])[],
): NonFinite | null {
  for (const [what, part] of buffers) {
    for (const { name, offset, size } of table.list) {
      const values = part(offset, size);
      let count = 0;
      for (let i = 0; i < size; i++) if (!Number.isFinite(values[i])) count++;
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
