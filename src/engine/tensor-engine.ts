/**
 * The tensor engine: a model on a backend. Records a program for each shape of batch the first time that shape comes by, then replays it.
 * Refuses to know: which backend it is, and text. Invariant: programs for training lie over one another in memory, so everything that a
 * program reads is written before it runs; what outlives a step (parameters, moments, sums of gradients, caches) lies outside.
 */
import { dropThreshold, partKey, placeKey } from '../base/dropout-mask.js';
import type { Batch } from '../data/batches.js';
import type { ModelConfig } from '../model/config.js';
import {
  allocModel,
  allocTraining,
  clippedUpdate,
  recordTraining,
  type TrainingBuffers,
  type TrainingProgram,
} from '../model/program.js';
import { type Backend, type Mark, type Op, type Tensor, view } from '../tensor/backend.js';
import type { Dropout, StepRequest, StepResult } from '../train/learner.js';
import type { Ranks } from '../train/ranks.js';
import type { BackendName, Decoder, Engine } from './engine.js';
import { deadShare, firstNonFinite } from './health.js';
import { createLook } from './look.js';
import { createSharedStep } from './ranks.js';
import { feed, type Recorded, shapeOf, withRoom } from './recorded-batch.js';
import { createTensorDecoder } from './tensor-decoder.js';

/** How the gradients of several parts become one update. */
interface Accumulation {
  readonly sum: Tensor; // [total]
  readonly first: readonly Op[];
  readonly further: readonly Op[];
  readonly update: readonly Op[];
}

