/** Two models, or one with two settings, side by side with the same seed. */
import { useState } from 'preact/hooks';
import { attempt, fail, keepLive } from '../../actions';
import { LIVE, type ModelId, type ModelInfo } from '../../engine/protocol';
import { ModelChoice } from '../../parts/model-choice';
import { useApp } from '../../state';
import { t } from '../../texts';
import { type Drawn, draw, textOf } from './drawn';
import { type Drawing, FIRST_DRAWING, SamplingFields, samplingOf } from './sampling';

const U = t.use;
const SIDES = ['A', 'B'] as const;

interface Side {
  readonly model: ModelId | null;
  readonly temperature: number;
}

export function Compare({ model }: { model: ModelInfo }) {
  const models = useApp((app) => app.models);
  const [sides, setSides] = useState<readonly Side[]>([
    { model: null, temperature: 0.5 },
    { model: null, temperature: 1.2 },
  ]);
  const [shared, setShared] = useState<Drawing>({ ...FIRST_DRAWING, samples: 8 });
  const [drawn, setDrawn] = useState<readonly (readonly Drawn[])[]>([[], []]);
  const [kept, setKept] = useState('');
  const idOf = (side: Side) => models.find(({ id }) => id === side.model)?.id ?? model.id;
  const change = (i: number, part: Partial<Side>) =>
    setSides(sides.map((side, k) => (k === i ? { ...side, ...part } : side)));
  const go = () => {
    setDrawn([[], []]);
    for (const [i, side] of sides.entries()) {
      const options = samplingOf({ ...shared, temperature: side.temperature });
      draw({ model: idOf(side), options }, (samples) =>
        setDrawn((all) => all.map((one, k) => (k === i ? samples : one))),
      ).done.catch(fail);
    }
  };
  const keep = async () => setKept(U.compare.kept((await keepLive()).name));
  return (
    <>
      <form
        class="panel"
        onSubmit={(event) => {
          event.preventDefault();
          go();
        }}
      >
        <p class="note">{U.compare.lead}</p>
        <div class="row">
          <SamplingFields
            id="both"
            drawing={shared}
            change={(part) => setShared({ ...shared, ...part })}
            fields={['prompt', 'samples', 'seed']}
          />
          <button type="submit" class="primary">
            {U.compare.go}
          </button>
        </div>
        {models.some(({ id }) => id === LIVE) && (
          <div class="row">
            <button type="button" onClick={() => attempt(keep)}>
              {U.compare.keep}
            </button>
            <p class="note" role="status">
              {kept === '' ? U.compare.keepHint : kept}
            </p>
          </div>
        )}
      </form>
      <div class="two even">
        {sides.map((side, i) => (
          <section key={SIDES[i]} class="panel" aria-label={U.compare.side(SIDES[i])}>
            <div class="row first">
              <ModelChoice
                value={idOf(side)}
                label={U.compare.side(SIDES[i])}
                choose={(id) => change(i, { model: id })}
              />
              <SamplingFields
                id={SIDES[i]}
                drawing={{ ...shared, temperature: side.temperature }}
                change={({ temperature }) => temperature !== undefined && change(i, { temperature })}
                fields={['temperature']}
              />
            </div>
            {drawn[i].length === 0 ? (
              <p class="empty">{U.compare.empty}</p>
            ) : (
              <ol class="drawn" aria-busy={drawn[i].some(({ ended }) => !ended)}>
                {drawn[i].map((sample, k) => (
                  <li key={String(k)}>
                    <q dir="auto">{textOf(sample)}</q>
                  </li>
                ))}
              </ol>
            )}
          </section>
        ))}
      </div>
    </>
  );
}
