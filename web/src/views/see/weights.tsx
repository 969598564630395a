/** Weights and gradients of the model in training as colour maps, at the moments that were kept on the way. */
import { useEffect, useState } from 'preact/hooks';
import { fail } from '../../actions';
import { ask } from '../../engine/client';
import { LIVE, type ModelInfo, type WeightMap } from '../../engine/protocol';
import { usualMost } from '../../parts/colours';
import { Matrix } from '../../parts/matrix';
import { Words } from '../../parts/term';
import { quoted, tokenName } from '../../parts/tokens';
import { useApp } from '../../state';
import { t } from '../../texts';
import { count, fixed } from '../../texts/numbers';
import { useMoments } from './moments';

const W = t.see.weights;

export function Weights() {
  const { names, moment, chooser } = useMoments();
  const roles = useApp((app) => app.models.find(({ id }) => id === LIVE)?.roles ?? null);
  const run = useApp((app) => app.run.prepared?.run);
  const [tensor, setTensor] = useState('wte');
  const [gradient, setGradient] = useState(false);
  const [map, setMap] = useState<(WeightMap & { readonly moment: number }) | null>(null);
  const [cell, setCell] = useState<readonly [row: number, column: number] | null>(null);
  const [pieces, setPieces] = useState<readonly (string | null)[]>([]);

  useEffect(() => {
    ask('pieces', { model: LIVE }).then(setPieces, () => setPieces([])); // before the first run there is none
  }, [run]);
  useEffect(() => {
    if (names === null || moment < 0) return;
    const known = names.tensors.some(({ name }) => name === tensor) ? tensor : names.tensors[0].name;
    ask('weights', { tensor: known, moment, gradient }).then((found) => setMap({ ...found, moment }), fail);
  }, [names, tensor, moment, gradient]);

  if (names === null || moment < 0)
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
        {W.lead} <Words of={['parameter', 'gradient', 'tensor', 'deviation']} />
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
        {chooser}
      </div>
      <p class="note">{W.about(tensor)}</p>
      {map !== null && map.rows > 0 && (
        <figure class="weights" data-moment={map.moment} style={{ '--columns': map.columns }}>
          <Matrix
            values={map.values}
            rows={map.rows}
            columns={map.columns}
            most={most}
            label={W.map(tensor, count(map.rows), count(map.columns))}
            point={(row, column) => setCell([row, column])}
            leave={() => setCell(null)}
          />
          <figcaption class="note">
            {described(map.values)}
            <br />
            <span aria-hidden="true">{cell === null ? W.point : pointed(map, tensor, cell, pieces, roles)}</span>
          </figcaption>
        </figure>
      )}
    </section>
  );
}

/** The number of a square, by the token or the place that its row stands for, where it does. */
function pointed(
  { values, rows, columns }: WeightMap,
  tensor: string,
  [row, column]: readonly [row: number, column: number],
  pieces: readonly (string | null)[],
  roles: ModelInfo['roles'],
): string {
  if (row >= rows || column >= columns) return W.point;
  const number = fixed(values[row * columns + column], 4);
  const place = rows === 1 ? '' : tensor === 'wpe' ? W.place(count(row + 1)) : W.row(count(row + 1));
  const text = pieces[row] ?? null;
  const named =
    (tensor === 'wte' || tensor === 'lm_head') && row < pieces.length
      ? quoted(tokenName({ id: row, text }, { roles }))
      : place;
  const where = [named, W.column(count(column + 1))].filter((part) => part !== '').join(', ');
  return `${where}: ${number}`;
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
