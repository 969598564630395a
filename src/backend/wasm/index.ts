/**
 * The Wasm backend: f32 SIMD kernels over one linear memory, a list of ops compiled once and replayed in a single call.
 * Knows tensors and ops, not models. Invariant: after the first run of a list nothing is allocated, and results do not depend on
 * how many rows, sequences or threads shared the work.
 */
import { type Backend, type Op, sizeOf, type Tensor } from '../../tensor/backend.js';
import { type HostModule, wasm } from './host.js';
import { PLAIN, SHARED } from './kernels.gen.js';
import { BARRIER } from './layout.js';
import { createMemory } from './memory.js';
import * as code from './opcodes.js';
import { createPlanner, type Pack, type Plan, type Storage } from './planner.js';
import { createPool, type Pool, type StartThread } from './pool.js';
import { compute, type Products } from './products.js';
import { translate } from './translate.js';
import { createTrial, type Trial } from './trial.js';

export interface WasmOptions {
  /** Upper bound of the memory, in MiB. Default: 4096, the most that 32-bit addresses reach. */
  readonly maximumMiB?: number;
  /** Shares large work among threads. Without it, one thread and unshared memory. The results are the same bits. */
  readonly threads?: Threads;
  /** Has large matrix products computed elsewhere. The bits are then those of whoever does. */
  readonly products?: Products | undefined;
}

/** Threads that a host can start. None is started before there is work large enough. */
export interface Threads {
  /** How many, the caller's own included. */
  readonly count: number;
  readonly start: StartThread;
  /** How long the first large run may block for threads that are still starting, in ms. Default 0: it works alone until they are up. */
  readonly patience?: number;
  /** The time in ms. With it, work is timed shared and alone now and then, and the faster way is kept. */
  readonly now?: () => number;
  /** Shares every run of at least so many multiply-adds, and no other, whether it pays or not. For whoever wants to see that the bits are the same. */
  readonly sharedWork?: number;
}

type Step = (commands: number, count: number, worker: number, workers: number, barrier: number) => number;

interface Ready extends Plan {
  readonly at: number;
  readonly version: number;
}

/**
 * Multiply-adds of a run from which on it may be shared among threads. On two idle cores sharing pays from some 300,000 on (bench/threads.mjs);
 * but starting a thread takes 16 ms, and of runs of this size 200 save as much.
 */
export const SHARED_WORK = 4e6;

/** The command that makes a packed copy of w [rows, columns], and how large that is with its padding. */
const LAYOUTS = {
  transposed: (rows: number, columns: number) => ({
    number: code.PACK_TRANSPOSED,
    elements: Math.ceil(rows / 8) * 8 * columns,
  }),
  wide: (rows: number, columns: number) => ({ number: code.PACK_WIDE, elements: Math.ceil(rows / 32) * 32 * columns }),
  panels: (rows: number, columns: number) => ({
    number: code.PACK_PANELS,
    elements: Math.ceil(columns / 8) * 8 * rows,
  }),
} as const;

export interface WasmBackend extends Backend {
  /** With `into`, an array of the tensor's size, nothing is allocated. */
  read(x: Tensor, into?: Float64Array): Float64Array;
  /** How many runs were shared among threads so far. */
  sharedRuns(): number;
}

