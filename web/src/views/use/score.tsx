/** Lines coloured by how surprising each character is to the model. */
import type { TextScore } from 'microgpt';
import { useEffect, useState } from 'preact/hooks';
import { attempt } from '../../actions';
import { ask } from '../../engine/client';
import type { ModelInfo } from '../../engine/protocol';
import { Words } from '../../parts/term';
import { tokenText } from '../../parts/tokens';
import { t } from '../../texts';
import { fixed, percent } from '../../texts/numbers';

const S = t.use.score;
const MOST = 8; // bits: as strong as colour gets
let kept = 'maria\nwilhelmina\nqxzvk';

export function Score({ model }: { model: ModelInfo }) {
  const [text, setText] = useState(kept);
  const [scores, setScores] = useState<readonly TextScore[]>([]);
  useEffect(() => setScores([]), [model.id]);
  const go = async () => {
    const texts = text
      .split('\n')
      .filter((line) => line !== '')
      .slice(0, 500);
    if (texts.length > 0) setScores(await ask('score', { model: model.id, texts }));
  };
  return (
    <>
      <form
        class="panel"
        onSubmit={(event) => {
          event.preventDefault();
          attempt(go);
        }}
      >
        <p class="note">
          {S.lead} <Words of={['surprise']} />
        </p>
        <div class="row">
          <label class="field grow">
            {S.text}
            <textarea
              rows={4}
              value={text}
              dir="auto"
              spellcheck={false}
              onInput={(event) => {
                kept = event.currentTarget.value;
                setText(kept);
              }}
            />
          </label>
          <button type="submit" class="primary">
            {S.go}
          </button>
        </div>
      </form>
      <section class="panel" aria-label={S.go}>
        {scores.length === 0 ? (
          <p class="empty">{S.empty}</p>
        ) : (
          <>
            <p class="legend note" aria-hidden="true">
              {S.legend[0]} <i /> {S.legend[1]}
            </p>
            <ol class="scores">
              {scores.map((score, i) => (
                <li key={String(i)}>
                  <Scored score={score} />
                </li>
              ))}
            </ol>
          </>
        )}
      </section>
    </>
  );
}

/** What a character's surprise means: its bits, and the probability that they stand for. */
const saidOf = (text: string, bits: number) => S.character(text, fixed(bits, 1), percent(2 ** -bits));

function Scored({ score }: { score: TextScore }) {
  const characters = (score.characters ?? []).map(({ text, bits }) => ({ text, bits, end: false }));
  const all = [...characters, { text: S.end, bits: score.endBits, end: true }];
  return (
    <>
      <span class="scored" dir="auto">
        {all.map(({ text, bits, end }, k) => (
          <span
            key={String(k)}
            class={end ? 'end' : ''}
            title={saidOf(text, bits)}
            style={{ '--bits': Math.min(1, bits / MOST) }}
          >
            {text}
          </span>
        ))}
      </span>
      <details>
        <summary class="bits">{S.bits(fixed(score.bitsPerCharacter, 2))}</summary>
        <p class="numbers each">
          {all.map(({ text, bits }, k) => (
            <span key={String(k)}>
              <b class="mono">{tokenText(text)}</b> {fixed(bits, 1)}
            </span>
          ))}
        </p>
      </details>
    </>
  );
}
