/** What to train: the text, one dial, and behind "more" every number that the dial chooses. */
import type { Format } from 'microgpt';
import { useRef, useState } from 'preact/hooks';
import { attempt, choose, openFiles, replace, useText } from '../actions';
import { Term } from '../parts/term';
import { CORPORA, type Corpus, current, DIAL, NUMBERS, type NumberName, update, useApp } from '../state';
import { glossary, type Term as TermName, t } from '../texts';
import { count, size } from '../texts/numbers';

const T = t.train;
const FORMATS = Object.keys(T.formats) as Format[];

export function Setup() {
  const choice = useApp((app) => app.choice);
  const running = useApp((app) => app.run.progress.state === 'running');
  return (
    <form class="setup" aria-label={T.text} onSubmit={(event) => event.preventDefault()}>
      <fieldset disabled={running}>
        <legend>{T.text}</legend>
        <div class="cards">
          {CORPORA.map((name) => (
            <label key={name} class="card">
              <input type="radio" name="corpus" checked={choice.corpus === name} onChange={() => chooseCorpus(name)} />
              <span>
                <strong>{T.corpora[name]}</strong>
                <small>{T.corporaAbout[name]}</small>
              </span>
            </label>
          ))}
        </div>
        {choice.corpus === 'own' && <Own />}
      </fieldset>
      <fieldset disabled={running}>
        <legend>{T.dial}</legend>
        <input
          class="dial"
          type="range"
          min={0}
          max={DIAL.length - 1}
          step={1}
          value={choice.dial}
          aria-label={T.dial}
          aria-valuetext={`${T.dials[choice.dial]}: ${T.dialsAbout[choice.dial]}`}
          onInput={(event) => choose({ dial: Number(event.currentTarget.value) })}
        />
        <div class="dial-names" aria-hidden="true">
          {T.dials.map((name, i) => (
            <span key={name} class={i === choice.dial ? 'on' : ''}>
              {name}
            </span>
          ))}
        </div>
        <p class="note">{T.dialsAbout[choice.dial]}</p>
        <Facts />
      </fieldset>
      <details>
        <summary>{T.more}</summary>
        <fieldset disabled={running} class="fields">
          <legend class="hidden">{T.more}</legend>
          <Seed />
          {NUMBERS.map((name) => (
            <NumberField key={name} name={name} />
          ))}
        </fieldset>
      </details>
    </form>
  );
}

function chooseCorpus(corpus: Corpus): void {
  // Prose and conversations do not fit into the sixteen tokens of the classic run.
  const dial = (corpus === 'stories' || corpus === 'chat') && current().choice.dial === 0 ? 1 : current().choice.dial;
  choose({ corpus, dial });
}

function Facts() {
  const prepared = useApp((app) => app.run.prepared);
  if (prepared === null) return <p class="facts">&nbsp;</p>;
  const { parameters, settings, documents, tokens, heldOut, notes } = prepared;
  const text = documents > 1 ? T.examples(count(documents)) : T.tokens(count(tokens));
  return (
    <>
      <p class="facts">
        <span>{T.parameters(count(parameters))}</span> <span>{T.steps(count(settings.steps))}</span> <span>{text}</span>{' '}
        {heldOut > 1 && <span>{T.heldOut(count(heldOut))}</span>}
      </p>
      {notes.map((note) => (
        <p class="note" key={note}>
          {note}
        </p>
      ))}
    </>
  );
}

