/** Settings as the part of an address after #, to share them. Invariant: whatever an address says, what comes out is in range. */
import { type Choice, CORPORA, type Corpus, DIAL, FIRST_CHOICE, NUMBERS } from './state';

/** #view/part?settings */
export function placeOf(hash: string): { readonly place: string; readonly choice: Partial<Choice> | null } {
  const [place, query] = hash.replace(/^#/, '').split('?');
  return { place: place || 'train', choice: query === undefined ? null : choiceFrom(new URLSearchParams(query)) };
}

export function linkTo(choice: Choice): string {
  const query = new URLSearchParams({ text: choice.corpus, dial: String(choice.dial), seed: choice.seed });
  for (const name of NUMBERS) if (choice[name] !== null) query.set(name, String(choice[name]));
  return `${location.href.split('#')[0]}#train?${query}`;
}

function choiceFrom(query: URLSearchParams): Choice {
  const corpus = query.get('text') as Corpus;
  const dial = Number(query.get('dial') ?? FIRST_CHOICE.dial);
  const seed = query.get('seed') ?? '';
  const numbers = NUMBERS.map((name) => {
    const value = Number(query.get(name) ?? Number.NaN);
    return [name, Number.isFinite(value) && value >= 0 ? value : null] as const;
  });
  return {
    ...FIRST_CHOICE,
    ...Object.fromEntries(numbers),
    corpus: CORPORA.includes(corpus) && corpus !== 'own' ? corpus : FIRST_CHOICE.corpus,
    dial: DIAL[dial] === undefined ? FIRST_CHOICE.dial : dial,
    seed: /^\d{1,19}$/.test(seed) ? seed : FIRST_CHOICE.seed,
  };
}
