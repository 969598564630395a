/**
 * The training in the worker: prepares a run, drives its events in slices, so that questions get their turn, and keeps what the page shows.
 * Refuses to know: the page. Invariant: nothing here changes what is computed: the weights are those of the same run in a terminal.
 */
import {
  type Checkpoint,
  createTraining,
  decodeModel,
  type EvalEvent,
  encodeSafetensors,
  RECIPES,
  type Settings,
  sha256,
  type Training,
} from 'microgpt';
import { type BrowserThreads, browserThreads } from 'microgpt/browser';
import {
  clearAutosave,
  forgetMoments,
  type Moment,
  readAutosave,
  readMoments,
  thinned,
  writeAutosave,
} from './autosave';
import { setLive } from './models';
import type {
  EngineEvent,
  Job,
  Prepared,
  Progress,
  Recovered,
  Samples,
  TrainState,
  WeightMap,
  WeightNames,
} from './protocol';
import { corpusOf } from './reading';

/** How long the loop runs before questions get their turn, in ms. */
const SLICE = 24;
/** Between two reports to the page, and two autosaves, in ms. */
const REPORT = 60;
const AUTOSAVE = 2500;
/** So often in a run, samples are drawn and weights are kept. */
const LOOKS = 12;
const SAMPLES = 5;
/** Of texts that are longer than so many tokens, two are enough. */
const LONG = 48;
/** Numbers of weights and gradients that are kept for the colour maps. */
const MOST_KEPT = 12_000_000;

interface Session {
  readonly job: Job;
  readonly training: Training;
  readonly prepared: Prepared;
  readonly losses: number[];
  readonly evals: EvalEvent[];
  readonly samples: Samples[];
  readonly moments: Moment[];
  state: TrainState;
  /** The reader has had it forgotten: it is not kept again. */
  forgotten: boolean;
  controller: AbortController | null;
  running: Promise<void>;
  speed: number | null;
}

/** A job that leaves everything to its recipe. */
export const NO_CHOICES = {
  seconds: null,
  steps: null,
  nEmbd: null,
  nHead: null,
  nLayer: null,
  blockSize: null,
  batchSize: null,
  learningRate: null,
  dropout: null,
  pace: null,
} as const;

export type Say = (event: EngineEvent) => void;

let session: Session | null = null;
let runs = 0;
let threads: BrowserThreads | undefined;
let threadsAsked = false;
export let whyOneThread: string | null = null;

async function threadsFor(job: Job): Promise<BrowserThreads | undefined> {
  const small = job.recipe === 'canonical' || (job.seconds !== null && job.seconds <= 3 && job.nEmbd === null);
  if (small) return undefined;
  if (!threadsAsked) {
    threadsAsked = true;
    threads = await browserThreads(undefined, (why) => {
      whyOneThread = why;
    });
  }
  return threads;
}

const given = <T>(value: T | null): T | undefined => value ?? undefined;

export async function prepare(job: Job, say: Say): Promise<Prepared> {
  await end();
  const recipe = RECIPES[job.recipe];
  const { validation } = recipe.data;
  const corpus = corpusOf(job.source, { ...RECIPES.standard.data, validation }, recipe.bosPlace);
  const chat = job.source.format === 'chat' ? { temperature: 0.5 } : {};
  const training = createTraining({
    corpus,
    recipe: job.recipe,
    seconds: given(job.seconds),
    seed: BigInt(job.seed),
    steps: given(job.steps),
    batchSize: given(job.batchSize),
    learningRate: given(job.learningRate),
    model: {
      nEmbd: given(job.nEmbd),
      nHead: given(job.nHead),
      nLayer: given(job.nLayer),
      blockSize: given(job.blockSize),
    },
    settings: { dropout: given(job.dropout), ...chat },
    threads: await threadsFor(job),
  });
  return begin(job, training, say);
}

/** Goes on with a run from its checkpoint, and reads the text as it was read before. */
export async function resume(job: Job, checkpoint: Checkpoint, say: Say): Promise<Prepared> {
  await end();
  // What the checkpoint says is checked by createTraining; until then it is only a proposal.
  const settings = checkpoint.run?.['settings'] as Partial<Settings> | undefined;
  const data = { ...RECIPES.standard.data, ...settings?.data };
  const source = { ...job.source, format: data.format, column: data.column ?? job.source.column };
  const corpus = corpusOf(source, data, settings?.bosPlace ?? 'last', checkpoint.tokenizer);
  const training = createTraining({ corpus, resume: checkpoint, threads: await threadsFor(job) });
  return begin({ ...job, source }, training, say);
}

