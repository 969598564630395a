/**
 * The tensor engine: a model on a backend. Records a program per batch shape the first time that shape comes by, then replays it.
 */
import type { Batch } from '../data/batches.js';
import type { ModelConfig } from '../model/config.js';
import { allocTraining, recordDecoding, recordTraining, type TrainingProgram } from '../model/program.js';
import type { Backend } from '../tensor/backend.js';
import type { BackendName, Decoder, Engine } from './engine.js';

export function createTensorEngine(
  name: BackendName,
  backend: Backend,
  config: ModelConfig,
  parameters: Float64Array,
): Engine {
  const model = allocTraining(backend, config);
  backend.write(model.params, parameters);
  const programs = new Map<string, TrainingProgram>();

  function programFor(batch: Batch): TrainingProgram {
    const key = `${batch.size}×${batch.time}`;
    let program = programs.get(key);
    if (program === undefined) {
      program = recordTraining(backend, model, batch.size, batch.time);
      programs.set(key, program);
    }
    backend.write(program.tokens, batch.tokens);
    backend.write(program.targets, batch.targets);
    backend.write(program.weights, batch.weights);
    return program;
  }

  return {
    backend: name,
    config,
    trainStep(batch, hyper) {
      const program = programFor(batch);
      backend.write(model.hyper, hyper);
      backend.run(program.step);
      return backend.read(program.loss)[0];
    },
    gradients(batch) {
      const program = programFor(batch);
      backend.run(program.gradients);
      return { loss: backend.read(program.loss)[0], gradients: backend.read(model.grads) };
    },
    parameters: () => backend.read(model.params),
    decoder: () => createTensorDecoder(backend, recordDecoding(backend, model, 1)),
    close: backend.close,
  };
}

function createTensorDecoder(backend: Backend, program: ReturnType<typeof recordDecoding>): Decoder {
  let position = 0;
  return {
    get position() {
      return position;
    },
    next(token) {
      backend.write(program.tokens, [token]);
      backend.write(program.positions, [position++]);
      backend.run(program.step);
      return backend.read(program.logits);
    },
    restart() {
      position = 0;
    },
  };
}
