/** Saving, opening, going on, sharing: what carries a model from here to elsewhere and back. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { attempt, closeModel, corpusCalled, openFiles, resumeModel } from '../actions';
import { ask } from '../engine/client';
import { LIVE, type ModelInfo, type SaveKind, type Source } from '../engine/protocol';
import { linkTo } from '../links';
import { ModelChoice, modelName, NoModel, useModel } from '../parts/model-choice';
import { useHandingOn } from '../parts/press';
import { CORPORA, type Corpus, current, update, useApp } from '../state';
import { t } from '../texts';
import { count, size } from '../texts/numbers';

const K = t.keep;
const FORMATS = Object.keys(K.formats) as SaveKind[];

export function Keep() {
  const model = useModel();
  return (
    <>
      <div class="lead">
        <h1>{K.heading}</h1>
      </div>
      <div class="two even keep">
        {model === null ? <NoModel /> : <Save model={model} />}
        <Open />
        <Autosaved />
        <Share />
        {!__ONE_FILE__ && <Offline />}
      </div>
    </>
  );
}

const plain = (name: string) =>
  name
    .replace(/\.(run\.)?(safetensors|json|bin)$/i, '')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '') || 'model';

function Save({ model }: { model: ModelInfo }) {
  const [as, setAs] = useState<SaveKind>('safetensors');
  const [lost, setLost] = useState<readonly string[]>([]);
  const name = plain(model.name);
  const resumable = model.id === LIVE || model.resumable;
  const chosen = as === 'run' && !resumable ? 'safetensors' : as;
  const save = async () => {
    const saved = await ask('save', { model: model.id, as: chosen, name });
    setLost(saved.lost);
    for (const file of saved.files) download(file.name, file.bytes);
  };
  return (
    <section class="panel">
      <h2>{K.save}</h2>
      <p class="note">{K.saveLead}</p>
      <div class="row">
        <ModelChoice />
        <label class="field grow">
          {K.as}
          <select value={chosen} onChange={(event) => setAs(event.currentTarget.value as SaveKind)}>
            {FORMATS.filter((format) => format !== 'run' || resumable).map((format) => (
              <option key={format} value={format}>
                {K.formats[format]}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="primary" onClick={() => attempt(save)}>
          {K.download}
        </button>
      </div>
      {lost.length > 0 && (
        <p class="note" role="status">
          {K.lost} {lost.join('; ')}.
        </p>
      )}
      <h3>{K.terminal}</h3>
      <pre class="commands">{commandFor(chosen, name)}</pre>
    </section>
  );
}

function commandFor(as: SaveKind, name: string): string {
  if (as === 'run') return `npx microgpt train --resume ${name}.run.safetensors`;
  const path = {
    safetensors: `${name}.safetensors`,
    'nested model.json': `${name}.json`,
    'flat model.json': `${name}.flat.json`,
  };
  return `npx microgpt generate --model ${path[as as keyof typeof path] ?? (as === 'weights.json + meta.json' ? './' : `${name}.json`)}`;
}

function download(name: string, bytes: Uint8Array): void {
  const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function Open() {
  const models = useApp((app) => app.models);
  const file = useRef<HTMLInputElement>(null);
  const before = useApp((app) => app.before);
  // What was kept without being asked comes last.
  const others = models
    .filter(({ id }) => id !== LIVE)
    .sort((a, b) => Number(a.id === before) - Number(b.id === before));
  return (
    <section class="panel">
      <h2>{K.open}</h2>
      <p class="note">{K.openLead}</p>
      <div class="row">
        <button type="button" onClick={() => file.current?.click()}>
          {K.choose}
        </button>
        <input
          ref={file}
          class="hidden"
          type="file"
          multiple
          tabIndex={-1}
          aria-label={K.choose}
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            event.currentTarget.value = '';
            attempt(() => openFiles(files));
          }}
        />
      </div>
      <h3>{K.opened}</h3>
      {others.length === 0 ? (
        <p class="empty">{K.none}</p>
      ) : (
        <ul class="opened">
          {others.map((model) => (
            <Opened key={model.id} model={model} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Opened({ model }: { model: ModelInfo }) {
  const own = useApp((app) => app.own);
  const place = useHandingOn<HTMLLIElement>();
  const known = CORPORA.filter((name) => name !== 'own' || own !== null);
  const guess = known.find((name) => name !== 'own' && model.name.startsWith(name)) ?? (own === null ? 'names' : 'own');
  const [corpus, setCorpus] = useState<Corpus>(guess);
  const resume = async () => {
    const source = corpus === 'own' ? (current().own as Source) : await corpusCalled(corpus);
    await resumeModel(model, source);
  };
  const { nEmbd, nLayer } = model.config;
  return (
    <li ref={place}>
      <p>
        <strong>{modelName(model)}</strong>
        <small>
          {t.train.parameters(count(model.parameters))}, {K.shape(nLayer, count(nEmbd))}
        </small>
      </p>
      {model.notes.map((note) => (
        <p class="note" key={note}>
          {note}
        </p>
      ))}
      <div class="buttons">
        <button
          type="button"
          onClick={() => {
            update({ model: model.id });
            location.hash = 'see';
          }}
        >
          {K.use}
        </button>
        <button type="button" onClick={() => attempt(() => closeModel(model.id))}>
          {K.remove}
        </button>
      </div>
      {model.resumable && (
        <div class="row">
          <label class="field grow">
            {K.goOnText}
            <select value={corpus} onChange={(event) => setCorpus(event.currentTarget.value as Corpus)}>
              {known.map((name) => (
                <option key={name} value={name}>
                  {name === 'own' ? own?.name : t.train.corpora[name]}
                </option>
              ))}
            </select>
          </label>
          <button type="button" onClick={() => attempt(resume)}>
            {K.goOn}
          </button>
        </div>
      )}
    </li>
  );
}

function Autosaved() {
  const kept = useApp((app) => app.kept);
  const [forgotten, setForgotten] = useState(false);
  return (
    <section class="panel">
      <h2>{K.autosave}</h2>
      <p class="note">{kept === null || kept === 'kept' ? K.autosaveLead : t.train.notKept[kept]}</p>
      <div class="row">
        <button type="button" onClick={() => attempt(() => ask('forget', null).then(() => setForgotten(true)))}>
          {K.forget}
        </button>
        <p class="note" role="status">
          {forgotten ? K.forgotten : ''}
        </p>
      </div>
    </section>
  );
}

function Share() {
  const choice = useApp((app) => app.choice);
  const [copied, setCopied] = useState(false);
  const link = linkTo(choice);
  useEffect(() => setCopied(false), [link]);
  const field = useRef<HTMLInputElement>(null);
  const copy = async () => {
    field.current?.select();
    // On a plain http page there is no clipboard: then the link is at least selected.
    if (navigator.clipboard === undefined) return;
    await navigator.clipboard.writeText(link);
    setCopied(true);
  };
  return (
    <section class="panel">
      <h2>{K.share}</h2>
      <p class="note">
        {K.shareLead} {choice.corpus === 'own' && K.shareOwn}
      </p>
      <div class="row">
        <input
          ref={field}
          class="grow mono"
          readOnly
          aria-label={K.share}
          value={link}
          onFocus={(event) => event.currentTarget.select()}
        />
        <button type="button" onClick={() => attempt(copy)}>
          {copied ? t.train.copied : K.copy}
        </button>
      </div>
    </section>
  );
}

function Offline() {
  const [bytes, setBytes] = useState<number | null>(null);
  useEffect(() => {
    fetch('microgpt.html', { method: 'HEAD' }).then(
      (answer) => answer.ok && setBytes(Number(answer.headers.get('Content-Length')) || 0),
      () => {},
    );
  }, []);
  if (bytes === null) return null;
  return (
    <section class="panel">
      <h2>{K.offline}</h2>
      <p class="note">{K.offlineLead}</p>
      <div class="row">
        <a class="button" href="microgpt.html" download>
          {K.oneFile}
          {bytes > 0 && `, ${size(bytes)}`}
        </a>
      </div>
    </section>
  );
}
