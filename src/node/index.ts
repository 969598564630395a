/**
 * What microgpt can do with files, in Node.
 */

export type { Scenario } from '../train/scenario.js';
export { type Blas, type BlasOptions, openBlas } from './blas/index.js';
export {
  BUNDLED_MODELS,
  type BundledModel,
  type FindModelOptions,
  type FoundModel,
  findModel,
} from './bundled-models.js';
export { cacheFolder, DOWNLOADS, type Download, fetchCorpus, readDocuments } from './corpora.js';
export { type OpenCorpus, type OpenCorpusOptions, openCorpus } from './corpus.js';
export type { Found } from './foreign.js';
export { findNewestModel, type Loaded, loadModel, type SaveModelOptions, saveModel, saveModelAs } from './models.js';
export { playgroundFiles, playgroundFolder, type StaticFile } from './playground.js';
export { type NewestCheckpoint, openRun, type Replace, type Run, type RunOptions } from './runs.js';
export { type FoundScenario, loadScenario, loadScenarioFile, scenarioNames } from './scenarios.js';
export { nodeThreads } from './threads.js';
export { createWorkerCompute, type WorkerCompute, type WorkerOptions } from './worker-compute.js';
