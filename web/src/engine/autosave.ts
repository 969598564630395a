/**
 * What the browser keeps of a run, in IndexedDB, so that a page that is closed or reloaded loses seconds: one record that is replaced as a whole,
 * and beside it a record for each moment of its weights, written once.
 * Refuses to know: what is in a run. Invariant: a browser that keeps nothing (private windows, files opened from disk) is no error; of
 * several windows only one keeps its run, so that none overwrites another's; a browser with room for the run alone keeps it without moments.
 */
import type { EvalEvent } from 'microgpt';
import type { Job, Kept, Samples } from './protocol';

/** Weights and gradients after so many steps. */
export interface Moment {
  readonly step: number;
  readonly weights: Float32Array;
  readonly gradients: Float32Array;
}

export interface Autosave {
  readonly version: 1;
  readonly savedAt: number;
  readonly job: Job;
  /** Safetensors with all that training needs to go on. */
  readonly checkpoint: Uint8Array;
  readonly losses: Float32Array;
  readonly evals: readonly EvalEvent[];
  readonly samples?: readonly Samples[];
  /** Steps of the moments beside it; none in records of earlier pages. */
  readonly moments?: readonly number[];
}

const DATABASE = 'microgpt';
const STORE = 'runs';
const KEY = 'last';
const keyOf = (step: number) => `moment ${step}`;
const allMoments = () => IDBKeyRange.bound('moment ', 'moment!'); // '!' follows ' '
/**
 * All moments together take at most so many numbers of 4 bytes: 8 MB, and each is written once, so that an autosave stays small. The 14 moments
 * of a model of up to 71,000 parameters fit; of a larger one fewer are kept, as evenly spread over training time as they come.
 */
const MOST_NUMBERS = 2_000_000;

/** At most so many, the first and the last among them: those go that stand closest to their neighbours. One alone is none: it would not play. */
export function thinned<T extends { readonly step: number }>(moments: readonly T[], most: number): T[] {
  if (most < 2) return [];
  const left = [...moments];
  while (left.length > most) {
    let closest = 1;
    const gap = (i: number) => left[i + 1].step - left[i - 1].step;
    for (let i = 2; i < left.length - 1; i++) if (gap(i) < gap(closest)) closest = i;
    left.splice(closest, 1);
  }
  return left;
}
/** A page that is reloaded may come a little before the one it replaces is gone: so often it asks, and so long it waits in between, in ms. */
const TRIES = 12;
const WAIT = 80;

/** Takes the lock, if it is free, until the window is closed. Pages from disk have no locks: there each window keeps its run. */
const locked = () =>
  new Promise<boolean>((resolve) => {
    navigator.locks
      .request('microgpt run', { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise(() => {});
      })
      .catch(() => resolve(true));
  });

async function claim(): Promise<boolean> {
  if (navigator.locks === undefined) return true;
  for (let i = 0; i < TRIES; i++) {
    if (await locked()) return true;
    await new Promise((resolve) => setTimeout(resolve, WAIT));
  }
  return false;
}

/** Whether this window is the one that keeps its run. It is asked once: a window that waited would step in when the other is reloaded. */
const keeper = claim();

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('another window holds the store'));
  });
}

/** What `act` asks of the store, all of it or nothing. */
async function within<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
      try {
        const request = act(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request.result);
      } catch (error) {
        transaction.abort();
        reject(error);
      }
    });
  } finally {
    database.close();
  }
}

/** Steps of the moments that this page has written; null before it has written any: what is there then is of another run. */
let written: ReadonlySet<number> | null = null;
/** There was no room for moments. */
let cramped = false;

/** Begins to keep another run. */
export function forgetMoments(): void {
  written = null;
  cramped = false;
}

export async function writeAutosave(record: Autosave, moments: readonly Moment[]): Promise<Kept> {
  if (!(await keeper)) return 'elsewhere';
  const each = 2 * (moments[0]?.weights.length ?? 1);
  const kept = cramped ? [] : thinned(moments, Math.floor(MOST_NUMBERS / each));
  try {
    await put(record, kept);
    return cramped ? 'cramped' : 'kept';
  } catch {
    if (kept.length === 0) return 'nowhere';
  }
  try {
    await put(record, []);
    cramped = true;
    return 'cramped';
  } catch {
    return 'nowhere';
  }
}

async function put(record: Autosave, moments: readonly Moment[]): Promise<void> {
  const before = written;
  const steps = new Set(moments.map(({ step }) => step));
  await within('readwrite', (store) => {
    if (before === null || moments.length === 0) store.delete(allMoments());
    else for (const step of before) if (!steps.has(step)) store.delete(keyOf(step));
    for (const moment of moments) if (before?.has(moment.step) !== true) store.put(moment, keyOf(moment.step));
    return store.put({ ...record, moments: [...steps] }, KEY);
  });
  written = steps;
}

export async function readAutosave(): Promise<Autosave | null> {
  if (!(await keeper)) return null;
  try {
    const found: Autosave | undefined = await within('readonly', (store) => store.get(KEY));
    return found?.version === 1 ? found : null;
  } catch {
    return null;
  }
}

/** The moments of a run that was read; those that are missing, or of another size, are left out. */
export async function readMoments(steps: readonly number[], size: number): Promise<Moment[]> {
  try {
    const found: Moment[] = await within('readonly', (store) => store.getAll(allMoments()));
    return found
      .filter((one) => steps.includes(one.step) && one.weights.length === size && one.gradients.length === size)
      .sort((a, b) => a.step - b.step);
  } catch {
    return [];
  }
}

export async function clearAutosave(): Promise<void> {
  if (!(await keeper)) return;
  try {
    await within('readwrite', (store) => {
      store.delete(allMoments());
      return store.delete(KEY);
    });
  } catch {
    // nothing was kept
  }
}