function Own() {
  const own = useApp((app) => app.own);
  const because = useApp((app) => app.ownBecause);
  const [text, setText] = useState('');
  const file = useRef<HTMLInputElement>(null);
  const change = (part: Partial<NonNullable<typeof own>>) => {
    if (own === null) return;
    update({ own: { ...own, ...part }, ownBecause: null });
    attempt(replace);
  };
  return (
    <div class="own">
      <textarea
        rows={5}
        aria-label={T.own.label}
        placeholder={T.own.placeholder}
        value={text}
        dir="auto"
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="buttons">
        <button
          type="button"
          disabled={text.trim() === ''}
          onClick={() => attempt(() => useText({ name: T.own.pasted, bytes: new TextEncoder().encode(text) }))}
        >
          {T.own.use}
        </button>
        <button type="button" onClick={() => file.current?.click()}>
          {T.own.choose}
        </button>
        <input
          ref={file}
          type="file"
          class="hidden"
          aria-label={T.own.choose}
          tabIndex={-1}
          accept=".txt,.csv,.tsv,.jsonl,text/*"
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            event.currentTarget.value = ''; // so that the same file can be chosen again
            attempt(() => openFiles(files));
          }}
        />
      </div>
      {own !== null && (
        <>
          <p class="facts">{T.own.current(own.name, size(own.bytes.length))}</p>
          {because !== null && <p class="note">{T.own.readAs(T.formats[own.format], because)}</p>}
          <label class="field">
            {T.own.format}
            <select value={own.format} onChange={(event) => change({ format: event.currentTarget.value as Format })}>
              {FORMATS.map((name) => (
                <option key={name} value={name}>
                  {T.formats[name]}
                </option>
              ))}
            </select>
          </label>
          {(own.format === 'csv' || own.format === 'tsv') && (
            <label class="field">
              {T.own.column}
              <input
                value={own.column ?? ''}
                placeholder={T.own.columnHint}
                onChange={(event) => change({ column: event.currentTarget.value || null })}
              />
            </label>
          )}
        </>
      )}
    </div>
  );
}

function Seed() {
  const seed = useApp((app) => app.choice.seed);
  return (
    <Field name="seed" term="seed">
      <input
        id="seed"
        inputMode="numeric"
        pattern="[0-9]{1,19}"
        value={seed}
        aria-describedby="seed-hint"
        onInput={(event) => {
          const { value, validity } = event.currentTarget;
          if (validity.valid) choose({ seed: value });
        }}
      />
    </Field>
  );
}

const TERMS: Partial<Record<NumberName, TermName>> = {
  steps: 'step',
  nHead: 'head',
  blockSize: 'context',
  learningRate: 'learningRate',
  dropout: 'dropout',
};
const WHOLE: readonly NumberName[] = ['steps', 'nEmbd', 'nHead', 'nLayer', 'blockSize', 'batchSize', 'pace'];

function NumberField({ name }: { name: NumberName }) {
  const value = useApp((app) => app.choice[name]);
  const settings = useApp((app) => app.run.prepared?.settings);
  const automatic = name === 'pace' ? null : settings && automaticValue(settings, name);
  return (
    <Field name={name} term={TERMS[name]}>
      <input
        id={name}
        type="number"
        min={name === 'dropout' ? 0 : WHOLE.includes(name) ? 1 : 0.00001}
        max={name === 'dropout' ? 0.9 : undefined}
        step={WHOLE.includes(name) ? 1 : 'any'}
        value={value ?? ''}
        placeholder={name === 'pace' ? T.fast : `${T.auto}${automatic == null ? '' : ` (${automatic})`}`}
        aria-describedby={`${name}-hint`}
        onInput={(event) => {
          const { value: typed, validity } = event.currentTarget;
          if (validity.valid) choose({ [name]: typed === '' ? null : Number(typed) });
        }}
      />
    </Field>
  );
}

type Settings = NonNullable<ReturnType<typeof current>['run']['prepared']>['settings'];

function automaticValue(settings: Settings, name: Exclude<NumberName, 'pace'>): number {
  if (name === 'steps' || name === 'batchSize' || name === 'dropout') return settings[name];
  return name === 'learningRate' ? settings.adam.learningRate : settings.model[name];
}

function Field({
  name,
  term,
  children,
}: {
  name: NumberName | 'seed';
  term?: TermName | undefined;
  children: preact.ComponentChildren;
}) {
  return (
    <div class="field">
      <span>
        <label for={name}>{T.fields[name]}</label>
        {term !== undefined && (
          <Term of={term}>
            ?<span class="hidden"> {glossary[term].word}</span>
          </Term>
        )}
      </span>
      {children}
      <small id={`${name}-hint`}>{T.hints[name]}</small>
    </div>
  );
}
