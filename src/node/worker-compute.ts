/**
 * Computing in a thread of its own, so that the thread that talks with clients is never kept waiting.
 * Invariants: every question comes to an end, also when the thread dies: then it fails with MG_SERVE_LOST, and another thread is started;
 * closing it leaves no thread behind.
 */
import { Worker } from 'node:worker_threads';
import { MicrogptError } from '../base/errors.js';
import { requireNames } from '../base/options.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { Compute, Job } from '../engine/compute.js';
import { requireModel } from '../engine/options.js';
import type { PromptToken } from '../engine/prompt-logprobs.js';
import type { SampleEvent } from '../engine/samples.js';
import { tokenizerToJson } from '../tokenizer/tokenizer-json.js';
import type { FromWorker, SentError, SentModel, ToWorker } from './compute-messages.js';

/** Who waits for the answers to a question. */
interface Asking {
  readonly events: SampleEvent[];
  tokens: readonly PromptToken[];
  ended: boolean;
  error: unknown;
  /** To be called when something is new, and when it may pass events on. */
  wake: (() => void) | null;
  pass: (() => void) | null;
}

/**
 * In a turn of the event loop so many events are passed on, of one question at most so many, and the questions take turns. A turn has to be
 * short, because Node takes one new connection in each: when it is long, those who came first are far ahead before the others are let in.
 * And messages that come faster than they are dealt with keep timers and sockets waiting for seconds: Node takes up to a thousand at once.
 */
const EVENTS_A_TURN = 64;
const EVENTS_OF_ONE = 16;

/** Milliseconds before a thread that died is started again; doubled each time that it dies without having answered. */
const FIRST_WAIT = 50;
const LONGEST_WAIT = 10_000;

/** Models that are computed in a thread of their own. */
export interface WorkerCompute extends Compute {
  /** When the thread can compute. */
  started(): Promise<void>;
  /** For tests: ends the thread as if it had died. */
  kill(): Promise<void>;
}

/** Whom to tell when the thread dies. */
export interface WorkerOptions {
  /** Called with the reason when the thread dies; another is started by itself. */
  readonly onLost?: ((error: unknown) => void) | undefined;
}

/**
 * Models by name, for `createServer({ compute })`. The thread runs, and keeps the process alive, until it is closed; a server closes it with
 * itself.
 */
