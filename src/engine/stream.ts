/**
 * Samples as they come: one event for each token.
 * Invariant: the texts of a sample's events, one after the other, are the text that `generate` gives for the same options.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { requireCall } from './options.js';
import type { SampleEvent } from './samples.js';
import { createService, STREAM_NAMES, type StreamOptions } from './service.js';
import { placesFor } from './text.js';

export type { SampleEvent } from './samples.js';
export type { StreamOptions } from './service.js';

/**
 * Events of all samples, each sample's in order; several samples run side by side and alternate. For many askers, open the model once:
 * `createService`.
 * @throws what `generate` throws.
 */
export async function* stream(
  model: Checkpoint,
  options: StreamOptions = {},
): AsyncGenerator<SampleEvent, void, undefined> {
  requireCall('stream', model, options, STREAM_NAMES);
  const { backend, threads } = options;
  const service = createService(model, { backend, threads, places: placesFor(options) });
  try {
    yield* service.stream(options);
  } finally {
    service.close();
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
