/** What a model is good for: writing, talking, judging, and being compared. */
import { ModelChoice, NoModel, Parts, useModel } from '../parts/model-choice';
import { useApp } from '../state';
import { t } from '../texts';
import { Chat } from './use/chat';
import { Compare } from './use/compare';
import { Generate } from './use/generate';
import { Score } from './use/score';

const U = t.use;
const PARTS = { generate: Generate, chat: Chat, score: Score, compare: Compare };
type Part = keyof typeof PARTS;
const partOf = (place: string): Part =>
  Object.hasOwn(PARTS, place.split('/')[1] ?? '') ? (place.split('/')[1] as Part) : 'generate';

export function Use() {
  const part = useApp((app) => partOf(app.place));
  const model = useModel();
  const Chosen = PARTS[part];
  return (
    <>
      <div class="lead">
        <h1>{U.heading}</h1>
      </div>
      <Parts view="use" parts={U.parts} chosen={part} />
      <div class="stack">
        {model === null ? (
          <NoModel />
        ) : (
          <>
            {part !== 'compare' && (
              <div class="row first">
                <ModelChoice />
              </div>
            )}
            <Chosen key={part} model={model} />
          </>
        )}
      </div>
    </>
  );
}
