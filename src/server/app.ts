/**
 * The server as a function from Request to Response: who may ask, how much at once, which route answers, what is said of it afterwards.
 * Refuses to know: sockets, processes, where computing is done. Invariants: every request is checked in the same order (Host and Origin,
 * shutting down, key, room, body, turn) and logged exactly once, when its answer has ended.
 */
import { Hono } from 'hono';
import type { Compute } from '../engine/compute.js';
import { type Admission, drainingRefusal, type Taking, type Ticket } from './admission.js';
import type { Planned } from './asking.js';
import { type Body, type Plain, readJson } from './body.js';
import { planChat } from './chat-completions.js';
import { planCompletion } from './completions.js';
import { planEarlierChat, planGenerate, readEarlierBody } from './earlier-api.js';
import { before, during, type Fault, type Faults, type RecordedRequest, scripted } from './faults.js';
import type { Guard, Peer } from './guard.js';
import { REQUEST_LIMITS } from './limits.js';
import type { Metrics } from './metrics.js';
import type { LogLine } from './options.js';
import { PAGE_FILES, PAGE_HEADERS } from './page.js';
import { PLAYGROUND, type PlaygroundFolder, playgroundAnswer } from './playground.js';
import { overloaded, Refusal, refusalOf } from './refusal.js';
import { type Cutter, EXPOSED, isBug, json, modelEntry, PREFLIGHT, refused, textResponse } from './responses.js';
import { ClientGone, CutShort, eventStream, SSE_HEADERS } from './sse.js';

export interface AppParts {
  readonly compute: Compute;
  readonly admission: Admission;
  readonly guard: Guard;
  readonly faults: Faults;
  readonly metrics: Metrics;
  readonly stop: Stop;
  readonly record: ((request: RecordedRequest) => void) | null;
  readonly log: ((line: LogLine) => void) | null;
  readonly playground: PlaygroundFolder | undefined;
}

export type App = (request: Request, peer?: Peer | null) => Promise<Response>;

/** Ends everything that is being answered. A set, because an AbortSignal warns of more than ten who listen to it. */
export interface Stop {
  stopped: boolean;
  readonly listeners: Set<() => void>;
}

/** A request on its way. */
interface Trace {
  readonly id: string;
  readonly request: Request;
  readonly peer: Peer | null;
  readonly since: number;
  route: string;
  key: string | null;
  status: number;
  queueMs: number;
  firstMs: number | null;
  model: string | null;
  tokens: () => number;
  /** The answer goes on after the response was given back. */
  streaming: boolean;
}

type Env = { Bindings: { trace: Trace } };

/** Routes that need no key: they say nothing that one could use. */
const OPEN = new Set(['/health', '/ready', ...PAGE_FILES.keys()]);
const KNOWN = [
  ...PAGE_FILES.keys(),
  '/health',
  '/ready',
  '/metrics',
  '/openapi.json',
  '/v1/models',
  '/v1/models/:name',
  '/v1/completions',
  '/v1/chat/completions',
  '/microgpt/v1/generate',
  '/microgpt/v1/chat',
];

