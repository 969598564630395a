/**
 * The thread that computes: takes questions, sends events. Runs as a worker of node/worker-compute.ts and as nothing else.
 * Invariants: an error of one question is that question's alone; of each question no more than CREDIT events are sent unread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { MicrogptError } from '../base/errors.js';
import { type Compute, createLocalCompute, type Job } from '../engine/compute.js';
import { tokenizerFromJson } from '../tokenizer/tokenizer-json.js';
import { type Answer, CREDIT, type SentError, type SentModel, type ToWorker } from './compute-messages.js';

/** A question in the making. */
interface Asked {
  readonly controller: AbortController;
  credit: number;
  resume: (() => void) | null;
}

function serve(compute: Compute, send: (answers: readonly Answer[]) => void): (message: ToWorker) => void {
  const asked = new Map<number, Asked>();
  let outbox: Answer[] = [];

  /** What happens until the event loop turns goes in one message. */
  function post(answer: Answer): void {
    if (outbox.length === 0) setImmediate(flush);
    const last = outbox.at(-1);
    if (answer.type === 'events' && last?.type === 'events' && last.id === answer.id)
      last.events.push(...answer.events);
    else outbox.push(answer);
  }

  function flush(): void {
    const answers = outbox;
    outbox = [];
    send(answers);
  }

  async function follow(id: number, model: string, job: Job, own: Asked): Promise<void> {
    for await (const event of compute.ask(model, job, own.controller.signal)) {
      post({ type: 'events', id, events: [event] });
      own.credit--;
      while (own.credit <= 0 && !own.controller.signal.aborted) {
        await new Promise<void>((resolve) => {
          own.resume = resolve;
        });
      }
    }
  }

  /** `work` posts what it finds; its end, or its error, is posted here. */
  function begin(id: number, work: (own: Asked) => Promise<void>): void {
    const own: Asked = { controller: new AbortController(), credit: CREDIT, resume: null };
    asked.set(id, own);
    work(own)
      .then(() => post({ type: 'end', id }))
      .catch((error: unknown) => post({ type: 'failed', id, error: sent(error) }))
      .finally(() => asked.delete(id));
  }

  return (message) => {
    const own = asked.get(message.id);
    switch (message.type) {
      case 'ask':
        return begin(message.id, async (asking) => await follow(message.id, message.model, message.job, asking));
      case 'logprobs':
        return begin(message.id, async ({ controller }) => {
          const { id, model, text, logprobs } = message;
          post({
            type: 'logprobs',
            id,
            tokens: await compute.promptLogprobs(model, text, logprobs, controller.signal),
          });
        });
      case 'read':
        if (own === undefined) return;
        own.credit += message.count;
        own.resume?.();
        return;
      case 'cancel':
        own?.controller.abort();
        own?.resume?.();
        return;
      default:
        return message satisfies never;
    }
  };
}

function sent(error: unknown): SentError {
  if (error instanceof MicrogptError) return { code: error.code, message: error.message, remedy: error.remedy };
  return { code: null, message: error instanceof Error ? (error.stack ?? error.message) : String(error), remedy: '' };
}

const port = parentPort;
if (port !== null) {
  const models = (workerData as { readonly models: readonly SentModel[] }).models.map(
    ({ name, config, tokenizer, parameters, exchanges }) =>
      [
        name,
        {
          config,
          tokenizer: tokenizerFromJson(tokenizer),
          parameters,
          run: exchanges === undefined ? undefined : { exchanges },
        },
      ] as const,
  );
  const compute = createLocalCompute(new Map(models));
  port.on(
    'message',
    serve(compute, (answers) => port.postMessage(answers)),
  );
  port.postMessage([]); // ready
  // The first question need not wait for its model, while the other thread gets ready to take it. What goes wrong is told to who asks.
  for (const [name] of models.slice(0, 1)) void compute.open(name).catch(() => {});
}
