/** Probabilities as bars, likeliest first; a full bar is 100 %, so that two models can be compared by the eye. */
import { t } from '../texts';
import { count, percent } from '../texts/numbers';

interface Bar {
  readonly key: string;
  readonly name: string;
  readonly share: number;
  readonly strong?: boolean;
  readonly faded?: boolean;
}

/** `others` is how many tokens there are besides these: what is left for them together is said below. */
export function Bars({ bars, label, others = 0 }: { bars: readonly Bar[]; label: string; others?: number }) {
  const rest = Math.max(0, 1 - bars.reduce((sum, { share }) => sum + share, 0));
  return (
    <>
      <ul class="bars" aria-label={label}>
        {bars.map(({ key, name, share, strong, faded }) => (
          <li key={key} class={`${strong ? 'strong' : ''} ${faded ? 'faded' : ''}`}>
            <span class="bar-name">{name}</span>
            <span class="bar">
              <span style={{ width: `${100 * share}%` }} />
            </span>
            <span class="bar-share">{percent(share)}</span>
          </li>
        ))}
      </ul>
      {others > 0 && <p class="note others">{t.others(count(others), percent(rest))}</p>}
    </>
  );
}
