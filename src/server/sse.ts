/**
 * Server-sent events: one `data:` line of JSON each, then `data: [DONE]`.
 * Invariants: nothing is asked for before the reader wants it; when the reader goes away, so does what makes the events; what fails in the
 * middle is said in an event, and the stream then ends without [DONE].
 */
import type { Taking } from './admission.js';
import { errorBody, refusalOf } from './refusal.js';

export const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
} as const;

/**
 * `taking` is kept up; `ended` is called once, with what went wrong if anything did; `cut` breaks the connection off, where there is one.
 */
export function eventStream(
  events: AsyncGenerator<unknown, void, undefined>,
  taking: Taking,
  ended: (error: unknown) => void,
  cut?: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const line = (data: string) => encoder.encode(`data: ${data}\n\n`);
  let over = false;
  function end(error: unknown): void {
    if (over) return;
    over = true;
    ended(error);
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        taking.asked = true;
        try {
          const next = await events.next();
          if (over) return;
          if (!next.done) {
            taking.asked = false; // until more is asked for
            taking.chunks++;
            controller.enqueue(line(JSON.stringify(next.value)));
            return;
          }
          controller.enqueue(line('[DONE]'));
          controller.close();
          end(null);
        } catch (error) {
          if (over) return;
          if (error instanceof CutShort) {
            if (cut === undefined) controller.error(error);
            else cut();
          } else if (error instanceof ClientGone) {
            controller.error(new DOMException('This operation was aborted', 'AbortError'));
          } else {
            controller.enqueue(line(JSON.stringify(errorBody(refusalOf(error)))));
            controller.close();
          }
          end(error);
        }
      },
      async cancel() {
        end(new ClientGone());
        await events.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The reader went away. */
export class ClientGone extends Error {}

/** The connection is to be cut in the middle, as a test wants it. */
export class CutShort extends Error {}
