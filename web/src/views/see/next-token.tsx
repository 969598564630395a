/** What the model expects after a token. */
import type { Seen } from '../../engine/protocol';
import { Bars } from '../../parts/bars';
import { Term } from '../../parts/term';
import { tokenText } from '../../parts/tokens';
import { t } from '../../texts';

const N = t.see.next;

export function NextToken({ seen, at }: { seen: Seen; at: number }) {
  const heading = N.heading(`“${tokenText(seen.tokens[at].text, at === 0)}”`);
  return (
    <section class="panel">
      <h2>{heading}</h2>
      <p class="note">
        <Term of="probability" />, <Term of="logits" />. {N.lead}
      </p>
      <Bars
        label={heading}
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
