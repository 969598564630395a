/** Tokens as one can see them, and a row of them to choose from. */
import { useEffect, useRef } from 'preact/hooks';
import type { Unread } from '../engine/protocol';
import { t } from '../texts';
import { count } from '../texts/numbers';
import { byArrows } from './press';

/** Special tokens and white space by their names. */
export function tokenText(text: string | null, first = false): string {
  if (text === null) return first ? t.see.boundary : t.see.end;
  if (text === ' ') return t.see.space;
  if (text === '\n') return t.see.newline;
  return /^[\s\p{Cc}\p{Cf}]$/u.test(text)
    ? `U+${text.codePointAt(0)?.toString(16).padStart(4, '0').toUpperCase()}`
    : text;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** In a sentence; text that runs from right to left is kept from turning the words and numbers around it. */
export function quoted(name: string): string {
  return RIGHT_TO_LEFT.test(name) ? `“\u2068${name}\u2069”` : `“${name}”`;
}

/** So many characters are named, of those that a model does not know. */
const MOST_NAMED = 16;

function listed(pieces: readonly string[]): string {
  const named = pieces.slice(0, MOST_NAMED).map((piece) => tokenText(piece));
  return named.join(' ') + (pieces.length > MOST_NAMED ? t.see.more(count(pieces.length - MOST_NAMED)) : '');
}

/** What the model reads otherwise than it was typed. */
export function Otherwise({ unknown, folded }: Unread) {
  return (
    <>
      {folded.length > 0 && <p class="note">{t.see.folded(listed(folded))}</p>}
      {unknown.length > 0 && <p class="note">{t.see.unknown(listed(unknown))}</p>}
    </>
  );
}

interface Row {
  readonly tokens: readonly { readonly id: number; readonly text: string | null }[];
  readonly chosen: number;
  readonly choose: (at: number) => void;
}

export function Tokens({ tokens, chosen, choose }: Row) {
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // A long text has more tokens than room: the chosen one is brought into view, the page stays where it is.
    const box = row.current;
    const one = box?.children[chosen];
    if (box === null || !(one instanceof HTMLElement)) return;
    const top = one.offsetTop - box.offsetTop;
    if (top < box.scrollTop || top + one.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top;
  }, [chosen, tokens.length]);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form
    <div class="tokens" ref={row} role="group" aria-label={t.see.tokens} onKeyDown={byArrows}>
      {tokens.map(({ id, text }, i) => (
        <button
          type="button"
          key={String(i)}
          class="token"
          aria-pressed={i === chosen}
          tabIndex={i === chosen ? 0 : -1}
          onClick={() => choose(i)}
        >
          <span class={text === null || /^\s$/.test(text) ? 'named' : ''}>{tokenText(text, i === 0)}</span>
          <small>{id}</small>
        </button>
      ))}
    </div>
  );
}
