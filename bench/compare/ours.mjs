// microgpt on one thread, through the engine that its command line and its library use.
import { createEngine } from '../../dist/engine/create-engine.js';
import { plainStep } from '../../dist/train/learner.js';
import { adamHyper } from '../../dist/train/optimizer.js';
import { ADAM } from './sizes.mjs';

export const open = (job) => {
  const engine = createEngine('wasm', job.config, job.parameters);
  let step = 0;
  return {
    step: () => engine.trainStep([job.batch], plainStep(adamHyper(ADAM, ADAM.learningRate, step++))).loss,
    close: () => engine.close(),
  };
};
