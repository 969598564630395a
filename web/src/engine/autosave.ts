/**
 * What the browser keeps of a run: one record in IndexedDB, replaced as a whole, so that a page that is closed or reloaded loses seconds.
 * Refuses to know: what is in a run. Invariant: a browser that keeps nothing (private windows, files opened from disk) is no error.
 */
import type { EvalEvent } from 'microgpt';
import type { Job } from './protocol';

export interface Autosave {
  readonly version: 1;
  readonly savedAt: number;
  readonly job: Job;
  /** Safetensors with all that training needs to go on. */
  readonly checkpoint: Uint8Array;
  readonly losses: Float32Array;
  readonly evals: readonly EvalEvent[];
}

const DATABASE = 'microgpt';
const STORE = 'runs';
const KEY = 'last';

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

export async function writeAutosave(record: Autosave): Promise<boolean> {
  try {
    await within('readwrite', (store) => store.put(record, KEY));
    return true;
  } catch {
    return false;
  }
}

export async function readAutosave(): Promise<Autosave | null> {
  try {
    const found: Autosave | undefined = await within('readonly', (store) => store.get(KEY));
    return found?.version === 1 ? found : null;
  } catch {
    return null;
  }
}

export async function clearAutosave(): Promise<void> {
  try {
    await within('readwrite', (store) => store.delete(KEY));
  } catch {
    // nothing was kept
  }
}
