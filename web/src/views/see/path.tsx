/** One token on its way through the model: every stage as a strip of its real numbers. */
import type { StageName } from 'microgpt';
import { useEffect, useState } from 'preact/hooks';
import { fail } from '../../actions';
import { ask } from '../../engine/client';
import type { ModelInfo, Seen, SeenStage } from '../../engine/protocol';
import { Bars } from '../../parts/bars';
import { Matrix } from '../../parts/matrix';
import { Term } from '../../parts/term';
import { quoted, tokenName } from '../../parts/tokens';
import { type Term as TermName, t } from '../../texts';
import { count, fixed } from '../../texts/numbers';

const P = t.see.path;
const TERMS: Record<StageName, TermName> = {
  embedding: 'embedding',
  norm: 'norm',
  'queries, keys, values': 'qkv',
  attention: 'attention',
  projection: 'attention',
  stream: 'stream',
  widened: 'mlp',
  bent: 'mlp',
  narrowed: 'mlp',
  logits: 'logits',
};

const LIKELIEST = 5;

interface Shown {
  readonly seen: Seen;
  readonly at: number;
  readonly model: ModelInfo;
}

export function Path({ seen, at, model }: Shown) {
  const [pieces, setPieces] = useState<readonly (string | null)[]>([]);
  useEffect(() => {
    let current = true;
    setPieces([]);
    ask('pieces', { model: model.id }).then((list) => current && setPieces(list), fail);
    return () => {
      current = false;
    };
  }, [model]);
  const names = pieces.map((text, id) => tokenName({ id, text }, model));
  const groups = new Map<string, { readonly stage: SeenStage; readonly i: number }[]>();
  for (const [i, stage] of seen.stages.entries()) {
    const title = stage.layer === null ? (i < 2 ? P.before : P.after) : P.layer(count(stage.layer + 1));
    groups.set(title, [...(groups.get(title) ?? []), { stage, i }]);
  }
  return (
    <section class="panel">
      <h2>{P.heading(quoted(tokenName(seen.tokens[at], model, at === 0)))}</h2>
      <p class="note">{P.lead}</p>
      {[...groups].map(([title, stages]) => (
        <div key={title} class="stages">
          <h3>{title}</h3>
          {stages.map(({ stage, i }) => (
            <Strip key={String(i)} stage={stage} at={at} names={stage.name === 'logits' ? names : []} />
          ))}
        </div>
      ))}
      <div class="stages">
        <h3>
          <Term of="probability">{P.probabilities}</Term>
        </h3>
        <Bars
          label={P.probabilities}
          others={model.config.vocabSize - LIKELIEST}
          bars={seen.next[at].slice(0, LIKELIEST).map((token) => ({
            key: String(token.id),
            name: tokenName(token, model),
            share: token.probability,
          }))}
        />
      </div>
    </section>
  );
}

/** `names` are those of the numbers, where each belongs to a token. */
function Strip({ stage, at, names }: { stage: SeenStage; at: number; names: readonly string[] }) {
  const { name, width } = stage;
  const values = stage.values.subarray(at * width, (at + 1) * width);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = P.range(fixed(low, 2), fixed(high, 2));
  return (
    <div class="stage">
      <Term of={TERMS[name]}>{P.stages[name]}</Term>
      <Matrix
        class="strip"
        values={values}
        rows={1}
        columns={width}
        most={Math.max(-low, high)}
        label={`${P.stages[name]}: ${P.wide(count(width))}, ${range}`}
      />
      <details>
        <summary>
          <span class="hidden">
            {P.numbers}, {P.stages[name]}:{' '}
          </span>
          {P.wide(count(width))}, {range}
        </summary>
        {names.length === width ? (
          <p class="numbers each">
            {Array.from(values, (x, i) => (
              <span key={String(i)}>
                <b class="mono">{names[i]}</b> {fixed(x, 3)}
              </span>
            ))}
          </p>
        ) : (
          <p class="mono numbers">{Array.from(values, (x) => fixed(x, 3)).join('  ')}</p>
        )}
      </details>
    </div>
  );
}
