/**
 * What microgpt can do with files, in Node.
 */
export { cacheFolder, DOWNLOADS, type Download, fetchCorpus, readDocuments } from './corpora.js';
export { type OpenCorpus, type OpenCorpusOptions, openCorpus } from './corpus.js';
export { findNewestModel, loadModel, saveModel } from './models.js';
export { loadScenario, type Scenario, scenarioNames } from './scenarios.js';
