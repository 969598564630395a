/**
 * Threads for the Wasm backend in browsers: Web Workers made from the pool's source text, so that no bundler has to find a file.
 * Knows nothing of kernels. The engine must itself run in a Worker: a page's main thread may not wait for others.
 * Invariant: where threads are not to be had, the answer says why, and the engine works alone with the same bits; nothing hangs.
 *
 * The Workers are up before an engine gets them, and get their data through ports of their own: Chromium starts no Worker, and delivers
 * nothing of what is posted to one, before its owner's event loop turns; and an engine that trains does not let it turn.
 */
import type { Threads } from '../backend/wasm/index.js';
import { reportEnd, WORKER_SOURCE, type WorkerData } from '../backend/wasm/pool.js';
import { requireWhole } from '../engine/options.js';

/** Threads for one engine at a time: when it is closed, the next may have them. */
export interface BrowserThreads extends Threads {
  /** Ends the Workers. Close the engine first. */
  close(): void;
}

interface WebWorker {
  onmessage: (() => void) | null;
  onerror: ((event: { preventDefault(): void; readonly message?: string }) => void) | null;
  postMessage(message: null, transfer: readonly Port[]): void;
  terminate(): void;
}

interface Port {
  postMessage(data: WorkerData): void;
  close(): void;
}

interface Browser {
  readonly Worker?: new (url: string) => WebWorker;
  readonly MessageChannel: new () => { readonly port1: Port; readonly port2: Port };
  readonly WorkerGlobalScope?: new () => object;
  readonly performance: { now(): number };
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly hardwareConcurrency?: number };
}

const browser = globalThis as unknown as Browser;

/** How long Workers may take to come up, in ms. */
const PATIENCE = 10_000;

/** Why there can be no threads here; null when there can. */
export function whyNoThreads(): string | null {
  if (browser.Worker === undefined) return 'this browser has no Web Workers here';
  if (typeof SharedArrayBuffer === 'undefined' || browser.crossOriginIsolated !== true) {
    return 'this page is not cross-origin isolated: it must be served with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';
  }
  if (browser.WorkerGlobalScope === undefined || !(globalThis instanceof browser.WorkerGlobalScope)) {
    return 'this is the main thread of the page, which may not wait for others: run the engine in a Worker';
  }
  return null;
}

/**
 * Threads for all cores, or `count` with the caller's own: what `threads` takes in a browser. Without threads: undefined, and `say` hears
 * why, once. @throws MG_OPTION_VALUE
 */
export async function browserThreads(
  count: number = browser.navigator?.hardwareConcurrency ?? 1,
  say: (why: string) => void = () => {},
): Promise<BrowserThreads | undefined> {
  requireWhole('the number of threads', count, 1);
  if (count <= 1) return undefined;
  const why = whyNoThreads();
  if (why !== null) {
    say(why);
    return undefined;
  }
  const clock = browser.performance;
  const Worker = browser.Worker as NonNullable<Browser['Worker']>;
  const text = `const run = ${WORKER_SOURCE};
    onmessage = ({ ports: [port] }) => {
      port.onmessage = ({ data }) => run(data);
      postMessage('up');
    };`;
  const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const workers: WebWorker[] = [];
  const ports: Port[] = [];
  const end = (): void => {
    for (const worker of workers) worker.terminate();
    for (const port of ports) port.close();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`they did not come up in ${PATIENCE} ms`)), PATIENCE);
      let up = 0;
      for (let i = 1; i < count; i++) {
        const worker = new Worker(url);
        workers.push(worker);
        const { port1, port2 } = new browser.MessageChannel();
        ports.push(port1);
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message || 'a Worker was refused'));
        };
        worker.onmessage = () => {
          up++;
          if (up < count - 1) return;
          clearTimeout(timer);
          resolve();
        };
        worker.postMessage(null, [port2]);
      }
    });
  } catch (error) {
    end();
    say(`Web Workers cannot be used: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  } finally {
    URL.revokeObjectURL(url);
  }
  return {
    count,
    patience: 1000,
    now: () => clock.now(),
    start(_source, data) {
      const worker = workers[data.worker - 1];
      worker.onerror = (event) => {
        event.preventDefault();
        reportEnd(data);
      };
      ports[data.worker - 1].postMessage(data);
    },
    close: end,
  };
}
