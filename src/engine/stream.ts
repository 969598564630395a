/**
 * Samples as they come: one event for each token, with the event loop turning between the turns of the model.
 * Invariant: the texts of a sample's events, one after the other, are the text that `generate` gives for the same options.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { createEngine } from './engine.js';
import { type GenerateOptions, requireGenerate } from './generate-options.js';
import { createPauses } from './pause.js';
import { createSampleRun, type SampleEvent } from './samples.js';
import { placesFor } from './text.js';

export type { SampleEvent } from './samples.js';

export interface StreamOptions extends GenerateOptions {
  /** Ends the stream within a token; its samples then have no last event. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Events of all samples, each sample's in order; several samples run side by side and alternate.
 * @throws what `generate` throws.
 */
export async function* stream(
  model: Checkpoint,
  options: StreamOptions = {},
): AsyncGenerator<SampleEvent, void, undefined> {
  requireGenerate(options, model);
  const { threads, signal } = options;
  const engine = createEngine(options.backend ?? 'auto', model.config, model.parameters, { threads });
  const pauses = createPauses();
  try {
    const events: SampleEvent[] = [];
    const run = createSampleRun(engine.decoder(placesFor(options)), model, options, (event) => events.push(event));
    for (let more = true; more && !signal?.aborted; ) {
      events.length = 0;
      try {
        more = run.turn();
      } finally {
        // Also what came before an error was said.
        for (const event of events) {
          if (signal?.aborted) break;
          yield event;
        }
      }
      await pauses.pause();
    }
  } finally {
    pauses.close();
    engine.close();
  }
}

/** The same events with the samples one after the other: what comes early is kept until its turn. */
export async function* inOrder(events: AsyncIterable<SampleEvent>): AsyncGenerator<SampleEvent, void, undefined> {
  const waiting = new Map<number, SampleEvent[]>();
  let current = 0;
  for await (const event of events) {
    if (event.sample !== current) {
      const list = waiting.get(event.sample);
      if (list === undefined) waiting.set(event.sample, [event]);
      else list.push(event);
      continue;
    }
    yield event;
    if (event.end === null) continue;
    for (let ended = true; ended; ) {
      current++;
      const list = waiting.get(current) ?? [];
      waiting.delete(current);
      yield* list;
      ended = list.at(-1)?.end != null;
    }
  }
}
