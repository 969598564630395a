/** Words that explain themselves: a button in the text, and the card that says what the word means in two sentences. */
import { type ComponentChildren, Fragment } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { update, useApp } from '../state';
import { glossary, type Term as Name, t } from '../texts';

let asked: HTMLElement | null = null;

export function Term({ of, children }: { of: Name; children?: ComponentChildren }) {
  return (
    <button
      type="button"
      class="term"
      onClick={(event) => {
        asked = event.currentTarget;
        update({ term: of });
      }}
    >
      {children ?? glossary[of].word}
    </button>
  );
}

/** Words of a view that one may want explained, at the end of what introduces it. */
export function Words({ of }: { of: readonly Name[] }) {
  return (
    <span class="explained">
      {t.explained}{' '}
      {of.map((name, i) => (
        <Fragment key={name}>
          {i > 0 && ' · '}
          <Term of={name} />
        </Fragment>
      ))}
    </span>
  );
}

export function Explanation() {
  const term = useApp((app) => app.term);
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (term !== null) button.current?.focus();
    else if (asked?.isConnected) asked.focus();
  }, [term]);
  if (term === null) return null;
  const { word, text } = glossary[term];
  return (
    <div class="explanation" role="dialog" aria-label={word}>
      <h2>{word}</h2>
      <p>{text}</p>
      <button type="button" ref={button} onClick={() => update({ term: null })}>
        {t.close}
      </button>
    </div>
  );
}
