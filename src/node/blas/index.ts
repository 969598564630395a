/**
 * The system's BLAS for the matrix products of the Wasm backend: found, started with the right kernels, tried out, then handed over.
 * Refuses to know: models and the command line. Invariant: a library that is missing, broken or wrong is a sentence for the user, never an
 * exception, and leaves nothing behind; the process's environment is afterwards what it was.
 */

import { readFileSync } from 'node:fs';
import type { Products } from '../../backend/wasm/products.js';
import { counted } from '../../base/count.js';
import { requireNames } from '../../base/options.js';
import { type Found, firstLibrary, firstLine, type Library, loadForeign } from '../foreign.js';
import { coreType } from './core-type.js';
import { gemmOf, isSound } from './gemm.js';

/** A BLAS that was found and tried out: for `products` of `createTraining`. */
export interface Blas extends Products {
  /** What was found, for people: library, kernels, threads. */
  readonly about: string;
  readonly threads: number;
}

/** Which BLAS, and on how many threads. */
export interface BlasOptions {
  /** Threads that it may use. They work while ours rest, so this is the number of ours. */
  readonly threads: number;
  /** Libraries to try instead of the usual ones. */
  readonly libraries?: readonly string[] | undefined;
  /** The package that calls them. */
  readonly foreign?: string | undefined;
}

/** Names a library file, for machines where ours are not the ones to try. */
export const BLAS_VARIABLE = 'MICROGPT_BLAS';

const LIBRARIES: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: ['libopenblas.so.0', 'libopenblas.so', 'libmkl_rt.so.2', 'libmkl_rt.so', 'libblis.so.4'],
  darwin: ['/System/Library/Frameworks/Accelerate.framework/Accelerate', 'libopenblas.dylib'],
  win32: ['libopenblas.dll', 'mkl_rt.2.dll'],
};

/**
 * Where a call begins to pay, measured (docs/decisions/0015): below, leaving Wasm in the middle of a step costs more than it saves, and
 * for fewer rows the kernels' packed weights are faster.
 */
export const LEAST = 32_768; // multiply-adds
const LEAST_ROWS = 16;

/** Finds the system's BLAS, or says in words why there is none. */
export async function openBlas(options: BlasOptions): Promise<Found<Blas>> {
  requireNames('openBlas', options, { threads: true, libraries: true, foreign: true });
  const { threads, libraries, foreign } = options;
  const koffi = await loadForeign(foreign);
  if ('missing' in koffi) return koffi;
  const named = process.env[BLAS_VARIABLE];
  const names = libraries ?? (named ? [named] : (LIBRARIES[process.platform] ?? []));
  const opened = withEnvironment(startSettings(), () => firstLibrary(koffi.found, names));
  if ('missing' in opened) return opened;
  const { library, name } = opened.found;
  try {
    const gemm = gemmOf(library);
    const set = limitThreads(library, threads);
    if (!isSound(gemm)) return { missing: `${name} gives wrong products` };
    return { found: { gemm, least: LEAST, leastRows: LEAST_ROWS, threads: set, about: describe(library, name, set) } };
  } catch (error) {
    return { missing: `${name} cannot be used: ${firstLine(error)}` };
  }
}

/** What OpenBLAS reads when it is loaded. What the user has set stays. */
function startSettings(): Record<string, string> {
  const core = process.platform === 'linux' && process.arch === 'x64' ? coreType(cpuinfo()) : null;
  return {
    ...(core === null ? {} : { OPENBLAS_CORETYPE: core }),
    // Its threads look for work for 2^n processor cycles before they sleep: ours need the cores at once.
    OPENBLAS_THREAD_TIMEOUT: '4',
  };
}

function cpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}

function withEnvironment<T>(settings: Record<string, string>, act: () => T): T {
  const added = Object.keys(settings).filter((name) => process.env[name] === undefined);
  for (const name of added) process.env[name] = settings[name];
  try {
    return act();
  } finally {
    for (const name of added) delete process.env[name];
  }
}

/** Each library calls it otherwise; one that has no such function keeps to what its environment says. */
const SETTERS = [
  'void openblas_set_num_threads(int n)',
  'void MKL_Set_Num_Threads(int n)',
  'void bli_thread_set_num_threads(int64_t n)',
];

function limitThreads(library: Library, threads: number): number {
  const set = SETTERS.map((prototype) => optional(library, prototype)).find((f) => f !== null);
  (set as ((n: number) => void) | undefined)?.(threads);
  const get = optional(library, 'int openblas_get_num_threads()') as (() => number) | null;
  return get?.() ?? threads;
}

function describe(library: Library, name: string, threads: number): string {
  const config = optional(library, 'const char *openblas_get_config()') as (() => string) | null;
  const core = optional(library, 'const char *openblas_get_corename()') as (() => string) | null;
  const what =
    config === null ? name : `${/^OpenBLAS \S+/.exec(config())?.[0] ?? 'OpenBLAS'}${core ? ` (${core()})` : ''}`;
  return `${what}, ${counted(threads, 'thread')}`;
}

function optional(library: Library, prototype: string): ((...args: never[]) => unknown) | null {
  try {
    return library.func(prototype);
  } catch {
    return null;
  }
}
