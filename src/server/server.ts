/**
 * A server of models: in-process as `fetch`, or listening at a port of this machine. Importing it runs nothing.
 * Invariants: what is asked in-process and over a port gets the same bytes; `close` leaves nothing behind.
 */
import { MicrogptError } from '../base/errors.js';
import { requireNames } from '../base/options.js';
import { type Compute, createLocalCompute } from '../engine/compute.js';
import { createAdmission } from './admission.js';
import { createApp, type Stop } from './app.js';
import { createFaults, type RecordedRequest } from './faults.js';
import { createGuard, type Peer } from './guard.js';
import { LOAD_LIMITS } from './limits.js';
import { createMetrics } from './metrics.js';
import { isAny, isLoopback, requireLoopback } from './open-address.js';
import { requireServer, type ServerOptions } from './options.js';

/** A server of models. A program goes on until it is closed, if it listens or computes in another thread. */
export interface Server {
  /** Answers a request, without a port. The second form takes what the global `fetch` takes. */
  fetch(request: Request | string | URL, init?: RequestInit): Promise<Response>;
  /** Listens at this machine; port 0 takes any that is free. In Node only. @throws MG_SERVE_PORT_BUSY, MG_SERVE_ADDRESS, MG_SERVE_OPEN */
  listen(port?: number, options?: ListenOptions): Promise<Listening>;
  /** What was asked last, the oldest first, when `record` is set. */
  readonly requests: readonly RecordedRequest[];
  /** Requests that are being answered, and those that wait. */
  active(): number;
  waiting(): number;
  /**
   * Takes no more requests, sends those who wait away, and gives those that are being answered `seconds` to come to their end; then they are
   * told so and cut off. Gives how many were.
   */
  drain(seconds?: number): Promise<number>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/** Where to listen. */
export interface ListenOptions {
  /** 127.0.0.1 if left out. */
  readonly host?: string | undefined;
  /** Listen at an address that others reach, although no key is needed. */
  readonly insecure?: boolean | undefined;
}

/** Where a server listens. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

/** What listens: node/listen.ts. */
interface Listener extends Listening {
  close(): Promise<void>;
  /** Connections that wait for a further request are closed. */
  closeIdle(): void;
}

const MOST_RECORDED = 1000;

/** @throws MG_OPTION_VALUE when there are no models, or what is given is none of the options */
export function createServer(options: ServerOptions): Server {
  requireServer(options);
  const { keys = [], origins = [], hosts = [], rules = [], faults = false, connections, log } = options;
  const compute = options.compute ?? localCompute(options);
  const limits = { ...LOAD_LIMITS, ...options.limits };
  const admission = createAdmission(limits);
  const guard = createGuard({ keys, origins });
  const stop: Stop = { stopped: false, listeners: new Set() };
  const requests: RecordedRequest[] = [];
  let listener: Listener | null = null;
  let closing: Promise<void> | null = null;

  const app = createApp({
    compute,
    admission,
    guard,
    faults: createFaults(rules, faults),
    metrics: createMetrics(),
    stop,
    record: options.record === true ? record : null,
    log: log ?? null,
    playground: options.playground,
  });

  function record(request: RecordedRequest): void {
    requests.push(request);
    if (requests.length > MOST_RECORDED) requests.shift();
  }

  function stopAll(): void {
    stop.stopped = true;
    for (const end of [...stop.listeners]) end();
  }

  async function close(): Promise<void> {
    admission.drain();
    stopAll();
    await listener?.close();
    await compute.close();
  }

  return {
    async fetch(input, init) {
      const request = input instanceof Request ? input : new Request(new URL(input, 'http://microgpt.local'), init);
      const response = await app(request);
      if (request.signal.aborted) throw request.signal.reason; // as the global one
      return response;
    },
    async listen(port = 0, options = {}) {
      requireNames('listen', options, { host: true, insecure: true });
      const { host = '127.0.0.1', insecure = false } = options;
      if (listener !== null) {
        throw new MicrogptError(
          'MG_OPTION_VALUE',
          `this server listens at ${listener.url} already`,
          'make another server',
        );
      }
      if (keys.length === 0 && !insecure) requireLoopback(host);
      const { listen } = await import('../node/listen.js');
      const started: Listener = await listen((request: Request, peer: Peer) => app(request, peer), {
        host,
        port,
        limits: connections,
      });
      listener = started;
      guard.allowHosts([...namesOf(host).map((name) => `${name}:${started.port}`), ...hosts]);
      return { host, port: started.port, url: started.url };
    },
    requests,
    active: admission.active,
    waiting: admission.waiting,
    async drain(seconds = 20) {
      admission.drain();
      listener?.closeIdle();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, seconds * 1000);
      });
      await Promise.race([admission.idle(), late]);
      clearTimeout(timer);
      const cut = admission.active();
      if (cut > 0) {
        stopAll();
        await admission.idle();
      }
      return cut;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function localCompute({ models = {} }: ServerOptions): Compute {
  const entries = Object.entries(models);
  if (entries.length === 0) {
    throw new MicrogptError(
      'MG_OPTION_VALUE',
      'the server was given no models',
      'give createServer({ models: { name: model } })',
    );
  }
  return createLocalCompute(new Map(entries));
}

/** How a browser or a program on this machine may call an address. */
function namesOf(host: string): string[] {
  const plain = host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host;
  return isLoopback(host) || isAny(host) ? [...new Set([plain, 'localhost', '127.0.0.1', '[::1]'])] : [plain];
}
