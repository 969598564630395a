/** Tokens as one can see them, and a row of them to choose from. */
import { useEffect, useRef } from 'preact/hooks';
import type { ModelInfo, Unread } from '../engine/protocol';
import { t } from '../texts';
import { count } from '../texts/numbers';
import { byArrows } from './press';

/** Tokens by their names; `first` is the one that stands before a text. */
export function tokenName({ id, text }: Piece, { roles }: Pick<ModelInfo, 'roles'>, first = false): string {
  if (text !== null) return tokenText(text);
  if (id === roles?.user) return t.see.roles.user;
  if (id === roles?.assistant) return t.see.roles.assistant;
  if (id === roles?.end) return t.see.roles.end;
  return first ? t.see.boundary : t.see.end;
}

/** White space by its name. */
export function tokenText(text: string): string {
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

interface Piece {
  readonly id: number;
  readonly text: string | null;
}

interface Row {
  readonly tokens: readonly Piece[];
  readonly model: ModelInfo;
  readonly chosen: number;
  readonly choose: (at: number) => void;
}

export function Tokens({ tokens, model, chosen, choose }: Row) {
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
      {tokens.map((token, i) => (
        <button
          type="button"
          key={String(i)}
          class="token"
          aria-pressed={i === chosen}
          tabIndex={i === chosen ? 0 : -1}
          onClick={() => choose(i)}
        >
          <span class={token.text === null || /^\s$/.test(token.text) ? 'named' : ''}>
            {tokenName(token, model, i === 0)}
          </span>
          <small>
            <i class="hidden">{t.see.token}</i>
            {token.id}
          </small>
        </button>
      ))}
    </div>
  );
}
