/**
 * What microgpt can do in a browser beyond the library itself.
 */
export { type BrowserThreads, browserThreads } from './threads.js';
