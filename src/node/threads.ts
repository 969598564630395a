/**
 * Threads for the Wasm backend on Node: worker_threads that run a source text.
 * Knows nothing of kernels. Invariant: a thread never keeps the process alive, and none ends unseen: a thread that exits says so itself
 * through the shared memory, because its owner may be waiting for it with its event loop at rest. Only a thread that is killed from
 * outside (terminate, out of memory) cannot; its owner learns of it when its event loop turns, or by not hearing from it for a minute.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Threads } from '../backend/wasm/index.js';
import { reportEnd, type StartThread } from '../backend/wasm/pool.js';
import { requireWhole } from '../engine/options.js';

export const startThread: StartThread = (source, data) => {
  const text = `const { workerData } = require('node:worker_threads');
    process.on('exit', () => (${reportEnd})(workerData));
    (${source})(workerData);`;
  const worker = new Worker(text, { eval: true, workerData: data });
  // What went wrong reaches the caller through the shared memory; this only keeps it from ending the process as well.
  worker.on('error', () => {});
  worker.on('exit', () => reportEnd(data));
  worker.unref();
};

/**
 * Threads for all cores that this process may use, or `count` with the caller's own: what `threads` takes in Node. None is started before
 * there is work that is worth it, and none keeps the process alive. @throws MG_OPTION_VALUE
 */
export function nodeThreads(count: number = availableParallelism()): Threads {
  requireWhole('the number of threads', count, 1);
  return { count, start: startThread, patience: 2000, now: () => performance.now() };
}