export function createTensorEngine(
  name: BackendName,
  backend: Backend,
  config: ModelConfig,
  parameters: Float64Array,
  ranks?: Ranks | undefined,
): Engine {
  const among = ranks && createSharedStep(ranks);
  const model = allocModel(backend, config);
  backend.write(model.params, parameters);
  const recorded = new Map<string, Recorded>();
  const idle: Decoder[] = []; // closed ones: the arena cannot take their caches back, but the next decoder can
  const one = new Float64Array(1);
  let training: TrainingBuffers | null = null;
  let accumulation: Accumulation | null = null;
  let gradients: Tensor | null = null; // those that the last step went by
  let shared: Mark | null = null; // where programs for training begin
  const looking = createLook(backend, model, () => {
    shared ??= backend.mark();
    backend.reset(shared);
  });

  function buffers(): TrainingBuffers {
    if (training === null) {
      keepAllocated(); // a look may have come before
      training = allocTraining(backend, model);
    }
    return training;
  }

  /**
   * From here on programs for training begin behind what is about to be allocated. Those recorded before may reach beyond the
   * place where it will lie, because a larger one may have been followed by a smaller: they are forgotten and recorded again.
   */
  function keepAllocated(): void {
    shared = null;
    looking.forget();
    recorded.clear();
  }

  function accumulating(): Accumulation {
    if (accumulation === null) {
      const owner = buffers();
      keepAllocated();
      const sum = backend.alloc([owner.table.total]);
      const further: Op[] = [{ op: 'accumulate', x: owner.grads, into: sum }];
      const first: Op[] = [{ op: 'zero', x: sum }, ...further];
      accumulation = { sum, first, further, update: clippedUpdate(owner, sum) };
    }
    return accumulation;
  }

  /** The program for a batch, with the batch in its tensors. */
  function load(batch: Batch, dropout: boolean): TrainingProgram {
    const shape = shapeOf(batch, config.blockSize);
    const key = `${shape.rows} ${shape.count} ${shape.longest}${dropout ? ' dropout' : ''}`;
    let found = recorded.get(key);
    if (found === undefined) {
      const owner = buffers();
      shared ??= backend.mark();
      backend.reset(shared);
      found = withRoom(recordTraining(backend, owner, dropout ? { ...shape, dropout } : shape), shape);
      recorded.set(key, found);
    }
    feed(backend, found, batch);
    return found.program;
  }

  /** Decides what one part of the batch drops. */
  function setDropout({ rate, key }: Dropout, part: number): void {
    const { keys, scale } = buffers();
    const ofPart = partKey(key, part);
    const places = Array.from({ length: keys.shape[0] }, (_, place) => placeKey(ofPart, place));
    backend.write(
      keys,
      places.flatMap(([key0, key1]) => [key0 | 0, key1 | 0, dropThreshold(rate) | 0]),
    );
    backend.write(scale, [1 / (1 - rate)]);
  }

  const read = (x: Tensor): number => backend.read(x, one)[0];
  const partOf = (x: Tensor) => (offset: number, size: number) => backend.read(view(x, offset, [size]));

  function oneStep(batch: Batch, { hyper, clip, dropout, measure }: StepRequest): StepResult {
    const program = load(batch, dropout !== null);
    const owner = buffers();
    if (dropout !== null) setDropout(dropout, 0);
    backend.write(owner.hyper, hyper);
    gradients = owner.grads;
    if (clip === null && !measure) {
      backend.run(program.step);
      return { loss: read(program.loss), gradNorm: null };
    }
    backend.write(owner.limit, [clip ?? Number.POSITIVE_INFINITY]);
    backend.run(program.clippedStep);
    return { loss: read(program.loss), gradNorm: read(owner.norm) };
  }

  function stepInParts(parts: readonly Batch[], { hyper, clip, dropout }: StepRequest): StepResult {
    const { sum, first, further, update } = accumulating();
    const owner = buffers();
    let loss = 0;
    parts.forEach((batch, part) => {
      const program = load(batch, dropout !== null);
      if (dropout !== null) setDropout(dropout, part);
      backend.run(program.gradients);
      loss += read(program.loss);
      backend.run(part === 0 ? first : further);
    });
    backend.write(owner.hyper, hyper);
    backend.write(owner.limit, [clip ?? Number.POSITIVE_INFINITY]);
    backend.run(update);
    gradients = sum;
    return { loss, gradNorm: read(owner.norm) };
  }

  /** The same, of which each rank computes its share. */
  function stepAmongRanks(parts: readonly Batch[], { hyper, clip, dropout }: StepRequest): StepResult {
    const { sum, update } = accumulating();
    const owner = buffers();
    const { loss, gradients: all } = (among as NonNullable<typeof among>).sum(parts.length, {
      total: owner.table.total,
      precision: backend.precision,
      gradients(part, into) {
        const program = load(parts[part], dropout !== null);
        if (dropout !== null) setDropout(dropout, part);
        backend.run(program.gradients);
        backend.read(owner.grads, into);
        return read(program.loss);
      },
    });
    backend.write(sum, all);
    backend.write(owner.hyper, hyper);
    backend.write(owner.limit, [clip ?? Number.POSITIVE_INFINITY]);
    backend.run(update);
    gradients = sum;
    return { loss, gradNorm: read(owner.norm) };
  }

  function trainStep(parts: readonly Batch[], request: StepRequest): StepResult {
    if (parts.length > 1) return among ? stepAmongRanks(parts, request) : stepInParts(parts, request);
    const result = oneStep(parts[0], request);
    among?.agree();
    return result;
  }

  function evaluate(batch: Batch): number {
    const program = load(batch, false);
    backend.run(program.forward);
    return read(program.loss);
  }

  return {
    backend: name,
    config,
    trainStep,
    gradients(batch, dropout = null, part = 0) {
      const program = load(batch, dropout !== null);
      if (dropout !== null) setDropout(dropout, part);
      backend.run(program.gradients);
      gradients = buffers().grads;
      return { loss: read(program.loss), gradients: backend.read(gradients) };
    },
    evaluate,
    ...(among && { evaluateAll: (batches: Iterable<Batch>) => among.evaluate(batches, evaluate) }),
    deadUnits(batch) {
      const program = load(batch, false);
      backend.run(program.forward);
      return program.hidden.map((x) => deadShare(backend.read(x), batch.tokens.length, x.shape[1]));
    },
    firstNonFinite() {
      const { m, v } = buffers();
      return firstNonFinite(model.table, [
        ['parameter', partOf(model.params)],
        ['moment', partOf(m)],
        ['moment', partOf(v)],
        ...(gradients === null ? [] : [['gradient', partOf(gradients)] as const]),
      ]);
    },
    parameters: () => backend.read(model.params),
    moments: () => ({ m: backend.read(buffers().m), v: backend.read(buffers().v) }),
    restore(state) {
      backend.write(model.params, state.parameters);
      backend.write(buffers().m, state.m);
      backend.write(buffers().v, state.v);
    },
    decoder(sequences = 1) {
      const at = idle.findIndex((decoder) => decoder.sequences === sequences);
      if (at >= 0) return idle.splice(at, 1)[0];
      const decoder: Decoder = {
        ...createTensorDecoder(backend, model, sequences, keepAllocated),
        close() {
          for (let sequence = 0; sequence < sequences; sequence++) decoder.restart(sequence);
          if (!idle.includes(decoder)) idle.push(decoder);
        },
      };
      return decoder;
    },
    look: looking.look,
    close: () => backend.close(),
  };
}
