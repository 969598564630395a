/**
 * The engine's side of the page: takes calls, answers each once, and lets no error pass without saying so.
 * Refuses to know: what is on the screen. Invariant: an answer or a problem comes for every call.
 */
import {
  createScorer,
  createService,
  guessFormat,
  MicrogptError,
  parameterTable,
  readPrompt,
  type SampleEvent,
} from 'microgpt';
import { whyNoThreads } from 'microgpt/browser';
import { neuron, see, tensorsOf } from './looks';
import { closeModel, keepModel, liveInfo, modelOf, openModel, saveModel } from './models';
import type { Answered, Asked, CallName, EngineEvent, Message, ModelId, Problem, Request, Sampling } from './protocol';
import * as session from './session';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const post = (message: Message) => scope.postMessage(message);
const say = (event: EngineEvent) => post({ event });

function problemOf(error: unknown): Problem {
  if (error instanceof MicrogptError) return { code: error.code, message: error.message, remedy: error.remedy };
  const message = error instanceof Error ? error.message : String(error);
  return { code: null, message, remedy: '' };
}

const failed = (error: unknown) => say({ type: 'failed', problem: problemOf(error) });

/** Tells the page what the model in training is called and how large it is. */
function sayLive(): void {
  const model = liveInfo();
  if (model !== null) say({ type: 'live', model });
}

/** Runs are set up one after the other: each ends the one before it. */
let settingUp: Promise<unknown> = Promise.resolve();

function inTurn<T>(setUp: () => Promise<T>): Promise<T> {
  const next = settingUp.then(setUp, setUp);
  settingUp = next.catch(() => {});
  return next;
}

const streams = new Map<number, AbortController>();

async function streamed(
  stream: number,
  model: ModelId,
  options: Sampling,
  ask: 'generate' | { readonly turns: Asked<'reply'>['turns'] },
): Promise<null> {
  const controller = new AbortController();
  streams.set(stream, controller);
  const { seed, ...rest } = options;
  // What was drawn may be none of the likeliest: all are asked for, and those that count are sent.
  const top = rest.top === undefined ? {} : { top: modelOf(model).config.vocabSize };
  const all = { ...rest, ...top, seed: BigInt(seed ?? 42), signal: controller.signal };
  const places = ask === 'generate' ? Math.max(1, Math.min(options.samples ?? 1, 32)) : 1;
  const service = createService(modelOf(model), { places });
  try {
    const { samples: _, prompt: __, chain: ___, ...reply } = all;
    const events = ask === 'generate' ? service.stream(all) : service.reply(ask.turns, reply);
    const { bos } = modelOf(model).tokenizer;
    for await (const event of events) {
      const drawn = event.end === 'token' && ask === 'generate' ? { ...event, token: bos } : event;
      say({ type: 'sample', stream, event: shortened(drawn, options.top) });
    }
  } finally {
    service.close();
    streams.delete(stream);
  }
  return null;
}

/** As many of the likeliest tokens as are shown, and the one that was drawn, the end too. */
function shortened(event: SampleEvent, most: number | undefined): SampleEvent {
  if (event.top === undefined || most === undefined) return event;
  const top = event.top.slice(0, most);
  const drawn = event.top.find(({ token }) => token === event.token);
  return { ...event, top: drawn === undefined || top.includes(drawn) ? top : [...top, drawn] };
}

const calls: { [N in CallName]: (argument: Asked<N>) => Answered<N> | Promise<Answered<N>> } = {
  hello: () => ({ isolated: globalThis.crossOriginIsolated === true, whyOneThread: whyNoThreads() }),
  guess: ({ name, bytes }) => guessFormat(name, bytes.subarray(0, 65_536)),
  async prepare(job) {
    const prepared = await inTurn(() => session.prepare(job, say));
    sayLive();
    return prepared;
  },
  async train({ steps }) {
    await session.train(steps, say, failed);
    return null;
  },
  pause: () => session.pause(),
  hash: () => session.weightsHash(),
  keep: ({ name }) => keepModel(name, modelOf('live')),
  open: ({ files }) => openModel(files),
  async resume({ model, source }) {
    const checkpoint = modelOf(model);
    const seed = String((checkpoint.run?.['settings'] as { readonly seed?: string } | undefined)?.seed ?? '42');
    const prepared = await inTurn(() =>
      session.resume({ ...session.NO_CHOICES, source, recipe: 'standard', seed }, checkpoint, say),
    );
    sayLive();
    return prepared;
  },
  close({ model }) {
    closeModel(model);
    return null;
  },
  save: ({ model, as, name }) => saveModel(model, as, name, session.resumable),
  see: ({ model, text, moment }) => see((moment === null ? null : session.modelAt(moment)) ?? modelOf(model), text),
  read({ model, text }) {
    const { tokenizer } = modelOf(model);
    const { ids, unknown, folded } = readPrompt(tokenizer, text);
    return { unknown, folded, length: ids.length + (tokenizer.bos === null ? 0 : 1) };
  },
  weightNames() {
    const config = session.liveConfig();
    return config === null ? null : session.weightNames(tensorsOf(config));
  },
  weights({ tensor, moment, gradient }) {
    const config = session.liveConfig();
    const found = config === null ? undefined : parameterTable(config).byName.get(tensor);
    if (found === undefined) return { rows: 0, columns: 0, values: new Float32Array(0) };
    const [rows, columns] = found.shape[1] === undefined ? [1, found.shape[0]] : [found.shape[0], found.shape[1]];
    return session.weightsAt(found.offset, rows, columns, moment, gradient);
  },
  neuron: ({ model, text, shown }) => neuron(modelOf(model), text, shown),
  generate: ({ stream, model, options }) => streamed(stream, model, options, 'generate'),
  reply: ({ stream, model, turns, options }) => streamed(stream, model, options, { turns }),
  stop({ stream }) {
    streams.get(stream)?.abort();
    return null;
  },
  pieces: ({ model }) => modelOf(model).tokenizer.pieces,
  score({ model, texts }) {
    const scorer = createScorer(modelOf(model));
    try {
      return scorer.score(texts, { perCharacter: true });
    } finally {
      scorer.close();
    }
  },
  async recover() {
    const found = await inTurn(() => session.recover(say));
    sayLive();
    return found;
  },
  async forget() {
    await session.forget();
    return null;
  },
};

scope.onmessage = async ({ data }: MessageEvent<Request>) => {
  const { id, call, argument } = data;
  try {
    const act = calls[call] as (argument: unknown) => unknown;
    post({ id, answer: await act(argument) });
  } catch (error) {
    post({ id, problem: problemOf(error) });
  }
};
