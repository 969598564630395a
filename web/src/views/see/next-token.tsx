/** What the model expects after a token. */
import type { Seen } from '../../engine/protocol';
import { Bars } from '../../parts/bars';
import { Words } from '../../parts/term';
import { quoted, tokenText } from '../../parts/tokens';
import { t } from '../../texts';

const N = t.see.next;

export function NextToken({ seen, at, tokens }: { seen: Seen; at: number; tokens: number }) {
  const heading = N.heading(quoted(tokenText(seen.tokens[at].text, at === 0)));
  return (
    <section class="panel">
      <h2>{heading}</h2>
      <p class="note">
        {N.lead} <Words of={['probability', 'logits']} />
      </p>
      <Bars
        label={heading}
        others={tokens - seen.next[at].length}
        bars={seen.next[at].map(({ id, text, probability }) => ({
          key: String(id),
          name: tokenText(text),
          share: probability,
          strong: seen.tokens[at + 1]?.id === id,
        }))}
      />
    </section>
  );
}
