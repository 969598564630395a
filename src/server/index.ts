/**
 * microgpt as a server: `createServer({ models })` gives `fetch`, `listen` and `close`. Importing it runs nothing.
 */
export { type Compute, createLocalCompute, type Job, type LocalCompute } from '../engine/compute.js';
export type { ConnectionLimits } from '../node/listen.js';
export type { Plain } from './body.js';
export type { Fault, RecordedRequest, Rule } from './faults.js';
export { LOAD_LIMITS, type LoadLimits, REQUEST_LIMITS } from './limits.js';
export type { LogLine, ServerOptions } from './options.js';
export type { PlaygroundFolder } from './playground.js';
export { createServer, type Listening, type ListenOptions, type Server } from './server.js';
