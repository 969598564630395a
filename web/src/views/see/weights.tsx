/** Weights and gradients of the model in training as colour maps, at the moments that were kept on the way. */
import { useEffect, useState } from 'preact/hooks';
import { fail } from '../../actions';
import { ask } from '../../engine/client';
import type { WeightMap, WeightNames } from '../../engine/protocol';
import { usualMost } from '../../parts/colours';
import { Matrix } from '../../parts/matrix';
import { Term } from '../../parts/term';
import { useApp } from '../../state';
import { t } from '../../texts';
import { count, fixed } from '../../texts/numbers';

const W = t.see.weights;

export function Weights() {
  const kept = useApp((app) => app.run.samples.length);
  const run = useApp((app) => app.run.prepared?.run);
  const [names, setNames] = useState<WeightNames | null>(null);
  const [tensor, setTensor] = useState('wte');
  const [chosen, setChosen] = useState<number | null>(null);
  const [gradient, setGradient] = useState(false);
  const [map, setMap] = useState<WeightMap | null>(null);
  const moments = names?.moments ?? [];
  const moment = Math.min(chosen ?? moments.length - 1, moments.length - 1);

  useEffect(() => {
    ask('weightNames', null).then(setNames, fail);
  }, [kept, run]);
  useEffect(() => {
    if (names === null || moment < 0) return;
    const known = names.tensors.some(({ name }) => name === tensor) ? tensor : names.tensors[0].name;
    ask('weights', { tensor: known, moment, gradient }).then(setMap, fail);
  }, [names, tensor, moment, gradient]);

  if (names === null || moments.length === 0)
    return (
      <section class="panel">
        <p>{W.none}</p>
      </section>
    );
  const values = map?.values ?? new Float32Array(0);
  // Weights of all moments are painted by one measure, so that one sees them grow.
  const most = gradient ? usualMost(values) : Math.max(0.3, usualMost(values));
  return (
    <section class="panel">
      <h2>{W.heading}</h2>
      <p class="note">
        <Term of="parameter" />, <Term of="gradient" />. {W.lead}
      </p>
      <div class="row">
        <label class="field">
          {W.tensor}
          <select value={tensor} onChange={(event) => setTensor(event.currentTarget.value)}>
            {names.tensors.map(({ name, rows, columns }) => (
              <option key={name} value={name}>
                {name} [{rows > 1 ? `${rows}, ` : ''}
                {columns}]
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          {W.kind}
          <select
            value={gradient ? 'gradients' : 'weights'}
            onChange={(event) => setGradient(event.currentTarget.value === 'gradients')}
          >
            <option value="weights">{W.weights}</option>
            <option value="gradients">{W.gradients}</option>
          </select>
        </label>
        <label class="field grow">
          {W.moment}: {W.at(count(moments[moment]))}
          <input
            type="range"
            min={0}
            max={moments.length - 1}
            value={moment}
            aria-valuetext={W.at(count(moments[moment]))}
            onInput={(event) => setChosen(Number(event.currentTarget.value))}
          />
        </label>
      </div>
      {map !== null && map.rows > 0 && (
        <figure class="weights" style={{ '--columns': map.columns }}>
          <Matrix
            values={map.values}
            rows={map.rows}
            columns={map.columns}
            most={most}
            label={W.map(tensor, count(map.rows), count(map.columns))}
          />
          <figcaption class="note">{described(map.values)}</figcaption>
        </figure>
      )}
    </section>
  );
}

function described(values: Float32Array): string {
  let [low, high, sum, squares] = [Infinity, -Infinity, 0, 0];
  for (const x of values) {
    low = Math.min(low, x);
    high = Math.max(high, x);
    sum += x;
    squares += x * x;
  }
  const mean = sum / values.length;
  const spread = Math.sqrt(Math.max(0, squares / values.length - mean * mean));
  return W.range(fixed(low, 4), fixed(high, 4), fixed(spread, 4));
}
