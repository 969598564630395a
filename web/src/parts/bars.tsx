/** Probabilities as bars, likeliest first. */
import { percent } from '../texts/numbers';

interface Bar {
  readonly key: string;
  readonly name: string;
  readonly share: number;
  readonly strong?: boolean;
  readonly faded?: boolean;
}

export function Bars({ bars, label }: { bars: readonly Bar[]; label: string }) {
  const most = Math.max(...bars.map(({ share }) => share), 1e-9);
  return (
    <ul class="bars" aria-label={label}>
      {bars.map(({ key, name, share, strong, faded }) => (
        <li key={key} class={`${strong ? 'strong' : ''} ${faded ? 'faded' : ''}`}>
          <span class="bar-name">{name}</span>
          <span class="bar">
            <span style={{ width: `${(100 * share) / most}%` }} />
          </span>
          <span class="bar-share">{percent(share)}</span>
        </li>
      ))}
    </ul>
  );
}