export function createApp(parts: AppParts): App {
  const { compute, admission, guard, faults, metrics, stop, record, log, playground } = parts;
  const app = new Hono<Env>();
  let requests = 0;

  const gauges = () => ({
    active: admission.active(),
    waiting: admission.waiting(),
    ready: compute.ready() && !admission.draining() ? 1 : 0,
  });

  app.get('/health', () => textResponse(200, 'Ok'));
  app.get('/ready', () => (gauges().ready ? textResponse(200, 'Ok') : textResponse(503, 'Not ready')));
  app.get('/metrics', () => textResponse(200, metrics.text(gauges()), 'text/plain; version=0.0.4; charset=utf-8'));
  app.get('/openapi.json', async () => json(200, (await import('./openapi.js')).openApiDocument()));
  app.get('/v1/models', () => json(200, { object: 'list', data: [...compute.models.keys()].map(modelEntry) }));
  app.get('/v1/models/:name', (c) => {
    const name = c.req.param('name');
    if (compute.models.has(name)) return json(200, modelEntry(name));
    throw new Refusal(404, 'model_not_found', 'there is no such model here', { param: 'model' });
  });
  for (const [path, file] of PAGE_FILES) {
    app.get(path, () => new Response(file.text, { headers: { ...PAGE_HEADERS, 'content-type': file.type } }));
  }
  app.post('/v1/completions', (c) => answer(c.env.trace, planCompletion));
  app.post('/v1/chat/completions', (c) => answer(c.env.trace, planChat));
  app.post('/microgpt/v1/generate', (c) => answerEarlier(c.env.trace, planGenerate));
  app.post('/microgpt/v1/chat', (c) => answerEarlier(c.env.trace, planEarlierChat));
  app.notFound((c) => {
    const path = new URL(c.req.url).pathname;
    const route = routeOf(path);
    if (KNOWN.includes(route)) throw new Refusal(405, 'method_not_allowed', `${c.req.method} is not for ${route}`);
    const message = 'there is no such path here; there are /v1/models, /v1/completions and /v1/chat/completions';
    throw new Refusal(404, 'not_found', message);
  });
  app.onError((error) => {
    throw error;
  });

  /** What is asked of the model, answered when its turn comes. */
  async function answer(
    trace: Trace,
    plan: (body: Body, compute: Compute, isScripted: boolean) => Planned,
  ): Promise<Response> {
    refuseEarly();
    const body = await readJson(trace.request, REQUEST_LIMITS.bodyBytes);
    const fault = startFault(trace, body.value);
    const reply = fault?.reply;
    const planned = plan(body, reply === undefined ? compute : scripted(compute, reply), reply !== undefined);
    trace.model = planned.model;
    trace.tokens = () => planned.counter.completion;
    const taking: Taking = { samples: planned.samples, chunks: 0, asked: true };
    const turn = await takeTurn(trace, fault, planned.stream ? taking : undefined);
    if (!planned.stream) {
      try {
        const value = await planned.json(turn.signal);
        for (let i = 0; fault?.slow && i < planned.counter.completion; i++)
          await before({ delay: fault.slow }, turn.signal);
        turn.check();
        return json(200, value, planned.notes, cutterOf(trace, fault));
      } finally {
        turn.end();
      }
    }
    trace.streaming = true;
    trace.status = 200;
    const events = checked(planned.events(turn.signal), trace, turn.check);
    const stream = eventStream(
      fault === null ? events : during(events, fault, turn.signal),
      taking,
      (error) => {
        turn.end();
        finish(trace, error);
      },
      trace.peer?.cut,
    );
    return new Response(stream, { headers: { ...SSE_HEADERS, ...planned.notes } });
  }

  async function answerEarlier(
    trace: Trace,
    plan: (
      body: Awaited<ReturnType<typeof readEarlierBody>>,
      compute: Compute,
    ) => Pick<Planned, 'model' | 'counter' | 'json'>,
  ): Promise<Response> {
    refuseEarly();
    const body = await readEarlierBody(trace.request);
    const fault = startFault(trace, body.fields);
    const planned = plan(body, fault?.reply === undefined ? compute : scripted(compute, fault.reply));
    trace.model = planned.model;
    trace.tokens = () => planned.counter.completion;
    const turn = await takeTurn(trace, fault);
    try {
      const value = await planned.json(turn.signal);
      turn.check();
      return json(200, value, {}, cutterOf(trace, fault));
    } finally {
      turn.end();
    }
  }

  /** Who cannot be answered is told so before his body is read: a crowd costs those who are being answered little. */
  function refuseEarly(): void {
    if (record === null && !faults.any) admission.requireRoom();
  }

  function startFault(trace: Trace, body: Plain): Fault | null {
    const { request } = trace;
    const { pathname } = new URL(request.url);
    if (record !== null) {
      const headers = Object.fromEntries([...request.headers].filter(([name]) => name !== 'authorization'));
      record({ id: trace.id, method: request.method, path: pathname, headers, body });
    }
    return faults.faultFor(request, pathname, body);
  }

  /** Waits for a turn. Its signal ends when the client goes away, the server stops, or `end` is called. */
  async function takeTurn(trace: Trace, fault: Fault | null, taking?: Taking) {
    // Not AbortSignal.any: in Node 20 every one made with a signal that lives long stays in memory.
    const ended = new AbortController();
    const { signal } = ended;
    const client = trace.request.signal;
    const end = () => ended.abort(stop.stopped ? drainingRefusal() : undefined);
    client.addEventListener('abort', end);
    stop.listeners.add(end);
    const forget = () => {
      client.removeEventListener('abort', end);
      stop.listeners.delete(end);
    };
    if (client.aborted || stop.stopped) end();
    let ticket: Ticket;
    try {
      if (fault !== null) await before(fault, signal);
      if (!compute.ready())
        throw admission.draining() ? drainingRefusal() : overloaded('the models are being loaded again');
      ticket = await admission.enter(trace.key, signal, taking);
    } catch (error) {
      forget();
      throw error;
    }
    trace.queueMs = ticket.queueMs;
    return {
      signal,
      /** What was aborted did not come to its end. */
      check() {
        if (stop.stopped) throw drainingRefusal();
        if (client.aborted) throw new ClientGone();
      },
      end() {
        forget();
        end();
        ticket.leave();
      },
    };
  }

  function finish(trace: Trace, error: unknown = null): void {
    const ms = performance.now() - trace.since;
    const tokens = trace.tokens();
    const cut =
      error === null
        ? null
        : error instanceof ClientGone
          ? 'client'
          : error instanceof CutShort
            ? 'asked'
            : refusalOf(error).code;
    metrics.request(trace.route, trace.status, ms / 1000);
    if (trace.model !== null) metrics.tokens(trace.model, tokens);
    if (cut !== null) metrics.cut();
    log?.({
      time: new Date().toISOString(),
      id: trace.id,
      method: trace.request.method,
      route: trace.route,
      status: trace.status,
      ms: Number(ms.toFixed(1)),
      queue_ms: Number(trace.queueMs.toFixed(1)),
      first_ms: trace.firstMs === null ? null : Number(trace.firstMs.toFixed(1)),
      model: trace.model,
      tokens,
      cut,
      ...(isBug(error) ? { stack: error instanceof Error ? error.stack : String(error) } : {}),
    });
  }

  async function respond(trace: Trace, peer: Peer | null): Promise<Response> {
    const { request } = trace;
    guard.checkPlace(request, peer);
    const { pathname } = new URL(request.url);
    trace.route = routeOf(pathname);
    if (request.method === 'OPTIONS' && guard.allowedOrigin(request) !== null) {
      return new Response(null, { status: 204, headers: PREFLIGHT });
    }
    const page = playgroundAnswer(playground, request.method, pathname);
    if (page !== null) return page;
    if (!OPEN.has(pathname)) {
      if (admission.draining()) throw drainingRefusal();
      trace.key = guard.checkKey(request);
    }
    return await app.fetch(request, { trace });
  }

  return async (request, peer = null) => {
    const own = request.headers.get('x-request-id');
    const trace: Trace = {
      id: own !== null && /^[\w.-]{1,64}$/.test(own) ? own : `req-${++requests}`,
      request,
      peer,
      since: performance.now(),
      route: 'unknown',
      key: null,
      status: 200,
      queueMs: 0,
      firstMs: null,
      model: null,
      tokens: () => 0,
      streaming: false,
    };
    let response: Response;
    try {
      response = await respond(trace, peer);
      trace.status = response.status;
      if (!trace.streaming) finish(trace);
    } catch (error) {
      response = refused(trace.route, error);
      trace.status = response.status;
      finish(trace, isBug(error) || error instanceof ClientGone ? error : null);
    }
    response.headers.set('x-request-id', trace.id);
    response.headers.set('x-content-type-options', 'nosniff');
    if (!response.headers.has('cache-control')) response.headers.set('cache-control', 'no-store');
    const origin = guard.allowedOrigin(request);
    if (origin !== null) {
      response.headers.set('access-control-allow-origin', origin);
      response.headers.set('access-control-expose-headers', EXPOSED);
      response.headers.append('vary', 'Origin');
    }
    return response;
  };
}

/** What breaks an answer off, when that was asked for. */
const cutterOf = ({ peer }: Trace, fault: Fault | null): Cutter | null =>
  fault?.cut === undefined ? null : (peer ?? {});

function routeOf(pathname: string): string {
  if (KNOWN.includes(pathname)) return pathname;
  if (/^\/v1\/models\/[^/]+$/.test(pathname)) return '/v1/models/:name';
  if (pathname.startsWith(PLAYGROUND)) return `${PLAYGROUND}*`;
  return pathname.startsWith('/v1/') ? '/v1/*' : 'unknown';
}

/** The events, and at their end the error if they ended early. */
async function* checked(
  events: AsyncIterable<unknown>,
  trace: Trace,
  check: () => void,
): AsyncGenerator<unknown, void, undefined> {
  for await (const event of events) {
    check();
    if (trace.tokens() > 0) trace.firstMs ??= performance.now() - trace.since;
    yield event;
  }
  check();
}