function begin(job: Job, training: Training, say: Say): Prepared {
  const { corpus, data, settings, config } = training;
  const prepared: Prepared = {
    run: ++runs,
    source: job.source.name,
    format: job.source.format,
    settings,
    config,
    parameters: training.parameters,
    documents: data.documents,
    heldOut: data.heldOut,
    tokens: data.tokens,
    startStep: training.startStep,
    guessing: Math.log(config.vocabSize),
    threads: training.threads,
    notes: corpus.facts.notes,
  };
  session = {
    job,
    training,
    prepared,
    losses: [],
    evals: [],
    samples: [],
    moments: [],
    forgotten: false,
    state: training.startStep >= training.steps ? 'done' : training.startStep > 0 ? 'paused' : 'ready',
    controller: null,
    running: Promise.resolve(),
    speed: null,
  };
  setLive(() => ({ name: nameOf(job.source.name), checkpoint: training.checkpoint() }));
  forgetMoments();
  look(session, say);
  return prepared;
}

const nameOf = (path: string) => path.replace(/\.[a-z]+$/i, '');

/** Samples of the model as it is, and its weights and gradients for the colour maps. */
function look(of: Session, say: Say): void {
  const { training, moments, prepared } = of;
  const step = training.step();
  const texts = training.peek(training.config.blockSize > LONG ? 2 : SAMPLES);
  if (of.samples.at(-1)?.step !== step) of.samples.push({ step, texts });
  say({ type: 'samples', run: prepared.run, step, texts });
  if (moments.at(-1)?.step === step || training.parameters * 2 * (LOOKS + 2) > MOST_KEPT) return;
  const { gradients } = training.gradients();
  const weights = Float32Array.from(training.engine.parameters());
  moments.push({ step, weights, gradients: Float32Array.from(gradients) });
}

/** Lets messages be read; `setTimeout` would sleep for 4 ms. */
const { port1, port2 } = new MessageChannel();
let resumeLoop: () => void = () => {};
port2.onmessage = () => resumeLoop();
const breathe = () =>
  new Promise<void>((resolve) => {
    resumeLoop = resolve;
    port1.postMessage(null);
  });

export async function train(steps: number | null, say: Say, failed: (error: unknown) => void): Promise<void> {
  const of = session;
  if (of === null || of.state === 'running' || of.state === 'done') return;
  of.state = 'running';
  of.controller = new AbortController();
  of.running = loop(of, of.controller, steps === null ? Number.POSITIVE_INFINITY : steps, say).catch(
    (error: unknown) => {
      of.state = 'done';
      failed(error);
    },
  );
}

async function loop(of: Session, controller: AbortController, most: number, say: Say): Promise<void> {
  const { training, job } = of;
  const every = Math.max(1, Math.ceil(training.steps / LOOKS));
  let [fresh, evals]: [number[], EvalEvent[]] = [[], []];
  let done = 0;
  const started = performance.now();
  let [turn, reported, saved] = [started, started, started];
  let away = 0; // ms that went into looking and waiting
  of.speed = null;

  function report(): void {
    const spent = performance.now() - started - away;
    if (done > 4 && spent > 15) of.speed = (1000 * done) / spent;
    of.losses.push(...fresh);
    of.evals.push(...evals);
    say({ type: 'progress', run: of.prepared.run, progress: progressOf(of), losses: Float32Array.from(fresh), evals });
    [fresh, evals] = [[], []];
    reported = performance.now();
  }

  try {
    await follow();
  } catch (error) {
    of.state = 'done';
    report(); // the losses up to here
    throw error;
  }
  if (of.state === 'running') of.state = 'paused';
  if (of.state === 'done') look(of, say);
  report();
  await autosave(of, say);

  async function follow(): Promise<void> {
    for await (const event of training.events({ signal: controller.signal })) {
      if (event.type === 'warning') say({ type: 'warning', code: event.code });
      else if (event.type === 'eval') evals.push(event);
      else if (event.type === 'step') {
        fresh.push(event.loss);
        done++;
        if (done >= most) controller.abort();
        const now = performance.now();
        if (event.step % every === 0 && event.step < event.steps) {
          look(of, say);
          away += performance.now() - now;
        }
        if (job.pace !== null) {
          report();
          const from = performance.now();
          await new Promise((resolve) => setTimeout(resolve, 1000 / (job.pace as number)));
          away += performance.now() - from;
        }
      } else if (event.type === 'stopped') of.state = event.reason === 'aborted' ? 'paused' : 'done';
      const now = performance.now();
      if (now - reported > REPORT) report();
      if (now - saved > AUTOSAVE) {
        await autosave(of, say);
        saved = performance.now();
        away += saved - now;
      }
      if (now - turn > SLICE) {
        await breathe();
        turn = performance.now();
      }
    }
  }
}

