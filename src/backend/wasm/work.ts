/**
 * How much work a list of ops is, before anything is computed: what the backend will compare with SHARED_WORK.
 * Knows no memory. Invariant: counts what the backend counts, because it is the same translation.
 */
import type { Op } from '../../tensor/backend.js';
import { createPlanner } from './planner.js';
import { translate } from './translate.js';

/** Multiply-adds, roughly. */
export function workOf(ops: readonly Op[]): number {
  const planner = createPlanner({
    workers: 1,
    products: null,
    zeros: () => 0,
    scratch: () => 0,
    packsWithin: () => [],
    packOf: (kind) => ({ kind, from: 0, bytes: 0, to: 0, command: [], fresh: true }),
  });
  for (const op of ops) translate(op, planner);
  return planner.finish().work;
}
