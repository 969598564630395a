/**
 * The page's side of the engine: `ask` calls the worker, `listen` hears its events.
 * Refuses to know: what is on the screen. Invariant: a call whose worker is gone fails instead of waiting for ever.
 */
import type { Answered, Asked, CallName, EngineEvent, Message, Problem, SamplingStream } from './protocol';
import { startWorker } from './start';

/** What the worker refused, in words for the reader. */
export class EngineProblem extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: EngineProblem): void;
}

const worker = startWorker();
const waiting = new Map<number, Waiting>();
const listeners = new Set<(event: EngineEvent) => void>();
let lastId = 0;

worker.onmessage = ({ data }: MessageEvent<Message>) => {
  if ('event' in data) {
    for (const listener of listeners) listener(data.event);
    return;
  }
  const call = waiting.get(data.id);
  waiting.delete(data.id);
  if ('problem' in data) call?.reject(new EngineProblem(data.problem));
  else call?.resolve(data.answer);
};
worker.onerror = (event) => {
  const problem: Problem = { code: null, message: event.message || 'the engine could not be started', remedy: '' };
  for (const call of waiting.values()) call.reject(new EngineProblem(problem));
  waiting.clear();
  for (const listener of listeners) listener({ type: 'failed', problem });
};

export function ask<N extends CallName>(call: N, argument: Asked<N>): Promise<Answered<N>> {
  const id = ++lastId;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
    worker.postMessage({ id, call, argument });
  });
}

/** Gives back what ends the listening. */
export function listen(listener: (event: EngineEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let lastStream = 0;

/** Asks for samples or a reply; `hear` gets each event, the promise ends with the last one. */
export function stream(
  request: SamplingStream,
  hear: (event: Extract<EngineEvent, { type: 'sample' }>['event']) => void,
): { readonly done: Promise<unknown>; stop(): void } {
  const number = ++lastStream;
  const deaf = listen((event) => {
    if (event.type === 'sample' && event.stream === number) hear(event.event);
  });
  const { model, options } = request;
  const asked =
    request.turns === undefined
      ? ask('generate', { stream: number, model, options })
      : ask('reply', { stream: number, model, options, turns: request.turns });
  return { done: asked.finally(deaf), stop: () => void ask('stop', { stream: number }) };
}