export function createWorkerCompute(
  given: ReadonlyMap<string, Checkpoint> | Readonly<Record<string, Checkpoint>>,
  options: WorkerOptions = {},
): WorkerCompute {
  requireNames('createWorkerCompute', options, { onLost: true });
  const { onLost = () => {} } = options;
  const models: ReadonlyMap<string, Checkpoint> = given instanceof Map ? given : new Map(Object.entries(given));
  if (models.size === 0) {
    throw new MicrogptError('MG_OPTION_VALUE', 'no models were given', 'give createWorkerCompute({ name: model })');
  }
  for (const model of models.values()) requireModel(model);
  const sent = [...models].map(([name, model]) => sentModel(name, model));
  const asking = new Map<number, Asking>();
  const waiters = new Set<() => void>();
  let ids = 0;
  let ready = false;
  let dead = false; // until another thread has been started
  let closed = false;
  let wait = FIRST_WAIT;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const passing: Asking[] = []; // those with events to pass on, whose turn comes first in front
  let worker = start();

  function start(): Worker {
    const made = new Worker(new URL('./compute-worker.js', import.meta.url), { workerData: { models: sent } });
    let cause: unknown = null;
    made.on('message', (answers: FromWorker) => {
      if (!ready) {
        ready = true;
        for (const resume of waiters) resume();
        waiters.clear();
      }
      for (const answer of answers) take(answer);
    });
    made.on('error', (error) => {
      cause = error;
    });
    made.on('exit', (code) => lost(made, cause ?? new Error(`the thread ended with code ${code}`)));
    return made;
  }

  function take(answer: FromWorker[number]): void {
    wait = FIRST_WAIT;
    const own = asking.get(answer.id);
    if (own === undefined) return;
    if (answer.type === 'events') own.events.push(...answer.events);
    else if (answer.type === 'logprobs') own.tokens = answer.tokens;
    else {
      own.ended = true;
      if (answer.type === 'failed') own.error = received(answer.error);
    }
    own.wake?.();
  }

  function lost(which: Worker, cause: unknown): void {
    if (which !== worker || closed) return;
    ready = false;
    dead = true;
    onLost(cause);
    for (const own of asking.values()) fail(own);
    timer = setTimeout(() => {
      dead = false;
      worker = start();
    }, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }

  function fail(own: Asking): void {
    own.ended = true;
    own.error = new MicrogptError(
      'MG_SERVE_LOST',
      'the thread that computes ended in the middle; another one is being started',
      'ask again in a second',
    );
    own.wake?.();
  }

  /** Until this question may pass events on. */
  function turn(own: Asking): Promise<void> {
    if (passing.length === 0) setImmediate(pass);
    passing.push(own);
    return new Promise((resolve) => {
      own.pass = resolve;
    });
  }

  function pass(): void {
    let room = EVENTS_A_TURN;
    let count = 0;
    while (room > 0 && count < passing.length) {
      const own = passing[count++];
      room -= Math.min(own.events.length, EVENTS_OF_ONE);
      own.pass?.();
    }
    passing.splice(0, count);
    if (passing.length > 0) setImmediate(pass);
  }

  const post = (message: ToWorker) => worker.postMessage(message);

  /** A question: sent, followed until it ends, cancelled when nobody wants to know any more. */
  function ask(message: (id: number) => ToWorker, signal: AbortSignal) {
    const id = ++ids;
    const own: Asking = { events: [], tokens: [], ended: false, error: null, wake: null, pass: null };
    asking.set(id, own);
    const abort = () => own.wake?.();
    signal.addEventListener('abort', abort);
    if (dead || closed) fail(own);
    else post(message(id));
    return {
      id,
      own,
      /** Until there is something new. */
      change: () =>
        new Promise<void>((resolve) => {
          own.wake = resolve;
        }),
      leave() {
        signal.removeEventListener('abort', abort);
        asking.delete(id);
        if (!own.ended && !closed) post({ type: 'cancel', id });
      },
    };
  }

  async function* stream(model: string, job: Job, signal: AbortSignal): AsyncGenerator<SampleEvent, void, undefined> {
    const question = ask((id) => ({ type: 'ask', id, model, job }), signal);
    const { id, own } = question;
    try {
      for (;;) {
        if (own.events.length > 0) await turn(own);
        const events = own.events.splice(0, EVENTS_OF_ONE);
        for (const event of events) {
          if (signal.aborted || closed) return;
          yield event;
        }
        if (signal.aborted || closed) return;
        if (events.length > 0 && !own.ended) post({ type: 'read', id, count: events.length });
        if (own.events.length > 0) continue;
        if (own.error !== null) throw own.error;
        if (own.ended) return;
        if (!signal.aborted) await question.change();
      }
    } finally {
      question.leave();
    }
  }

  return {
    models,
    ask: stream,
    async promptLogprobs(model, text, logprobs, signal) {
      const question = ask((id) => ({ type: 'logprobs', id, model, text, logprobs }), signal);
      const { own } = question;
      try {
        while (!own.ended && !signal.aborted && !closed) await question.change();
        if (own.error !== null) throw own.error;
        return own.tokens;
      } finally {
        question.leave();
      }
    },
    ready: () => !dead && !closed,
    started: () => (ready ? Promise.resolve() : new Promise((resolve) => waiters.add(resolve))),
    async kill() {
      await worker.terminate();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      for (const own of asking.values()) own.wake?.();
      await worker.terminate();
    },
  };
}

function sentModel(name: string, { config, tokenizer, parameters, run }: Checkpoint): SentModel {
  const shared = new Float64Array(new SharedArrayBuffer(parameters.byteLength));
  shared.set(parameters);
  return { name, config, tokenizer: tokenizerToJson(tokenizer), parameters: shared, exchanges: run?.['exchanges'] };
}

function received({ code, message, remedy }: SentError): Error {
  return code === null ? new Error(message) : new MicrogptError(code, message, remedy);
}
