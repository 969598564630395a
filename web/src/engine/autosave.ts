/**
 * What the browser keeps of a run: one record in IndexedDB, replaced as a whole, so that a page that is closed or reloaded loses seconds.
 * Refuses to know: what is in a run. Invariant: a browser that keeps nothing (private windows, files opened from disk) is no error; of
 * several windows only one keeps its run, so that none overwrites another's.
 */
import type { EvalEvent } from 'microgpt';
import type { Job, Kept, Samples } from './protocol';

export interface Autosave {
  readonly version: 1;
  readonly savedAt: number;
  readonly job: Job;
  /** Safetensors with all that training needs to go on. */
  readonly checkpoint: Uint8Array;
  readonly losses: Float32Array;
  readonly evals: readonly EvalEvent[];
  readonly samples?: readonly Samples[];
}

const DATABASE = 'microgpt';
const STORE = 'runs';
const KEY = 'last';
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

async function within<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

export async function writeAutosave(record: Autosave): Promise<Kept> {
  if (!(await keeper)) return 'elsewhere';
  try {
    await within('readwrite', (store) => store.put(record, KEY));
    return 'kept';
  } catch {
    return 'nowhere';
  }
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

export async function clearAutosave(): Promise<void> {
  if (!(await keeper)) return;
  try {
    await within('readwrite', (store) => store.delete(KEY));
  } catch {
    // nothing was kept
  }
}
