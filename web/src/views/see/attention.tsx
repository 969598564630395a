/** Attention of every layer and head over the text, one of them large, with the row of the chosen token in words. */
import { useState } from 'preact/hooks';
import type { ModelInfo, Seen } from '../../engine/protocol';
import { Matrix } from '../../parts/matrix';
import { Words } from '../../parts/term';
import { quoted, tokenName } from '../../parts/tokens';
import { t } from '../../texts';
import { count, percent } from '../../texts/numbers';

const A = t.see.attention;
const LABELLED = 40; // tokens that have room for their names
const ROOMY = 7; // as many columns have room for a word

interface Shown {
  readonly seen: Seen;
  readonly at: number;
  readonly model: ModelInfo;
  readonly choose: (at: number) => void;
}

export function Attention({ seen, at, model, choose }: Shown) {
  const [chosen, setChosen] = useState({ layer: 0, head: 0 });
  const [cell, setCell] = useState<{ readonly row: number; readonly column: number } | null>(null);
  const T = seen.tokens.length;
  const layer = Math.min(chosen.layer, seen.attention.length - 1);
  const head = Math.min(chosen.head, seen.heads - 1);
  const map = (l: number, h: number) => seen.attention[l].subarray(h * T * T, (h + 1) * T * T);
  const large = map(layer, head);
  const names = seen.tokens.map((token, i) => tokenName(token, model, i === 0));
  const row = Array.from(large.subarray(at * T, at * T + at + 1), (share, i) => ({ i, share }));
  const looks = row.sort((a, b) => b.share - a.share).slice(0, 4);
  const said = (row: number, column: number) => {
    const [from, to] = [quoted(names[row]), column === row ? A.itself : quoted(names[column])];
    return column > row ? A.masked(from, to) : A.cell(from, to, percent(large[row * T + column]));
  };
  return (
    <section class="panel">
      <h2>{A.heading}</h2>
      <p class="note">
        {A.lead} <Words of={['attention', 'head', 'mask']} />
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
                  <span key={String(i)}>{name.length > 1 && T > ROOMY ? '·' : name}</span>
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
            <div class="square">
              <Matrix
                values={large}
                rows={T}
                columns={T}
                most={1}
                label={A.map(count(layer + 1), count(head + 1))}
                point={(row, column) => setCell({ row, column })}
                leave={() => setCell(null)}
                press={choose}
              />
              <i style={{ top: `${(100 * at) / T}%`, height: `${100 / T}%` }} />
            </div>
          </div>
          <p class="looks" aria-live="polite">
            {A.looks(quoted(names[at]))}{' '}
            {looks.map(({ i, share }, k) => (
              <span key={String(i)}>
                {k > 0 && ', '}
                {i === at ? A.itself : quoted(names[i])} <b>{percent(share)}</b>
              </span>
            ))}
          </p>
          <p class="note pointed" aria-hidden="true">
            {cell === null || cell.row >= T || cell.column >= T ? A.point : said(cell.row, cell.column)}
          </p>
        </div>
      </div>
    </section>
  );
}
