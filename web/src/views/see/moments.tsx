/** The moments of training time at which weights were kept: which of them is looked at, and playing them one after the other. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { fail } from '../../actions';
import { ask } from '../../engine/client';
import type { WeightNames } from '../../engine/protocol';
import { useApp } from '../../state';
import { t } from '../../texts';
import { count } from '../../texts/numbers';

const W = t.see.weights;
const FRAME = 350; // ms for each moment

export interface Moments {
  readonly names: WeightNames | null;
  /** Which of them is looked at; -1 while there is none. */
  readonly moment: number;
  readonly last: number;
  /** To choose it by. */
  readonly chooser: ComponentChildren;
}

/** `now` is the step of what is shown in the place of the last moment, where that is the model as it learns. */
export function useMoments(now: number | null = null): Moments {
  const kept = useApp((app) => app.run.samples.length);
  const run = useApp((app) => app.run.prepared?.run);
  const [names, setNames] = useState<WeightNames | null>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const [playing, setPlaying] = useState(false);
  const shown = useRef(0);
  const steps = names?.moments ?? [];
  const last = steps.length - 1;
  const moment = Math.min(chosen ?? last, last);

  useEffect(() => {
    ask('weightNames', null).then(setNames, fail);
  }, [kept, run]);
  useEffect(() => {
    setChosen(null);
    setPlaying(false);
  }, [run]);
  shown.current = moment;
  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => {
      if (shown.current < last) return setChosen(shown.current + 1);
      setPlaying(false);
      setChosen(null); // from here on with the model as it learns
    }, FRAME);
    return () => clearInterval(timer);
  }, [playing, last]);

  const said = W.at(count((moment === last ? now : null) ?? steps[moment] ?? 0));
  const chooser = (
    <>
      <button
        type="button"
        disabled={last < 1}
        onClick={() => {
          if (!playing && moment === last) setChosen(0);
          setPlaying(!playing);
        }}
      >
        {playing ? W.stop : W.play}
      </button>
      <label class="field grow">
        {W.moment}: {said}
        <input
          type="range"
          min={0}
          max={last}
          value={moment}
          aria-valuetext={said}
          onInput={(event) => {
            setPlaying(false);
            const to = Number(event.currentTarget.value);
            setChosen(to === last ? null : to);
          }}
        />
      </label>
    </>
  );
  return { names, moment, last, chooser };
}
