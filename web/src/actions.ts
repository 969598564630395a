/**
 * What a person can do: each action asks the engine and writes into the state. The engine's events are heard here too.
 * Refuses to know: components. Invariant: every failure ends up in `problem`, where it is shown.
 */
import { ask, EngineProblem, listen } from './engine/client';
import { fetchCorpus } from './engine/corpora-fetch';
import {
  type EngineEvent,
  type Job,
  LIVE,
  type ModelInfo,
  type NamedFile,
  type Prepared,
  type Problem,
  type Source,
} from './engine/protocol';
import { placeOf } from './links';
import {
  type Choice,
  type Corpus,
  current,
  DIAL,
  emptyRun,
  FIRST_CHOICE,
  IDLE,
  type Run,
  update,
  updateRun,
} from './state';
import { t } from './texts';
import { count, size } from './texts/numbers';

const FILES: Record<Exclude<Corpus, 'own'>, Pick<Source, 'name' | 'format'>> = {
  names: { name: 'names.txt', format: 'lines' },
  stories: { name: 'stories.txt', format: 'chunked' },
  chat: { name: 'chat.jsonl', format: 'chat' },
};
/** Texts are read whole, and kept with the run. */
const MOST_BYTES = 32_000_000;
const fetched = new Map<string, Uint8Array>();

export function fail(error: unknown): void {
  const problem: Problem =
    error instanceof EngineProblem
      ? error.problem
      : { code: null, message: error instanceof Error ? error.message : String(error), remedy: '' };
  update({ problem });
}

/** Runs an action and shows what goes wrong. */
export const attempt = (act: () => Promise<unknown>): void => void act().catch(fail);

export async function corpusCalled(corpus: Exclude<Corpus, 'own'>): Promise<Source> {
  const { name, format } = FILES[corpus];
  const bytes = fetched.get(name) ?? (await fetchCorpus(name));
  fetched.set(name, bytes);
  return { name, format, bytes, column: null };
}

async function jobFor(choice: Choice): Promise<Job | null> {
  const { corpus, dial, ...rest } = choice;
  const source = corpus === 'own' ? current().own : await corpusCalled(corpus);
  if (source === null) return null;
  const { recipe, seconds } = DIAL[dial];
  return { ...rest, seed: rest.seed || '42', source, recipe, seconds };
}

let preparing = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Sets up a run by the choice of the moment. Only the last of several quick choices counts. */
export async function prepare(): Promise<void> {
  clearTimeout(timer);
  const mine = ++preparing;
  update({ run: emptyRun(current().run.number, true), recovered: null, problem: null });
  try {
    const job = await jobFor(current().choice);
    if (mine !== preparing) return;
    if (job === null) return updateRun({ preparing: false });
    const prepared = await ask('prepare', job);
    if (mine !== preparing) return;
    updateRun({ prepared, preparing: false, progress: IDLE, lossesFrom: prepared.startStep });
    if (current().model === null) update({ model: LIVE });
    updateRun({ hash: await ask('hash', null) });
  } catch (error) {
    if (mine !== preparing) return;
    updateRun({ preparing: false });
    const models = current().models.filter(({ id }) => id !== LIVE); // its run has ended
    update({ models, model: current().model === LIVE ? (models.at(-1)?.id ?? null) : current().model });
    fail(error);
  }
}

/** So large a model is not kept without being asked, in parameters. */
const MOST_KEPT = 4_000_000;

/** Keeps the model of the run that is about to end, where a good part of it is done: it is not lost to a wrong button or a wrong file. */
async function keepBefore(): Promise<void> {
  const { run, before, models } = current();
  const { prepared, progress } = run;
  const worth = prepared !== null && 10 * progress.step >= prepared.settings.steps;
  if (!worth || prepared.parameters > MOST_KEPT || isKept(run)) return;
  const kept = await keepLive();
  if (before !== null && models.some(({ id }) => id === before)) await closeModel(before);
  update({ before: kept.id });
}

/** Sets up another run; the model of the run before stays open. */
export async function replace(): Promise<void> {
  await keepBefore();
  await prepare();
}

/** Changes what is to be trained; the run is set up anew, shortly after. */
export function choose(part: Partial<Choice>): void {
  update({ choice: { ...current().choice, ...part } });
  preparing++;
  updateRun({ preparing: true, hash: null });
  clearTimeout(timer);
  timer = setTimeout(() => attempt(replace), 250);
}

