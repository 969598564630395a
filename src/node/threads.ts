/**
 * Threads for the Wasm backend on Node: worker_threads that run a source text.
 * Knows nothing of kernels. Invariant: a thread never keeps the process alive.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { StartThread } from '../backend/wasm/pool.js';

export const startThread: StartThread = (source, data) => {
  const worker = new Worker(`(${source})(require('node:worker_threads').workerData)`, { eval: true, workerData: data });
  // What went wrong reaches the caller through the shared memory; this only keeps it from ending the process as well.
  worker.on('error', () => {});
  worker.unref();
};

/** Threads for all cores that this process may use. */
export function nodeThreads(count: number = availableParallelism()): {
  count: number;
  start: StartThread;
  patience: number;
} {
  return { count, start: startThread, patience: 2000 };
}
