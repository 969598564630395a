/**
 * One model for many askers at once: samples and replies, asked for at any time, run side by side on one decoder, and each comes as a
 * stream of its own. What a server needs; `stream` and chat use it for themselves.
 * Refuses to know: connections. Invariants: what is asked gets the same answer whatever else is asked meanwhile; when its reader goes away
 * or aborts, work for it ends within a token; the event loop turns between the turns of the model.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { createScheduler } from '../generate/scheduler.js';
import { planReply, type ReplyOptions, requireReply, type Turn } from './conversation.js';
import { createEngine } from './engine.js';
import { type GenerateOptions, requireGenerate } from './generate-options.js';
import { createPauses } from './pause.js';
import { planSamples, type SamplePlan } from './plan.js';
import { createSampleRun, type SampleEvent } from './samples.js';

export interface StreamOptions extends GenerateOptions {
  /** Ends the stream within a token; its samples then have no last event. */
  readonly signal?: AbortSignal | undefined;
}

export interface ModelService {
  /** Events of all samples, each sample's in order; several run side by side and alternate. @throws what `generate` throws. */
  stream(options?: StreamOptions): AsyncGenerator<SampleEvent, void, undefined>;
  /** The next turn of the assistant. @throws MG_CHAT_MODEL, MG_OPTION_VALUE, MG_GEN_* */
  reply(turns: readonly Turn[], options?: ReplyOptions): AsyncGenerator<SampleEvent, void, undefined>;
  /** Sequences that wait for a place, and those in the making. */
  waiting(): number;
  running(): number;
  /** Streams that are not at their end then just end. */
  close(): void;
}

export interface ServiceOptions extends Pick<GenerateOptions, 'backend' | 'threads'> {
  /** How many sequences run side by side; 32 if left out. */
  readonly places?: number | undefined;
}

/** While so many events of a stream have not been read, none of its further samples begins. */
const MOST_UNREAD = 4096;

/** Opens a model; it holds an engine until it is closed. */
export function createService(model: Checkpoint, { places = 32, backend, threads }: ServiceOptions = {}): ModelService {
  const { config } = model;
  const engine = createEngine(backend ?? 'auto', config, model.parameters, { threads });
  const scheduler = createScheduler(engine.decoder(places), config.blockSize, config.vocabSize);
  const readers = new Set<() => void>(); // those who wait for the next turn
  let pumping = false;
  let closed = false;
  let broken: unknown = null; // the engine itself failed

  function wake(): void {
    for (const resume of readers) resume();
    readers.clear();
  }

  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    const pauses = createPauses();
    try {
      for (let more = true; more && !closed; ) {
        more = scheduler.turn();
        wake();
        await pauses.pause();
        more ||= scheduler.waiting() > 0;
      }
    } catch (error) {
      broken = error;
    } finally {
      pumping = false;
      pauses.close();
      wake();
    }
  }

  async function* follow(plan: SamplePlan, options: StreamOptions): AsyncGenerator<SampleEvent, void, undefined> {
    const { signal } = options;
    let unread: SampleEvent[] = [];
    const mayBegin = () => unread.length < MOST_UNREAD;
    const run = createSampleRun(scheduler, model, plan, options, (event) => unread.push(event), mayBegin);
    const ended = () => closed || signal?.aborted === true;
    signal?.addEventListener('abort', wake);
    try {
      while (!ended()) {
        run.refill();
        if (scheduler.waiting() + scheduler.running() > 0) void pump();
        if (unread.length === 0 && !run.done() && run.failure() === null && broken === null) {
          await new Promise<void>((resume) => readers.add(resume));
        }
        const events = unread;
        unread = [];
        for (const event of events) {
          if (ended()) return;
          yield event;
        }
        if (unread.length > 0) continue;
        if (broken !== null) throw broken;
        if (run.failure() !== null) throw run.failure();
        if (run.done()) return;
      }
    } finally {
      signal?.removeEventListener('abort', wake);
      run.cancel();
    }
  }

  return {
    stream(options = {}) {
      requireGenerate(options, model);
      return follow(planSamples(model, options), options);
    },
    reply(turns, options = {}) {
      requireReply(options, model);
      return follow(planReply(model, turns, options), options);
    },
    waiting: scheduler.waiting,
    running: scheduler.running,
    close() {
      if (closed) return;
      closed = true;
      wake();
      engine.close();
    },
  };
}
