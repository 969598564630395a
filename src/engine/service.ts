/**
 * One model for many askers at once: samples and replies, asked for at any time, run side by side on one decoder, and each comes as a
 * stream of its own. What a server needs; `stream` and chat use it for themselves.
 * Refuses to know: connections. Invariants: what is asked gets the same answer whatever else is asked meanwhile; when its reader goes away
 * or aborts, work for it ends within a token; the event loop turns between the turns of the model.
 */
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { createScheduler } from '../generate/scheduler.js';
import { planReply, REPLY_NAMES, type ReplyOptions, requireReply, requireTurns, type Turn } from './conversation.js';
import { createEngine } from './create-engine.js';
import type { Decoder } from './engine.js';
import {
  GENERATE_NAMES,
  type GenerateOptions,
  requireGenerate,
  SERVICE_NAMES,
  type ServiceOptions,
} from './generate-options.js';
import { type OptionNames, requireCall, requireNames, requireSignal, requireText, requireWhole } from './options.js';
import { createPauses } from './pause.js';
import { planSamples, type SamplePlan } from './plan.js';
import {
  PROMPT_LOGPROBS_NAMES,
  type PromptLogprobsOptions,
  type PromptToken,
  readPromptLogprobs,
} from './prompt-logprobs.js';
import { createSampleRun, type SampleEvent } from './samples.js';

export type { ServiceOptions } from './generate-options.js';

/** What can be asked of `stream`. */
export interface StreamOptions extends GenerateOptions {
  /** Ends the stream within a token; its samples then have no last event. */
  readonly signal?: AbortSignal | undefined;
}

/** A model that answers many at once. Close it when it is over. */
export interface ModelService {
  /** Events of all samples, each sample's in order; several run side by side and alternate. @throws what `generate` throws. */
  stream(options?: StreamOptions): AsyncGenerator<SampleEvent, void, undefined>;
  /** The next turn of the assistant. @throws MG_CHAT_MODEL, MG_OPTION_VALUE, MG_GEN_* */
  reply(turns: readonly Turn[], options?: ReplyOptions): AsyncGenerator<SampleEvent, void, undefined>;
  /**
   * How likely each token of a text is after those before it; it has to fit into the context. Goes on between the turns of the others.
   * @throws MG_GEN_NONFINITE
   */
  promptLogprobs(text: string, options?: PromptLogprobsOptions): Promise<PromptToken[]>;
  /** Sequences that wait for a place, and those in the making. */
  waiting(): number;
  running(): number;
  /** Streams that are not at their end then just end. */
  close(): void;
}

export const STREAM_NAMES: OptionNames<StreamOptions> = { ...GENERATE_NAMES, signal: true };

/** While so many events of a stream have not been read, none of its further samples begins; at four times as many, those begun wait. */
const MOST_UNREAD = 16;

/** Opens a model; it holds an engine until it is closed. @throws MG_OPTION_VALUE, MG_TRAIN_BACKEND */
export function createService(model: Checkpoint, options: ServiceOptions = {}): ModelService {
  requireCall('createService', model, options, SERVICE_NAMES);
  const { places = 32, backend, threads } = options;
  requireWhole('places', places, 1);
  const { config } = model;
  const engine = createEngine(backend ?? 'auto', config, model.parameters, { threads });
  const scheduler = createScheduler(engine.decoder(places), config.blockSize, config.vocabSize);
  const readers = new Set<() => void>(); // those who wait for the next turn
  let pumping = false;
  let asked = false; // for another turn, while one runs
  let closed = false;
  let broken: unknown = null; // the engine itself failed
  let reader: Decoder | null = null; // for texts that are only read, one after the other
  let last: Promise<unknown> = Promise.resolve();

  function wake(): void {
    for (const resume of readers) resume();
    readers.clear();
  }

  async function pump(): Promise<void> {
    asked = true;
    if (pumping) return;
    pumping = true;
    const pauses = createPauses();
    try {
      for (let more = true; (more || asked) && !closed; ) {
        asked = false;
        more = scheduler.turn();
        wake();
        await pauses.pause();
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
    requireSignal(signal);
    let unread: SampleEvent[] = [];
    const run = createSampleRun(scheduler, model, plan, options, (event) => unread.push(event), {
      mayBegin: () => unread.length < MOST_UNREAD,
      mayGoOn: () => unread.length < 4 * MOST_UNREAD,
    });
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
      if (!closed && scheduler.waiting() + scheduler.running() > 0) void pump(); // its places are free for others
    }
  }

  function requireOpen(): void {
    if (!closed) return;
    throw new MicrogptError(
      'MG_OPTION_VALUE',
      'what is asked is closed already',
      'open another one, or close it later',
    );
  }

  return {
    stream(options = {}) {
      requireOpen();
      requireNames('stream', options, STREAM_NAMES);
      requireGenerate(options, model);
      return follow(planSamples(model, options), options);
    },
    reply(turns, options = {}) {
      requireOpen();
      requireNames('reply', options, REPLY_NAMES);
      requireTurns(turns);
      requireReply(options, model);
      return follow(planReply(model, turns, options), options);
    },
    async promptLogprobs(text, options = {}) {
      requireOpen();
      requireNames('promptLogprobs', options, PROMPT_LOGPROBS_NAMES);
      requireText('text', text);
      requireWhole('logprobs', options.logprobs ?? 0, 0);
      requireSignal(options.signal);
      reader ??= engine.decoder(1);
      const { tokenizer } = model;
      const task = last.then(() => readPromptLogprobs(reader!, { config, tokenizer }, text, () => closed, options));
      last = task.catch(() => {});
      return task;
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
