/** Which of the models is meant, where there are several; and what to do where there is none. */
import { useRef } from 'preact/hooks';
import { attempt, go, openFiles } from '../actions';
import { LIVE, type ModelId, type ModelInfo } from '../engine/protocol';
import { update, useApp } from '../state';
import { t } from '../texts';
import { count } from '../texts/numbers';

export function modelName({ id, name, step }: ModelInfo, trained = true): string {
  if (id === LIVE) return t.model.live(name, trained);
  return step === null || name.includes(t.model.step('').trim()) ? name : `${name}, ${t.model.step(count(step))}`;
}

export function useModel(): ModelInfo | null {
  const model = useApp((app) => app.model);
  const models = useApp((app) => app.models);
  return models.find(({ id }) => id === model) ?? models[0] ?? null;
}

export function ModelChoice({
  value,
  label,
  choose,
}: {
  value?: ModelId;
  label?: string;
  choose?: (id: ModelId) => void;
}) {
  const models = useApp((app) => app.models);
  const model = useModel();
  const trained = useApp((app) => app.run.progress.step > 0);
  return (
    <label class="field model-choice">
      {label ?? t.model.label}
      <select
        value={value ?? model?.id}
        onChange={(event) => {
          const id = event.currentTarget.value;
          if (choose) choose(id);
          else update({ model: id });
        }}
      >
        {models.map((one) => (
          <option key={one.id} value={one.id}>
            {modelName(one, trained)}
          </option>
        ))}
      </select>
    </label>
  );
}

export function NoModel() {
  const file = useRef<HTMLInputElement>(null);
  return (
    <div class="panel nothing">
      <h2>{t.noModel.title}</h2>
      <p>{t.noModel.text}</p>
      <div class="buttons">
        <button type="button" class="primary" onClick={() => go('train')}>
          {t.noModel.train}
        </button>
        <button type="button" onClick={() => file.current?.click()}>
          {t.noModel.open}
        </button>
        <input
          ref={file}
          class="hidden"
          type="file"
          multiple
          tabIndex={-1}
          aria-label={t.noModel.open}
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            attempt(() => openFiles(files));
          }}
        />
      </div>
    </div>
  );
}

/** The parts of a view, as links to addresses below it. */
export function Parts({
  view,
  parts,
  chosen,
}: {
  view: string;
  parts: Readonly<Record<string, string>>;
  chosen: string;
}) {
  return (
    <nav class="parts" aria-label={t.views[view as keyof typeof t.views]}>
      {Object.entries(parts).map(([name, title]) => (
        <a key={name} href={`#${view}/${name}`} aria-current={name === chosen ? 'page' : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}
