/**
 * Whether sharing pays at this moment, found by trying: work is timed alone and shared, and the faster way is kept. The other way gets a
 * short trial now and then, because cores that were free may be taken, and taken ones free again.
 * Refuses to know: threads, and what time it is. Invariant: only who computes depends on it, never what comes out; in the long run less
 * than a hundredth of the time goes into trials.
 */

export interface Trial {
  /** Whether the next run is to be shared. */
  shared(): boolean;
  /** Says how long a run of so much work took that way. */
  ran(work: number, ms: number): void;
}

/** A trial lasts so many ms, or one run: longer than the few ms for which a scheduler gives a core away. */
const TRIAL_MS = 10;
/** The way that won is kept for so many times the trial's length, twice as long each time it wins again. */
const FIRST_STAY = 2;
const LONGEST_STAY = 128;
/** Sharing takes all cores, so it has to be this much faster. */
const WORTH = 0.9;

/** Begins shared. */
export function createTrial(): Trial {
  const cost = { shared: 0, alone: 0 }; // ms of a unit of work, when last tried
  let kept: keyof typeof cost = 'shared';
  let way: keyof typeof cost = 'shared';
  let stay = FIRST_STAY;
  let budget = TRIAL_MS;
  let [workDone, spent] = [0, 0];
  return {
    shared: () => way === 'shared',
    ran(work, ms) {
      workDone += work;
      spent += ms;
      if (spent < budget) return;
      cost[way] = spent / workDone;
      if (way === kept) {
        way = kept === 'shared' ? 'alone' : 'shared';
        budget = TRIAL_MS;
      } else {
        way = cost.shared < WORTH * cost.alone ? 'shared' : 'alone';
        stay = way === kept ? Math.min(2 * stay, LONGEST_STAY) : FIRST_STAY;
        kept = way;
        budget = stay * spent;
      }
      [workDone, spent] = [0, 0];
    },
  };
}