let startedAt = 0;
let trained = 0; // ms, without the pauses

export async function train(steps: number | null): Promise<void> {
  const { run } = current();
  if (run.prepared === null || run.progress.state === 'running') return;
  if (run.progress.state === 'ready') {
    trained = 0;
    update({ model: LIVE }); // what is trained now is what one means to look at
  }
  startedAt = performance.now();
  updateRun({ progress: { ...run.progress, state: 'running' }, hash: null });
  update({ said: '' });
  await ask('train', { steps });
}

export const pause = (): Promise<unknown> => ask('pause', null);

/** Back to the first step of the same run, to train it once more: the same seed gives the same weights again. */
export async function again(): Promise<void> {
  await ask('forget', null);
  await prepare();
}

/** The same, by a button that may be a wrong one: the model stays open. */
export async function reset(): Promise<void> {
  await keepBefore();
  await ask('forget', null);
  await prepare();
}

async function heard(event: EngineEvent): Promise<void> {
  const { run } = current();
  switch (event.type) {
    case 'samples':
      if (event.run < run.number) return;
      if (event.run > run.number) update({ run: { ...emptyRun(event.run, true), samples: [event] } });
      else updateRun({ samples: [...run.samples.filter(({ step }) => step !== event.step), event].slice(-40) });
      return;
    case 'progress': {
      if (event.run !== run.number) return;
      for (const loss of event.losses) run.losses.push(loss);
      const { progress } = event;
      const ended = progress.state !== 'running' && run.progress.state === 'running';
      if (ended) trained += performance.now() - startedAt;
      updateRun({
        progress,
        seen: run.losses.length,
        evals: event.evals.length > 0 ? [...run.evals, ...event.evals] : run.evals,
        took: progress.state === 'done' ? trained / 1000 : null,
      });
      if (!ended) return;
      const last = run.losses.at(-1);
      const state = progress.state === 'done' ? t.views.train : t.train.paused;
      update({
        said: `${state}: ${t.train.progress(count(progress.step), count(run.prepared?.settings.steps ?? 0))}, ${t.train.loss} ${last?.toFixed(3) ?? ''}`,
      });
      updateRun({ hash: await ask('hash', null) });
      return;
    }
    case 'warning':
      updateRun({ warnings: [...new Set([...run.warnings, event.code])] });
      return;
    case 'live':
      setModel(event.model);
      return;
    case 'failed':
      update({ problem: event.problem });
      updateRun({ progress: { ...run.progress, state: 'done' }, took: null });
      return;
    case 'autosave':
      if (current().kept !== event.kept) update({ kept: event.kept });
      return;
    case 'sample':
      return;
    default:
      event satisfies never;
  }
}

/** Puts a model into the list, in the place of the one of the same id. */
function setModel(model: ModelInfo): void {
  const others = current().models.filter(({ id }) => id !== model.id);
  update({ models: model.id === LIVE ? [model, ...others] : [...others, model] });
}

export async function openFiles(files: readonly File[]): Promise<void> {
  const named: NamedFile[] = await Promise.all(
    files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })),
  );
  const first = named[0];
  if (first === undefined) return;
  if (isText(first.name)) return useText(first);
  const model = await ask('open', { files: named });
  setModel(model);
  update({ model: model.id });
  go('keep');
}

/** By their names; conversations end in .jsonl, models in .json. */
const isText = (name: string) => !/\.(safetensors|json|bin)$/i.test(name);

/** Trains on a text of one's own from now on. */
export async function useText(file: NamedFile): Promise<void> {
  if (file.bytes.length > MOST_BYTES) {
    const message = t.train.own.large(file.name, size(file.bytes.length), size(MOST_BYTES));
    return update({ problem: { code: t.train.own.largeCode, message, remedy: t.train.own.largeRemedy(file.name) } });
  }
  const { format, because } = await ask('guess', file);
  update({
    own: { ...file, format, column: null },
    ownBecause: because,
    choice: { ...current().choice, corpus: 'own' },
  });
  go('train');
  await replace();
}

let kept = ''; // run and step of the copy that was made last
const momentOf = ({ number, progress }: Run) => `${number} ${progress.step}`;
const isKept = (run: Run) => kept === momentOf(run);

