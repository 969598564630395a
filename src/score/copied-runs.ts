/**
 * The longest run of characters that a sample shares with a text, for each of many samples.
 * A suffix automaton (Blumer et al., 1985) holds every run of every sample; the text goes through it once, line by line, and marks how
 * long a run of it ends in each state. Memory grows with the samples alone, however long the text is.
 * Refuses to know: models. Invariant: exact; no run goes over the end of a line or of a sample.
 */

export interface CopiedRuns {
  /** Takes in a line of the text. */
  add(line: string): void;
  /** The longest run of each sample that was in any line: how many characters, and the run itself. */
  longest(): { readonly length: number; readonly text: string }[];
}

/** UTF-16 units of all samples together; more would take more than about 200 MB. */
export const MOST_SAMPLE_UNITS = 2_000_000;

/** Samples have at most MOST_SAMPLE_UNITS units in all. */
export function createCopiedRuns(samples: readonly string[]): CopiedRuns {
  const units = samples.reduce((sum, sample) => sum + sample.length, 0);
  const automaton = createAutomaton(units);
  for (const sample of samples) automaton.take(sample);
  const { length, link, next, states } = automaton;
  const seen = new Int32Array(states());

  return {
    add(line) {
      let state = 0;
      let run = 0;
      for (let i = 0; i < line.length; i++) {
        const unit = line.charCodeAt(i);
        let to = next(state, unit);
        while (to < 0 && state > 0) {
          state = link[state];
          run = length[state];
          to = next(state, unit);
        }
        if (to < 0) continue;
        state = to;
        run++;
        if (run > seen[state]) seen[state] = run;
      }
    },
    longest() {
      // What was seen in a state was also seen, as far as they reach, in the shorter runs that it ends with.
      const best = seen.slice();
      for (const state of byLength(length, states()).reverse()) {
        const shorter = link[state];
        if (shorter > 0 && best[state] > 0) best[shorter] = length[shorter];
      }
      return samples.map((sample) => {
        let state = 0;
        let [most, end] = [0, 0];
        for (let i = 0; i < sample.length; i++) {
          state = next(state, sample.charCodeAt(i));
          let at = state;
          while (at > 0 && best[at] === 0) at = link[at];
          if (best[at] <= most) continue;
          most = best[at];
          end = i + 1;
        }
        const text = sample.slice(end - most, end);
        return { length: [...text].length, text };
      });
    },
  };
}

/** States in the order of their length. */
function byLength(length: Int32Array, states: number): number[] {
  return Array.from({ length: states }, (_, state) => state).sort((a, b) => length[a] - length[b]);
}

function createAutomaton(units: number) {
  const most = 2 * units + 2;
  const length = new Int32Array(most); // of the longest run that ends in a state
  const link = new Int32Array(most); // to the state of the longest run of another kind that it ends with
  link[0] = -1;
  let states = 1;
  // Steps from state to state, each in a list of its own state; those of the first state, which has the most, in a map.
  const first = new Int32Array(most).fill(-1);
  const stepUnit = new Uint16Array(3 * units + 8);
  const stepTo = new Int32Array(3 * units + 8);
  const stepAfter = new Int32Array(3 * units + 8);
  const fromStart = new Map<number, number>();
  let steps = 0;

  function find(state: number, unit: number): number {
    let step = first[state];
    while (step >= 0 && stepUnit[step] !== unit) step = stepAfter[step];
    return step;
  }
  function next(state: number, unit: number): number {
    if (state === 0) return fromStart.get(unit) ?? -1;
    const step = find(state, unit);
    return step < 0 ? -1 : stepTo[step];
  }
  function set(state: number, unit: number, to: number): void {
    if (state === 0) {
      fromStart.set(unit, to);
      return;
    }
    const step = find(state, unit);
    if (step >= 0) stepTo[step] = to;
    else {
      stepUnit[steps] = unit;
      stepTo[steps] = to;
      stepAfter[steps] = first[state];
      first[state] = steps++;
    }
  }
  /** A state with the steps and the link of another, for its runs up to `longest`. */
  function split(state: number, longest: number): number {
    const made = states++;
    length[made] = longest;
    link[made] = link[state];
    for (let step = first[state]; step >= 0; step = stepAfter[step]) set(made, stepUnit[step], stepTo[step]);
    return made;
  }
  /** Leads the steps by `unit` that go to `old` to `made`, from `state` and all that it ends with. */
  function redirect(from: number, unit: number, old: number, made: number): void {
    for (let state = from; state >= 0 && next(state, unit) === old; state = link[state]) set(state, unit, made);
  }
  /** The state after one more unit. */
  function extend(last: number, unit: number): number {
    const known = next(last, unit);
    if (known >= 0) {
      if (length[known] === length[last] + 1) return known;
      const made = split(known, length[last] + 1);
      link[known] = made;
      redirect(last, unit, known, made);
      return made;
    }
    const state = states++;
    length[state] = length[last] + 1;
    let at = last;
    for (; at >= 0 && next(at, unit) < 0; at = link[at]) set(at, unit, state);
    if (at < 0) return state; // its link is the first state
    const after = next(at, unit);
    if (length[after] === length[at] + 1) {
      link[state] = after;
      return state;
    }
    const made = split(after, length[at] + 1);
    link[after] = made;
    link[state] = made;
    redirect(at, unit, after, made);
    return state;
  }

  return {
    length,
    link,
    next,
    states: () => states,
    take(sample: string): void {
      let last = 0;
      for (let i = 0; i < sample.length; i++) last = extend(last, sample.charCodeAt(i));
    },
  };
}
