/** Attention of every layer and head over the text, one of them large, with the row of the chosen token in words. */
import { useState } from 'preact/hooks';
import type { Seen } from '../../engine/protocol';
import { Matrix } from '../../parts/matrix';
import { Term } from '../../parts/term';
import { tokenText } from '../../parts/tokens';
import { t } from '../../texts';
import { count, percent } from '../../texts/numbers';

const A = t.see.attention;
const LABELLED = 40; // tokens that have room for their names

export function Attention({ seen, at }: { seen: Seen; at: number }) {
  const [chosen, setChosen] = useState({ layer: 0, head: 0 });
  const T = seen.tokens.length;
  const layer = Math.min(chosen.layer, seen.attention.length - 1);
  const head = Math.min(chosen.head, seen.heads - 1);
  const map = (l: number, h: number) => seen.attention[l].subarray(h * T * T, (h + 1) * T * T);
  const large = map(layer, head);
  const names = seen.tokens.map(({ text }, i) => tokenText(text, i === 0));
  const row = Array.from(large.subarray(at * T, at * T + at + 1), (share, i) => ({ i, share }));
  const looks = row.sort((a, b) => b.share - a.share).slice(0, 4);
  return (
    <section class="panel">
      <h2>{A.heading}</h2>
      <p class="note">
        <Term of="attention" />, <Term of="head" />, <Term of="mask" />. {A.lead}
      </p>
      <div class="attention">
        <div>
          {seen.attention.map((_, l) => (
            <div key={String(l)} class="heads">
              <h3>{A.layer(count(l + 1))}</h3>
              <div class="maps">
                {Array.from({ length: seen.heads }, (_, h) => (
                  <button
                    type="button"
                    key={String(h)}
                    class="map"
                    aria-pressed={l === layer && h === head}
                    aria-label={A.map(count(l + 1), count(h + 1))}
                    onClick={() => setChosen({ layer: l, head: h })}
                  >
                    <Matrix values={map(l, h)} rows={T} columns={T} most={1} label="" />
                    <small>{A.head(count(h + 1))}</small>
                  </button>
                ))}
              </div>
            </div>
          ))}
        </div>
        <div class="large">
          <h3>{A.map(count(layer + 1), count(head + 1))}</h3>
          <div class="grid" style={{ '--n': T }}>
            {T <= LABELLED && (
              <div class="columns" aria-hidden="true">
                {names.map((name, i) => (
                  <span key={String(i)}>{name.length > 1 ? '·' : name}</span>
                ))}
              </div>
            )}
            {T <= LABELLED && (
              <div class="rows" aria-hidden="true">
                {names.map((name, i) => (
                  <span key={String(i)} class={i === at ? 'on' : ''}>
                    {name}
                  </span>
                ))}
              </div>
            )}
            <Matrix
              class="square"
              values={large}
              rows={T}
              columns={T}
              most={1}
              label={A.map(count(layer + 1), count(head + 1))}
            />
          </div>
          <p class="looks" aria-live="polite">
            {A.looks(`“${names[at]}”`)}{' '}
            {looks.map(({ i, share }, k) => (
              <span key={String(i)}>
                {k > 0 && ', '}“{names[i]}” <b>{percent(share)}</b>
              </span>
            ))}
          </p>
        </div>
      </div>
    </section>
  );
}
