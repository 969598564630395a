/**
 * What microgpt can do in a browser beyond the library itself.
 */
export { type BrowserThreads, browserThreads, whyNoThreads } from './threads.js';
