/**
 * Values, texts and refusals as responses.
 */
import { EarlierRefusal } from './earlier-api.js';
import { errorBody, Refusal, refusalOf } from './refusal.js';
import { ClientGone, CutShort } from './sse.js';

/** Breaks an answer off: the connection, where there is one. */
export interface Cutter {
  cut?(): void;
}

/** Clients in pages send headers of their own (x-stainless-lang); a star does not stand for authorization. */
export const PREFLIGHT = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'authorization, *',
  'access-control-max-age': '600',
};

/** What a page may read of an answer. */
export const EXPOSED =
  'retry-after, x-request-id, x-microgpt-messages-left-out, x-microgpt-small-letters, x-microgpt-unknown-characters';

export const modelEntry = (id: string) => ({ id, object: 'model', created: 0, owned_by: 'microgpt' });

export const isBug = (error: unknown): boolean =>
  error !== null &&
  !(error instanceof EarlierRefusal || error instanceof ClientGone) &&
  refusalOf(error).status === 500;

/** An error in the form of the API that was asked. */
export function refused(route: string, error: unknown): Response {
  if (error instanceof EarlierRefusal) {
    const { status, body } = error;
    if (typeof body !== 'string') return json(status, body);
    return body === '' ? new Response(null, { status }) : textResponse(status, body);
  }
  const refusal =
    error instanceof ClientGone ? new Refusal(408, 'client_closed', 'the client went away') : refusalOf(error);
  const { status, headers, message } = refusal;
  if (route.startsWith('/microgpt/')) {
    if (status === 405) return new Response(null, { status, headers: { allow: 'POST', ...headers } });
    if (status === 415) return textResponse(status, message, undefined, headers);
    return json(status, { error: message }, headers);
  }
  if (route === 'unknown' && status === 404) return textResponse(404, 'Not Found', undefined, headers);
  const allow = status === 405 ? { allow: route.startsWith('/v1/c') ? 'POST' : 'GET' } : {};
  return json(status, errorBody(refusal), { ...allow, ...headers });
}

export function textResponse(status: number, text: string, type = 'text/plain; charset=utf-8', headers = {}): Response {
  return new Response(text, { status, headers: { 'content-type': type, ...headers } });
}

/** With a `cutter`: only half of it, and then the connection breaks. */
export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
  cutter: Cutter | null = null,
): Response {
  const text = JSON.stringify(value);
  const init = { status, headers: { 'content-type': 'application/json', ...headers } };
  if (cutter === null) return new Response(text, init);
  const half = new TextEncoder().encode(text.slice(0, text.length / 2));
  let given = false;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (!given) controller.enqueue(half);
      else if (cutter.cut === undefined) controller.error(new CutShort('cut as it was asked for'));
      else cutter.cut();
      given = true;
    },
  });
  // As a stream, not as a whole.
  return new Response(stream, { ...init, headers: { ...init.headers, 'transfer-encoding': 'chunked' } });
}
