/**
 * How long something takes: warm up, then several runs of equal work, the best and the middle one.
 * Refuses to know: what is measured, and what time it is (a clock is handed in). Invariant: every run that counts does the same work.
 */

/** Does `units` units of work in a row. */
export type Work = (units: number) => void;

/** A clock in milliseconds. */
export type Clock = () => number;

export interface MeasureOptions {
  readonly now: Clock;
  /** Runs that count; 5 if left out. */
  readonly runs?: number | undefined;
  /** How long a run should last at least, in ms; 200 if left out. One unit is done even where it takes longer. */
  readonly runMs?: number | undefined;
}

export interface Timing {
  /** Units of work in each run. */
  readonly units: number;
  readonly runs: number;
  /** Seconds of the fastest run: what the machine can do when nothing else disturbs it. */
  readonly best: number;
  /** Seconds of the run in the middle: what it did. */
  readonly median: number;
}

/** Runs grow until one is long enough, which warms up on the way, too; then those that count. */
export function measure(work: Work, { now, runs = 5, runMs = 200 }: MeasureOptions): Timing {
  const time = (units: number): number => {
    const start = now();
    work(units);
    return Math.max(now() - start, 1e-6);
  };
  let units = 1;
  for (;;) {
    const took = time(units);
    if (took >= runMs) break;
    units = Math.ceil(units * Math.min(8, Math.max(1.25, (1.1 * runMs) / took)));
  }
  const times = Array.from({ length: runs }, () => time(units) / 1000).sort((a, b) => a - b);
  return { units, runs, best: times[0], median: times[Math.floor(runs / 2)] };
}
