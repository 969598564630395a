/**
 * What microgpt can do with files, in Node.
 */
export { cacheFolder, DOWNLOADS, type Download, fetchCorpus, readDocuments } from './corpora.js';
export { findNewestModel, loadModel, saveModel } from './models.js';
export { type FoundScenario, loadScenario, loadScenarioFile, scenarioNames } from './scenarios.js';