export async function keepLive(): Promise<ModelInfo> {
  const { run } = current();
  const seed = run.prepared?.settings.seed ?? FIRST_CHOICE.seed;
  const source = run.prepared?.source.replace(/\.[a-z]+$/i, '') ?? 'model';
  const name = t.train.keptAs(source, seed === FIRST_CHOICE.seed ? null : seed, count(run.progress.step));
  const model = await ask('keep', { name });
  kept = momentOf(run);
  setModel(model);
  return model;
}

export async function closeModel(id: string): Promise<void> {
  await ask('close', { model: id });
  const models = current().models.filter((model) => model.id !== id);
  update({ models, model: current().model === id ? (models[0]?.id ?? null) : current().model });
}

/** Goes on with the run of an opened model. */
export async function resumeModel(model: ModelInfo, source: Source): Promise<void> {
  preparing++;
  await keepBefore();
  const prepared = await ask('resume', { model: model.id, source });
  showResumed(prepared.startStep, prepared);
  update({ model: LIVE, choice: choiceOf(prepared, source), own: corpusOf(source) === 'own' ? source : current().own });
  updateRun({ hash: await ask('hash', null) });
  go('train');
}

const corpusOf = ({ name }: Pick<Source, 'name'>): Corpus =>
  (Object.keys(FILES) as (keyof typeof FILES)[]).find((corpus) => FILES[corpus].name === name) ?? 'own';

/** What one would have chosen for this run, so that a reset begins it anew. */
function choiceOf({ settings }: Prepared, source: Source): Choice {
  const { seed, steps, batchSize, dropout, model, adam } = settings;
  const { nEmbd, nHead, nLayer, blockSize } = model;
  const numbers = { steps, batchSize, dropout, nEmbd, nHead, nLayer, blockSize, learningRate: adam.learningRate };
  return { ...numbers, seed, corpus: corpusOf(source), dial: settings.recipe === 'canonical' ? 0 : 2, pace: null };
}

function showResumed(step: number, prepared: Prepared): void {
  const state = step >= prepared.settings.steps ? 'done' : 'paused';
  updateRun({ prepared, preparing: false, progress: { ...IDLE, state, step }, lossesFrom: step });
}

export function go(place: string): void {
  if (location.hash !== `#${place}`) location.hash = place;
  update({ place });
}

export function setTheme(theme: 'auto' | 'light' | 'dark'): void {
  update({ theme });
  if (theme === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  try {
    localStorage.setItem('microgpt theme', theme);
  } catch {
    // not kept, and no harm done
  }
}

function keptTheme(): 'auto' | 'light' | 'dark' {
  try {
    const kept = localStorage.getItem('microgpt theme');
    return kept === 'light' || kept === 'dark' ? kept : 'auto';
  } catch {
    return 'auto';
  }
}

/** Brings back the run that this browser kept, unless the address asks for another one; else sets one up. */
export async function begin(): Promise<void> {
  setTheme(keptTheme());
  listen((event) => void heard(event).catch(fail));
  window.addEventListener('hashchange', followAddress);
  const { place, choice } = placeOf(location.hash);
  update({ place });
  ask('hello', null).then(
    ({ isolated, whyOneThread }) => update({ isolated, whyOneThread }),
    () => {},
  );
  if (choice !== null) {
    update({ choice: { ...current().choice, ...choice } });
    forgetSettings(place);
  }
  const recovered = choice === null ? await ask('recover', null) : null;
  if (recovered === null) return prepare();
  const { prepared, job, step, savedAt, losses, evals, samples } = recovered;
  const corpus = corpusOf(job.source);
  const dial = Math.max(
    0,
    DIAL.findIndex(({ recipe, seconds }) => recipe === job.recipe && seconds === job.seconds),
  );
  const { source, recipe: _, seconds: __, ...rest } = job;
  update({
    choice: { ...rest, corpus, dial },
    own: corpus === 'own' ? source : null,
    recovered: { name: job.source.name, step, savedAt },
    model: LIVE,
  });
  showResumed(step, prepared);
  const all = Array.from(losses);
  updateRun({ losses: all, seen: all.length, lossesFrom: step - all.length, evals, samples });
  updateRun({ hash: await ask('hash', null) });
}

function followAddress(): void {
  const { place, choice } = placeOf(location.hash);
  update({ place });
  if (choice === null) return;
  choose(choice);
  forgetSettings(place);
}

/** Settings in the address count once: after a reload the run that was kept comes back. */
function forgetSettings(place: string): void {
  history.replaceState(null, '', `#${place}`);
}
