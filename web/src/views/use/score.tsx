/** Lines coloured by how surprising each character is to the model. */
import type { TextScore } from 'microgpt';
import { useEffect, useState } from 'preact/hooks';
import { attempt } from '../../actions';
import { ask } from '../../engine/client';
import type { ModelInfo } from '../../engine/protocol';
import { Term } from '../../parts/term';
import { t } from '../../texts';
import { fixed } from '../../texts/numbers';

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
          <Term of="surprise" />. {S.lead}
        </p>
        <div class="row">
          <label class="field grow">
            {S.text}
            <textarea
              rows={4}
              value={text}
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
                  <span class="scored">
                    {score.characters?.map(({ text: c, bits }, k) => (
                      <span
                        key={String(k)}
                        title={S.character(c, fixed(bits, 1))}
                        style={{ '--bits': Math.min(1, bits / MOST) }}
                      >
                        {c}
                      </span>
                    ))}
                    <span
                      class="end"
                      title={S.character(S.end, fixed(score.endBits, 1))}
                      style={{ '--bits': Math.min(1, score.endBits / MOST) }}
                    >
                      {S.end}
                    </span>
                  </span>
                  <span class="bits">{S.bits(fixed(score.bitsPerCharacter, 2))}</span>
                </li>
              ))}
            </ol>
          </>
        )}
      </section>
    </>
  );
}
