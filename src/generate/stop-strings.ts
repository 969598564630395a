/**
 * Text as it arrives, up to the first stop string. What could be the beginning of one is held back until it is certain.
 * Refuses to know: tokens. Invariant: all that was passed on is the text before the earliest place where a stop string is complete first.
 */
export interface StopStrings {
  /** The text that is certain now; `stopped` once a stop string is complete, and nothing more comes. */
  push(text: string): string;
  /** What was held back. */
  end(): string;
  readonly stopped: () => boolean;
}

export function createStopStrings(stops: readonly string[]): StopStrings {
  const wanted = stops.filter((stop) => stop !== '');
  const longest = wanted.reduce((most, stop) => Math.max(most, stop.length), 0);
  let held = '';
  let stopped = false;

  /** How much of the end of `held` may begin a stop string. */
  function uncertain(): number {
    for (let length = Math.min(longest - 1, held.length); length > 0; length--) {
      const tail = held.slice(held.length - length);
      if (wanted.some((stop) => stop.startsWith(tail))) return length;
    }
    return 0;
  }

  return {
    stopped: () => stopped,
    push(text) {
      if (stopped) return '';
      held += text;
      const at = firstStop(held, wanted);
      stopped = at >= 0;
      const certain = stopped ? at : held.length - uncertain();
      const out = held.slice(0, certain);
      held = stopped ? '' : held.slice(certain);
      return out;
    },
    end() {
      const out = held;
      held = '';
      return out;
    },
  };
}

/** Where the stop string begins that is complete first; of several that end together, the longest. −1 when there is none. */
function firstStop(text: string, stops: readonly string[]): number {
  let end = Number.POSITIVE_INFINITY;
  let begin = -1;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at < 0 || at + stop.length > end) continue;
    if (at + stop.length < end || at < begin) begin = at;
    end = at + stop.length;
  }
  return begin;
}