function progressOf({ state, training, speed }: Session): Progress {
  const step = training.step();
  return { state, step, stepsPerSecond: speed, secondsLeft: speed === null ? null : (training.steps - step) / speed };
}

async function autosave(of: Session, say: Say): Promise<void> {
  if (session !== of || of.forgotten) return;
  const { job, training, losses, evals, samples, moments } = of;
  const checkpoint = encodeSafetensors(training.checkpoint({ optimizer: true }));
  const record = { savedAt: Date.now(), job, checkpoint, losses: Float32Array.from(losses), evals, samples };
  const kept = await writeAutosave({ ...record, version: 1 }, moments);
  say({ type: 'autosave', kept });
}

export async function pause(): Promise<Progress> {
  if (session === null) return { state: 'ready', step: 0, stepsPerSecond: null, secondsLeft: null };
  session.controller?.abort();
  await session.running;
  return progressOf(session);
}

async function end(): Promise<void> {
  if (session === null) return;
  const old = session;
  session = null; // from here on nothing of it is kept
  setLive(null);
  old.controller?.abort();
  await old.running;
  old.training.close();
}

export async function recover(say: Say): Promise<Recovered | null> {
  const saved = await readAutosave();
  if (saved === null) return null;
  try {
    const { checkpoint } = decodeModel(saved.checkpoint, 'the run that this browser kept');
    const prepared = await resume(saved.job, checkpoint, say);
    session?.losses.push(...saved.losses);
    session?.evals.push(...saved.evals);
    const { job, savedAt, losses, evals } = saved;
    const step = checkpoint.optimizer?.step ?? 0;
    const before = (await readMoments(saved.moments ?? [], checkpoint.parameters.length)).filter(
      (one) => one.step < step,
    );
    const moments = session?.moments ?? [];
    moments.splice(0, moments.length, ...thinned([...before, ...moments], LOOKS + 2));
    session?.samples.unshift(...(saved.samples ?? []).filter((one) => one.step !== step));
    return { prepared, job, step, savedAt, losses, evals, samples: session?.samples ?? [] };
  } catch {
    await clearAutosave(); // of an older version, or damaged: it cannot go on
    return null;
  }
}

export async function forget(): Promise<void> {
  if (session !== null) session.forgotten = true;
  await clearAutosave();
}

/** sha256 of the weights as f32, little-endian. */
export function weightsHash(): string {
  const parameters = session?.training.engine.parameters() ?? new Float64Array(0);
  return sha256(new Uint8Array(Float32Array.from(parameters).buffer));
}

export const resumable = (): Checkpoint | null => session?.training.checkpoint({ optimizer: true }) ?? null;
export const liveName = (): string => nameOf(session?.job.source.name ?? 'model');

export function weightNames(tensors: WeightNames['tensors']): WeightNames | null {
  return session === null ? null : { tensors, moments: session.moments.map(({ step }) => step) };
}

export function weightsAt(offset: number, rows: number, columns: number, moment: number, gradient: boolean): WeightMap {
  const found = session?.moments[moment];
  const values = (gradient ? found?.gradients : found?.weights)?.slice(offset, offset + rows * columns);
  return { rows, columns, values: values ?? new Float32Array(rows * columns) };
}

/** The model in training as it was at one of the moments that were kept. */
export function modelAt(moment: number): Checkpoint | null {
  const weights = session?.moments[moment]?.weights;
  if (session === null || weights === undefined) return null;
  return { ...session.training.checkpoint(), parameters: Float64Array.from(weights) };
}

export const liveConfig = () => session?.prepared.config ?? null;
