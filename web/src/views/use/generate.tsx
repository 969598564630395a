/** Samples of a model, and for each character what the model thought of all the others. */
import { useEffect, useState } from 'preact/hooks';
import { fail } from '../../actions';
import { ask } from '../../engine/client';
import type { Answered, ModelInfo } from '../../engine/protocol';
import { Bars } from '../../parts/bars';
import { byArrows } from '../../parts/press';
import { Words } from '../../parts/term';
import { Otherwise, tokenName } from '../../parts/tokens';
import { t } from '../../texts';
import { count } from '../../texts/numbers';
import { type Drawn, draw, type Place } from './drawn';
import { type Drawing, FIRST_DRAWING, SamplingFields, samplingOf } from './sampling';

const U = t.use;
const TOP = 12;
/** Of a longer beginning, each sample shows so many characters of its end. */
const MOST_GIVEN = 40;
let kept: Drawing = FIRST_DRAWING; // while one looks at other views

export function Generate({ model }: { model: ModelInfo }) {
  const { blockSize } = model.config;
  const [drawing, setDrawing] = useState(kept);
  const [drawnBy, setDrawnBy] = useState(kept);
  const [samples, setSamples] = useState<readonly Drawn[]>([]);
  const [stop, setStop] = useState<(() => void) | null>(null);
  const [reading, setReading] = useState<Answered<'read'> | null>(null);
  const [at, setAt] = useState<readonly [number, number] | null>(null);
  const [pieces, setPieces] = useState<ReadonlyMap<number, string | null>>(new Map());
  useEffect(() => {
    setSamples([]);
    setAt(null);
  }, [model.id]);

  const change = (part: Partial<Drawing>) => {
    kept = { ...drawing, ...part };
    setDrawing(kept);
  };
  const go = () => {
    setAt(null);
    setDrawnBy(drawing);
    const running = draw({ model: model.id, options: { ...samplingOf(drawing), top: TOP } }, setSamples);
    setStop(() => running.stop);
    running.done.catch(fail).finally(() => setStop(null));
    ask('pieces', { model: model.id }).then((list) => setPieces(new Map(list.map((text, id) => [id, text]))), fail);
  };
  useEffect(() => {
    let current = true;
    const { prompt } = drawing;
    ask('read', { model: model.id, text: prompt }).then((answer) => current && setReading(answer), fail);
    return () => {
      current = false;
    };
  }, [model.id, drawing.prompt]);
  const place = at === null ? null : (samples[at[0]]?.places[at[1]] ?? null);
  return (
    <>
      <form
        class="panel asked"
        onSubmit={(event) => {
          event.preventDefault();
          go();
        }}
      >
        <SamplingFields
          id="g"
          drawing={drawing}
          change={change}
          fields={['prompt', 'temperature', 'topK', 'topP', 'samples', 'seed']}
        />
        {reading !== null &&
          (reading.folded.length > 0 || reading.unknown.length > 0 || reading.length >= blockSize) && (
            <div class="wide">
              <Otherwise unknown={reading.unknown} folded={reading.folded} />
              {reading.length >= blockSize && <p class="note">{U.long(count(blockSize))}</p>}
            </div>
          )}
        {stop === null ? (
          <button type="submit" class="primary">
            {U.go}
          </button>
        ) : (
          <button type="button" onClick={stop}>
            {U.stop}
          </button>
        )}
      </form>
      <div class="two">
        <section class="panel" aria-label={U.samples}>
          {samples.length === 0 ? (
            <p class="empty">{U.empty}</p>
          ) : (
            <ol class="drawn">
              {samples.map((sample, i) => (
                <li key={String(i)}>
                  <Characters
                    name={U.sample(count(i + 1))}
                    model={model}
                    sample={sample}
                    at={at?.[0] === i ? at[1] : null}
                    choose={(k) => setAt([i, k])}
                  />
                </li>
              ))}
            </ol>
          )}
        </section>
        <section class="panel" aria-label={U.choice.heading}>
          <h2>{U.choice.heading}</h2>
          {place === null ? (
            <p class="empty">{U.choice.none}</p>
          ) : place.top.length === 0 ? (
            <p class="empty">
              {place.kind === 'cut' ? U.choice.cut : place.kind === 'given' ? U.choice.given : U.choice.bytes}
            </p>
          ) : (
            <Choices place={place} drawing={drawnBy} pieces={pieces} model={model} />
          )}
        </section>
      </div>
    </>
  );
}

interface Chosen {
  readonly name: string;
  readonly model: ModelInfo;
  readonly sample: Drawn;
  readonly at: number | null;
  readonly choose: (k: number) => void;
}

function Characters({ name, model, sample, at, choose }: Chosen) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form
    <span class="characters" role="group" aria-label={name} dir="auto" onKeyDown={byArrows}>
      {sample.places.map((place, k) => (
        <button
          type="button"
          key={String(k)}
          aria-pressed={k === at}
          tabIndex={k === (at ?? 0) ? 0 : -1}
          class={place.kind === 'drawn' && place.text === '' ? 'drawn special' : place.kind}
          onClick={() => choose(k)}
        >
          {writtenAs(place, model)}
        </button>
      ))}
    </span>
  );
}

function writtenAs({ kind, text, token }: Place, { roles }: ModelInfo): string {
  if (kind === 'end') return t.see.end;
  if (token !== null && Object.values(roles ?? {}).includes(token))
    return tokenName({ id: token, text: null }, { roles });
  if (kind === 'cut') return '…';
  if (kind === 'given' && text.length > MOST_GIVEN) return `…${[...text].slice(-MOST_GIVEN).join('')}`;
  return text === '' ? '·' : text;
}

/** Which of the likeliest are left by top k and top p, in that order, as the library filters. */
function allowed(top: Place['top'], { topK, topP }: Drawing): number {
  const byK = topK === 0 ? top.length : Math.min(topK, top.length);
  if (topP >= 1) return byK;
  const total = topK === 0 ? 1 : top.slice(0, byK).reduce((sum, { probability }) => sum + probability, 0);
  let sum = 0;
  for (let i = 0; i < byK; i++) {
    sum += top[i].probability / total;
    if (sum >= topP) return i + 1;
  }
  return byK;
}

function Choices({
  place,
  drawing,
  pieces,
  model,
}: {
  place: Place;
  drawing: Drawing;
  pieces: ReadonlyMap<number, string | null>;
  model: ModelInfo;
}) {
  const left = drawing.temperature === 0 ? 1 : allowed(place.top, drawing);
  return (
    <>
      <p class="note">
        {U.choice.lead} {left < place.top.length && U.choice.filtered} <Words of={['probability', 'temperature']} />
      </p>
      <Bars
        label={U.choice.heading}
        others={model.config.vocabSize - place.top.length}
        bars={place.top.map(({ token, probability }, i) => ({
          key: String(token),
          name: tokenName({ id: token, text: pieces.get(token) ?? null }, model),
          share: probability,
          strong: token === place.token,
          faded: i >= left && token !== place.token,
        }))}
      />
    </>
  );
}
