/** What the model expects after a token. */
import type { ModelInfo, Seen } from '../../engine/protocol';
import { Bars } from '../../parts/bars';
import { Words } from '../../parts/term';
import { quoted, tokenName } from '../../parts/tokens';
import { t } from '../../texts';

const N = t.see.next;

export function NextToken({ seen, at, model }: { seen: Seen; at: number; model: ModelInfo }) {
  const heading = N.heading(quoted(tokenName(seen.tokens[at], model, at === 0)));
  return (
    <section class="panel">
      <h2>{heading}</h2>
      <p class="note">
        {N.lead} <Words of={['probability', 'logits']} />
      </p>
      <Bars
        label={heading}
        others={model.config.vocabSize - seen.next[at].length}
        bars={seen.next[at].map((token) => ({
          key: String(token.id),
          name: tokenName(token, model),
          share: token.probability,
          strong: seen.tokens[at + 1]?.id === token.id,
        }))}
      />
    </section>
  );
}
