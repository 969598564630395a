/**
 * A given number of training steps, timed from the first to the last, and what that says of the rest of the run.
 * Refuses to know: clocks (handed in), files, screens. Invariant: the steps are those that a run begins with, after the check that the
 * backend computes what the reference backend computes.
 */
import type { Threads } from '../backend/wasm/index.js';
import { openBackend, trainStep } from './bench.js';
import { type Check, checkLoss, type Expected } from './bench-check.js';
import type { BenchJob } from './bench-job.js';
import type { BackendName } from './engine.js';
import type { Clock } from './measure.js';

export interface StepsRow {
  readonly backend: BackendName;
  readonly threads: number;
  readonly check: Check;
  /** As many as were asked for, but no more than the full run has. */
  readonly steps: number;
  readonly seconds: number;
  readonly stepsPerSecond: number;
  /** Seconds of the step in the middle when they are put in order: the first few may be slow. */
  readonly medianStep: number;
  readonly remaining: number;
  /** Null when nothing remains. */
  readonly remainingSeconds: number | null;
}

/** @throws MG_BENCH_CHECK when its first loss is not the reference backend's. */
export function benchSteps(
  job: BenchJob,
  expected: Expected,
  name: BackendName,
  { now, steps, threads }: { readonly now: Clock; readonly steps: number; readonly threads?: Threads | undefined },
): StepsRow {
  const { engine } = openBackend(job, name, threads);
  try {
    const check = checkLoss(name, engine, expected);
    const count = Math.min(steps, job.steps);
    const marks = [now()];
    for (let taken = 0; taken < count; taken++) {
      trainStep(job, engine, taken);
      marks.push(now());
    }
    const seconds = Math.max(marks[count] - marks[0], 1e-3) / 1000;
    const each = marks.slice(1).map((mark, i) => (mark - marks[i]) / 1000);
    const medianStep = each.sort((a, b) => a - b)[Math.floor(count / 2)];
    const remaining = job.steps - count;
    return {
      backend: name,
      threads: threads?.count ?? 1,
      check,
      steps: count,
      seconds,
      stepsPerSecond: count / seconds,
      medianStep,
      remaining,
      remainingSeconds: remaining === 0 ? null : remaining * medianStep,
    };
  } finally {
    engine.close();
  }
}
