/** The inside of a model while it reads a text: its parts share the text, the tokens and the token that is looked at. */
import { useEffect, useState } from 'preact/hooks';
import { fail } from '../actions';
import { ask } from '../engine/client';
import { LIVE, type Seen } from '../engine/protocol';
import { ModelChoice, NoModel, Parts, useModel } from '../parts/model-choice';
import { Words } from '../parts/term';
import { Otherwise, Tokens } from '../parts/tokens';
import { update, useApp } from '../state';
import { t } from '../texts';
import { Attention } from './see/attention';
import { useMoments } from './see/moments';
import { NextToken } from './see/next-token';
import { Path } from './see/path';
import { Scalar } from './see/scalar';
import { Weights } from './see/weights';

const S = t.see;
/** Between two looks into a model that is being trained, in ms. */
const LIVE_LOOK = 250;
type Part = keyof typeof S.parts;
const partOf = (place: string): Part =>
  Object.hasOwn(S.parts, place.split('/')[1] ?? '') ? (place.split('/')[1] as Part) : 'next';

export function See() {
  const part = useApp((app) => partOf(app.place));
  const text = useApp((app) => app.text);
  const step = useApp((app) => app.run.progress.step);
  const running = useApp((app) => app.run.progress.state === 'running');
  const run = useApp((app) => app.run.prepared?.run);
  const model = useModel();
  const [seen, setSeen] = useState<Seen | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const { moment, last, chooser } = useMoments(step);
  const reads = part === 'next' || part === 'attention' || part === 'path';
  const age = running ? 'now' : step;
  const past = model?.id === LIVE && moment < last ? moment : null;

  useEffect(() => {
    if (model === null || !reads) return;
    let current = true;
    const look = () =>
      ask('see', { model: model.id, text, moment: past }).then(
        (answer) => current && setSeen(answer),
        (error) => current && fail(error),
      );
    look();
    // A model in training changes while one looks at it.
    const again = running && past === null ? setInterval(look, LIVE_LOOK) : undefined;
    return () => {
      current = false;
      clearInterval(again);
    };
  }, [model?.id, text, age, run, reads, past]);

  if (model === null)
    return (
      <Frame part={part}>
        <NoModel />
      </Frame>
    );
  const chosen = seen === null ? 0 : Math.min(at ?? seen.tokens.length - 1, seen.tokens.length - 1);
  const asked = (
    <div class={part === 'scalar' ? 'asked row' : 'panel asked'}>
      <label class="field grow">
        {S.text}
        <input
          value={text}
          dir="auto"
          spellcheck={false}
          onInput={(event) => {
            update({ text: event.currentTarget.value });
            setAt(null);
          }}
        />
      </label>
      <ModelChoice />
      {reads && seen !== null && (
        <div class="wide">
          <p class="note">
            {S.tokensLead} <Words of={['token', 'boundary']} />
          </p>
          <Tokens tokens={seen.tokens} model={model} chosen={chosen} choose={setAt} />
          <Otherwise unknown={seen.unknown} folded={seen.folded} />
          {seen.cut && <p class="note">{S.cut}</p>}
          {model.id === LIVE && last > 0 && <div class="row">{chooser}</div>}
        </div>
      )}
    </div>
  );
  return (
    <Frame part={part}>
      {reads && asked}
      {part === 'next' && seen !== null && <NextToken seen={seen} at={chosen} model={model} />}
      {part === 'attention' && seen !== null && <Attention seen={seen} at={chosen} model={model} choose={setAt} />}
      {part === 'path' && seen !== null && <Path seen={seen} at={chosen} model={model} />}
      {part === 'weights' && <Weights />}
      {part === 'scalar' && <Scalar model={model.id} text={text} asked={asked} />}
    </Frame>
  );
}

function Frame({ part, children }: { part: Part; children: preact.ComponentChildren }) {
  return (
    <>
      <div class="lead">
        <h1>{S.heading}</h1>
      </div>
      <Parts view="see" parts={S.parts} chosen={part} />
      <div class="stack">{children}</div>
    </>
  );
}