/** One memory, one module, ready at once: nothing is loaded, so nothing is awaited. */
export function createWasmBackend(options: WasmOptions = {}): WasmBackend {
  const workers = Math.max(1, options.threads?.count ?? 1);
  const shared = workers > 1;
  const { sharedWork, now } = options.threads ?? {};
  const least = sharedWork ?? SHARED_WORK;
  const trials: Trial[] = []; // by size of the work, in powers of two
  const store = createMemory({ shared, maximumPages: Math.min(65536, (options.maximumMiB ?? 4096) * 16) });
  const module = compiled(shared ? SHARED : PLAIN);
  const step = new wasm.Instance(module, { env: { memory: store.memory } }).exports['step'] as Step;
  let pool: Pool | null = null;

  let plans = new WeakMap<readonly Op[], Ready>();
  let packs: Pack[] = [];
  let sharedRuns = 0;
  let version = 0; // of the set of packs and scratch blocks: plans compiled against an older one are compiled again
  const blocks: { at: number; bytes: number }[] = [];
  let zeros = { at: 0, bytes: 0 };
  const products = options.products ?? null;

  const storage: Storage = {
    workers,
    products,
    zeros(bytes) {
      if (zeros.bytes < bytes) zeros = { at: store.keep(bytes), bytes };
      return zeros.at;
    },
    packOf(kind, w) {
      const from = w.at * 4;
      const columns = w.shape[w.shape.length - 1] ?? 1;
      const rows = sizeOf(w.shape) / columns;
      const found = packs.find(
        (p) => p.kind === kind && p.from === from && p.command[3] === rows && p.command[4] === columns,
      );
      if (found !== undefined) return found;
      const { number, elements } = LAYOUTS[kind](rows, columns);
      const to = store.keep(elements * 4);
      const pack: Pack = {
        kind,
        from,
        bytes: rows * columns * 4,
        to,
        command: [number, from, to, rows, columns],
        fresh: false,
      };
      packs.push(pack);
      version++;
      return pack;
    },
    packsWithin: (from, bytes) => packs.filter((p) => p.from < from + bytes && from < p.from + p.bytes),
    scratch(slot, bytes) {
      const block = blocks[slot];
      if (block !== undefined && block.bytes >= bytes) return block.at;
      const at = store.keep(bytes);
      blocks[slot] = { at, bytes };
      return at;
    },
  };

  function prepare(ops: readonly Op[]): Ready {
    // Compiling may create packs, which changes what writing to their sources means: compile until nothing new appears.
    for (;;) {
      const before = version;
      const planner = createPlanner(storage);
      for (const op of ops) translate(op, planner);
      const plan = planner.finish();
      if (version !== before) continue;
      const at = store.keep(plan.words.byteLength);
      store.ints().set(plan.words, at / 4);
      const ready: Ready = { ...plan, at, version };
      plans.set(ops, ready);
      return ready;
    }
  }

  /** Threads are started when the first work comes that is worth them. */
  function threadPool(): Pool | null {
    if (pool === null && shared && options.threads) {
      pool = createPool(step, module, store.memory, workers, options.threads.start, options.threads.patience ?? 0);
    }
    return pool;
  }

  /** Whether work of about this size is faster shared; null where that is not a question. */
  function trialOf({ work }: Plan): Trial | null {
    if (!shared || sharedWork !== undefined || now === undefined || work < least) return null;
    const size = Math.clz32(work / least);
    trials[size] ??= createTrial();
    return trials[size];
  }

  function runCommands(team: Pool | null, commands: number, count: number, rest = false): void {
    if (team !== null) team.run(commands, count, rest);
    else step(commands, count, 0, 1, BARRIER);
  }

  /** The commands with the products between them. Our threads rest meanwhile, so theirs have the cores to themselves. */
  function runAround(
    team: Pool | null,
    commands: number,
    count: number,
    { products: list, count: ofOps }: Plan,
    { gemm }: Products,
  ): void {
    let done = 0;
    for (const { after, placed } of list) {
      const upTo = count - ofOps + after;
      if (upTo > done) runCommands(team, commands + done * 64, upTo - done, true);
      done = upTo;
      compute(placed, gemm, store.memory.buffer);
    }
    if (count > done) runCommands(team, commands + done * 64, count - done);
  }

  function outdate(from: number, bytes: number): void {
    for (const p of packs) if (p.from < from + bytes && from < p.from + p.bytes) p.fresh = false;
  }

  return {
    name: 'wasm',
    precision: 'f32',
    alloc(shape, type = 'float') {
      const bytes = sizeOf(shape) * 4;
      const at = store.take(bytes);
      outdate(at, bytes);
      return { at: at / 4, shape, type };
    },
    mark: () => store.mark(),
    reset: (mark) => store.reset(mark),
    write(x, values) {
      const size = sizeOf(x.shape);
      if (values.length > size) throw new RangeError(`write: ${values.length} values for a tensor of ${size}`);
      const to: Float32Array | Int32Array = x.type === 'int' ? store.ints() : store.floats();
      const at = x.at;
      // For a few numbers a loop is faster than the built-in, for many the built-in.
      if (values.length > 64) to.set(values, at);
      else for (let i = 0; i < values.length; i++) to[at + i] = values[i] as number;
      if (x.type === 'float') outdate(at * 4, values.length * 4);
    },
    read(x, into) {
      const from: Float32Array | Int32Array = x.type === 'int' ? store.ints() : store.floats();
      const size = sizeOf(x.shape);
      const out = into ?? new Float64Array(size);
      if (size > 64) out.set(from.subarray(x.at, x.at + size));
      else for (let i = 0, at = x.at; i < size; i++) out[i] = from[at + i] as number;
      return out;
    },
    run(ops) {
      let plan = plans.get(ops);
      if (plan === undefined || plan.version !== version) plan = prepare(ops);
      let skip = plan.prologue;
      for (const pack of plan.needs) if (!pack.fresh) skip = 0;
      const commands = plan.at + skip * 64;
      const count = plan.prologue - skip + plan.count;
      const trial = trialOf(plan);
      const wanted = shared && (trial?.shared() ?? plan.work >= least);
      const team = wanted ? threadPool() : null;
      const shares = team?.ready() ? team : null;
      const start = trial && now ? now() : 0;
      if (products === null || plan.products.length === 0) runCommands(shares, commands, count);
      else runAround(shares, commands, count, plan, products);
      if (shares !== null) sharedRuns++;
      if (trial && now && wanted === (shares !== null)) trial.ran(plan.work, now() - start);
      if (skip === 0) for (const pack of plan.needs) pack.fresh = true;
      for (const pack of plan.leavesStale) pack.fresh = false;
      for (const pack of plan.leavesFresh) pack.fresh = true;
    },
    sharedRuns: () => sharedRuns,
    close() {
      pool?.close();
      plans = new WeakMap();
      packs = [];
    },
  };
}

const modules = new Map<string, HostModule>();

/** Compiled the first time only: that takes a while, and Node 20 never gives back some 600 bytes of each module. */
function compiled(base64: string): HostModule {
  const module = modules.get(base64) ?? new wasm.Module(decode(base64));
  modules.set(base64, module);
  return module;
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
