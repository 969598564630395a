/**
 * Models by name, asked with plain data: what a surface needs to answer, wherever the computing is done. Here it is done in this thread;
 * node/worker-compute.ts does it in another one.
 * Refuses to know: requests. Invariants: a job and its events are plain data, which can be sent to another thread; what is asked gets the
 * same events wherever it is computed.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { ChatModel, ReplyOptions, Turn } from './conversation.js';
import { type GenerateOptions, SERVICE_NAMES, type ServiceOptions } from './generate-options.js';
import { requireModel, requireNames } from './options.js';
import type { PromptToken } from './prompt-logprobs.js';
import type { SampleEvent } from './samples.js';
import type { ModelService } from './service.js';

/** Something to be written. */
export type Job =
  | { readonly kind: 'samples'; readonly options: Omit<GenerateOptions, 'backend' | 'threads'> }
  | { readonly kind: 'reply'; readonly turns: readonly Turn[]; readonly options: Omit<ReplyOptions, 'signal'> };

/** Where models are computed, asked with plain data. */
export interface Compute {
  /** The models by name: configuration, tokenizer, and how many exchanges one makes sense of. */
  readonly models: ReadonlyMap<string, ChatModel>;
  /** Events as they come; when it is aborted, they just end within a token. @throws what the service throws, MG_SERVE_LOST */
  ask(model: string, job: Job, signal: AbortSignal): AsyncIterable<SampleEvent>;
  /** How likely the tokens of a text are; [] when it is aborted. @throws as `ask` */
  promptLogprobs(model: string, text: string, logprobs: number, signal: AbortSignal): Promise<readonly PromptToken[]>;
  /** Whether it can be asked now. */
  ready(): boolean;
  close(): Promise<void>;
}

/** Models that are computed in this thread. */
export interface LocalCompute extends Compute {
  /** Opens a model before it is asked. @throws as `ask` */
  open(model: string): Promise<void>;
}

/**
 * Does the computing in this thread, in turns between which the event loop turns. What computes is loaded when it is first asked, so that a
 * surface whose models are computed elsewhere need not wait for it.
 */
export function createLocalCompute(
  models: ReadonlyMap<string, Checkpoint>,
  options: ServiceOptions = {},
): LocalCompute {
  requireNames('createLocalCompute', options, SERVICE_NAMES);
  for (const model of models.values()) requireModel(model);
  const services = new Map<string, Promise<ModelService>>();
  let closed = false;

  /** Opened once. */
  function serviceOf(name: string): Promise<ModelService> {
    let service = services.get(name);
    if (service === undefined) {
      service = import('./service.js').then(({ createService }) => createService(models.get(name)!, options));
      services.set(name, service);
    }
    return service;
  }

  return {
    models,
    async open(name) {
      await serviceOf(name);
    },
    async *ask(name, job, signal) {
      const service = await serviceOf(name);
      if (!closed) yield* answer(service, job, signal);
    },
    async promptLogprobs(name, text, logprobs, signal) {
      const service = await serviceOf(name);
      return closed ? [] : await service.promptLogprobs(text, { logprobs, signal });
    },
    ready: () => !closed,
    async close() {
      closed = true;
      for (const service of services.values()) (await service).close();
    },
  };
}

function answer(service: ModelService, job: Job, signal: AbortSignal): AsyncGenerator<SampleEvent, void, undefined> {
  switch (job.kind) {
    case 'samples':
      return service.stream({ ...job.options, signal });
    case 'reply':
      return service.reply(job.turns, { ...job.options, signal });
    default:
      return job satisfies never;
  }
}
