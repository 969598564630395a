import { expect, test } from 'vitest';
import { createWasmBackend, type WasmBackend } from '../backend/wasm/index.js';
import type { WorkerData } from '../backend/wasm/pool.js';
import type { Op } from '../tensor/backend.js';
import { startThread } from './threads.js';

/** A thread that comes up, and then does `body` instead of its work. */
const threadsThat = (body: string) => {
  let at: WorkerData | undefined;
  const source = `({ memory, control, barrier, worker }) => {
    const c = new Int32Array(memory.buffer, control, 8), b = new Int32Array(memory.buffer, barrier, 8);
    Atomics.add(c, 4, 1);
    Atomics.notify(c, 4);
    ${body}
  }`;
  return {
    count: 2,
    patience: 5000,
    sharedWork: 0,
    start(_: string, data: WorkerData) {
      at = data;
      startThread(source, data);
    },
    /** The failed worker's number, 0 while there is none. */
    failed: () => (at === undefined ? 0 : Atomics.load(new Int32Array(at.memory.buffer, at.barrier, 8), 2)),
  };
};

function work(backend: WasmBackend, damaged = false): Op[] {
  const x = backend.alloc([256, 256]);
  const w = backend.alloc([256, 256]);
  const out = backend.alloc([256, 256]);
  return [{ op: 'linear', x: damaged ? { ...x, at: 2 ** 29 } : x, w, bias: null, out }];
}

/** Half of the minute after which a kernel gives up waiting for another thread: whoever is told sooner was told by the thread's end. */
const SOON = 30_000; // ms

const AWAIT_RUN = 'Atomics.wait(c, 0, 0);';

test.each([
  ['throws in the middle of a run', `${AWAIT_RUN} throw new Error('broken');`],
  ['exits in the middle of a run without a word', `${AWAIT_RUN} process.exit(0);`],
  ['comes to its end in the middle of a run', AWAIT_RUN],
  ['exits a while after the run began', `${AWAIT_RUN} Atomics.wait(b, 7, 0, 300); process.exit(3);`],
  ['exits before the first run', 'process.exit(0);'],
])('a thread that %s is an error of the caller long before a minute is over, and from then on', (_, body) => {
  const backend = createWasmBackend({ threads: threadsThat(body) });
  const ops = work(backend);
  const start = performance.now();
  expect(() => backend.run(ops)).toThrow('kernel thread 1 failed');
  expect(performance.now() - start).toBeLessThan(SOON);
  expect(() => backend.run(ops)).toThrow('create a new one');
  backend.close();
});

test('a thread that is killed and cannot say so is an error once the event loop has turned', async () => {
  const threads = threadsThat('process.reallyExit(0);'); // ends the thread without its exit event
  const backend = createWasmBackend({ threads: { ...threads, patience: 0 } });
  const ops = work(backend);
  backend.run(ops);
  expect(backend.sharedRuns()).toBe(0); // alone, since the thread was not up yet
  for (let i = 0; i < 400 && threads.failed() === 0; i++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(() => backend.run(ops)).toThrow('kernel thread 1 failed');
  backend.close();
});

test('commands that trap on the caller’s own thread are an error, and no later run waits for the other threads', () => {
  const threads = threadsThat(AWAIT_RUN);
  const backend = createWasmBackend({ threads });
  const damaged = work(backend, true);
  const start = performance.now();
  expect(() => backend.run(damaged)).toThrow();
  expect(() => backend.run(work(backend))).toThrow('create a new one');
  expect(performance.now() - start).toBeLessThan(SOON);
  backend.close();
});

test('control: a thread that does its work is no error, nor is closing', async () => {
  const threads = { count: 2, patience: 5000, sharedWork: 0, start: startThread };
  const backend = createWasmBackend({ threads });
  const ops = work(backend);
  for (let i = 0; i < 3; i++) backend.run(ops);
  expect(backend.sharedRuns()).toBe(3);
  backend.close();
});
