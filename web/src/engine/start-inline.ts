/** Starts the engine's worker from within the page, for the page in one file: opened from disk, it may not load others. */
import EngineWorker from './worker?worker&inline';

export const startWorker = (): Worker => new EngineWorker({ name: 'engine' });
