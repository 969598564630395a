/** Starts the engine's worker from a file of its own; the page in one file has it inside itself instead (start-inline.ts). */
export const startWorker = (): Worker =>
  new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'engine' });
