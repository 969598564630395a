/**
 * Threads that run the same commands over one shared memory, each its share of every command, meeting between commands.
 * Refuses to know how a thread is started: the host hands that in. Invariant: thread 0 is the caller's own; a thread that fails, or never
 * answers, becomes an error of the caller; until all threads have started, the caller works alone (with the same bits).
 */
import type { HostMemory, HostModule } from './host.js';
import { BARRIER, CONTROL } from './layout.js';

/** Starts a thread that evaluates `source`, a JavaScript function expression, and calls it with `data`. */
export type StartThread = (source: string, data: WorkerData) => void;

export interface WorkerData {
  readonly module: HostModule;
  readonly memory: HostMemory;
  readonly worker: number;
  readonly workers: number;
  readonly barrier: number;
  readonly control: number;
}

/**
 * What a thread does. Source text and not a module, so that it needs no file of its own in any bundle.
 * Words of `c`, from CONTROL: 0 run · 1 commands · 2 count · 3 quit · 4 started · 5 how long to look for the next run before sleeping. Words of `b`, from BARRIER: 1 round · 2 failed worker.
 */
export const WORKER_SOURCE = `({ module, memory, worker, workers, barrier, control }) => {
  const c = new Int32Array(memory.buffer, control, 8);
  const b = new Int32Array(memory.buffer, barrier, 8);
  try {
    const { step } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    let run = 0;
    Atomics.add(c, 4, 1);
    Atomics.notify(c, 4);
    for (;;) {
      for (let spin = Atomics.load(c, 5); spin > 0 && Atomics.load(c, 0) === run; spin--);
      while (Atomics.load(c, 0) === run) Atomics.wait(c, 0, run);
      run = Atomics.load(c, 0);
      if (Atomics.load(c, 3) !== 0) return;
      if (step(Atomics.load(c, 1), Atomics.load(c, 2), worker, workers, barrier) !== 0) return;
    }
  } catch (error) {
    Atomics.compareExchange(b, 2, 0, worker);
    Atomics.notify(b, 1);
    throw error;
  }
}`;

/** For a host that sees a thread end which nobody told to: the run in progress, or the next, becomes an error at once. */
export function reportEnd({ memory, worker, barrier, control }: WorkerData): void {
  if (Atomics.load(new Int32Array(memory.buffer, control, 8), 3) !== 0) return;
  const b = new Int32Array(memory.buffer, barrier, 8);
  Atomics.compareExchange(b, 2, 0, worker);
  Atomics.notify(b, 1);
}

export interface Pool {
  readonly workers: number;
  /** True once every thread is up; before that, run alone. */
  ready(): boolean;
  /** Runs the commands on all threads; with `rest` they leave the cores to others at once afterwards. @throws when a thread failed; the memory's contents are then worthless. */
  run(commands: number, count: number, rest?: boolean): void;
  close(): void;
}

const WAIT_MS = 20;
/** Most commands that follow one another come within so many looks. */
const SPINS = 20_000;

type Step = (commands: number, count: number, worker: number, workers: number, barrier: number) => number;

export function createPool(
  step: Step,
  module: HostModule,
  memory: HostMemory,
  workers: number,
  start: StartThread,
  patience: number,
): Pool {
  const c = new Int32Array(memory.buffer, CONTROL, 8);
  const b = new Int32Array(memory.buffer, BARRIER, 8);
  let broken = false;
  for (let worker = 1; worker < workers; worker++) {
    start(WORKER_SOURCE, { module, memory, worker, workers, barrier: BARRIER, control: CONTROL });
  }
  /** Waits for threads that are still starting, once, for `patience` ms at most. */
  function awaitThreads(): void {
    let left = patience;
    patience = 0;
    // In slices, because a thread's start may be missed between looking and waiting, and no clock is at hand.
    for (; left > 0; left -= WAIT_MS) {
      const started = Atomics.load(c, 4);
      if (started === workers - 1) return;
      Atomics.wait(c, 4, started, WAIT_MS);
    }
  }
  return {
    workers,
    ready() {
      if (patience > 0) awaitThreads();
      return Atomics.load(c, 4) === workers - 1;
    },
    run(commands, count, rest = false) {
      if (broken) throw new Error('the threads of this backend have failed; create a new one');
      Atomics.store(c, 1, commands);
      Atomics.store(c, 2, count);
      Atomics.store(c, 5, rest ? 0 : SPINS);
      Atomics.add(c, 0, 1);
      Atomics.notify(c, 0);
      broken = true; // unless the step comes back with a 0: it may also trap
      if (step(commands, count, 0, workers, BARRIER) === 0) {
        broken = false;
        return;
      }
      const failed = Atomics.load(b, 2);
      throw new Error(failed === 0 ? 'a kernel thread did not answer for a minute' : `kernel thread ${failed} failed`);
    },
    close() {
      Atomics.store(c, 3, 1);
      Atomics.add(c, 0, 1);
      Atomics.notify(c, 0);
    },
  };
}
