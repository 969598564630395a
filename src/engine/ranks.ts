/**
 * A learner among several processes: each computes its parts of a batch, all of them make the same update.
 * Refuses to know: what carries the numbers. Invariant: after every step all ranks hold the same bits, those of one process with the same parts.
 */
import { counted } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { sha256 } from '../base/sha256.js';
import type { Batch } from '../data/batches.js';
import type { ModelConfig } from '../model/config.js';
import {
  bytesOf,
  createOrderedSum,
  gather,
  gatherDealt,
  type OrderedSum,
  partsIn,
  type Ranks,
  type Transport,
} from '../train/ranks.js';
import type { Overrides, RunSettings, Settings } from '../train/settings.js';

/** What the tensor engine does on one rank. */
export interface RankWork {
  readonly total: number;
  readonly precision: 'f32' | 'f64';
  /** Forward and backward of part number p: its loss, and its gradients into the array. */
  gradients(part: number, into: Float64Array): number;
}

export interface SharedStep {
  /** Runs the parts of this rank. The loss of all parts, and the sum of all gradients in the order of the parts. */
  sum(parts: number, work: RankWork): { readonly loss: number; readonly gradients: ArrayLike<number> };
  /** Σ of the losses of batches that are dealt out to the ranks. */
  evaluate(batches: Iterable<Batch>, evaluate: (batch: Batch) => number): number;
  /** After a step that every rank computed by itself. */
  agree(): void;
}

export function createSharedStep(ranks: Ranks): SharedStep {
  const { transport } = ranks;
  const { rank, size } = transport;
  let ordered: OrderedSum | null = null;
  let exact = new Float64Array(0);

  function agree(): void {
    ranks.agree(gather(transport, Float64Array.of(ranks.asked() ? 1 : 0)).includes(1));
  }

  return {
    sum(parts, { total, precision, gradients }) {
      ordered ??= createOrderedSum(transport, total, precision);
      if (exact.length !== total) exact = new Float64Array(total);
      const mine: number[] = [];
      for (let first = 0; first < parts; first += size) {
        const present = partsIn(parts, first, size);
        if (rank < present) {
          mine.push(gradients(first + rank, exact));
          ordered.part.set(exact);
        }
        ordered.add(present);
      }
      const sum = ordered.finish();
      const losses = gatherDealt(transport, mine, parts);
      agree();
      return { loss: losses.reduce((a, b) => a + b, 0), gradients: sum };
    },
    evaluate(batches, evaluate) {
      const mine: number[] = [];
      let count = 0;
      for (const batch of batches) if (count++ % size === rank) mine.push(evaluate(batch));
      return gatherDealt(transport, mine, count).reduce((a, b) => a + b, 0);
    },
    agree,
  };
}

/**
 * Settings with as many parts to a batch as there are ranks, unless parts were asked for. @throws MG_OPTION_VALUE when some rank would
 * have nothing to do.
 */
export function partsForAll(
  settings: RunSettings,
  {
    ranks,
    settings: asked,
  }: { readonly ranks?: Ranks | undefined; readonly settings?: Overrides<Settings> | undefined },
): RunSettings {
  if (ranks === undefined) return settings;
  const { size } = ranks.transport;
  const accumulate = asked?.accumulate ?? Math.max(size, settings.accumulate);
  const parts = Math.min(accumulate, settings.batchSize);
  if (parts < size) {
    throw new MicrogptError(
      'MG_OPTION_VALUE',
      `a batch of ${settings.batchSize} in ${counted(parts, 'part')} cannot be shared among ${size} processes`,
      `give --batch-size at least ${size}${accumulate < size ? ` and --grad-accum at least ${size}, or leave that out` : ''}`,
    );
  }
  return { ...settings, accumulate };
}

/** Something that all ranks must have alike, by name. */
export type Fact = readonly [name: string, hash: string];

/** What ranks must agree on before rank 0 gives them the weights: the places of their texts may differ, not the contents. */
export function factsOf(
  settings: RunSettings,
  config: ModelConfig,
  data: { readonly sha256: string },
): readonly Fact[] {
  return [
    ['settings', sha256(encode(JSON.stringify([settings, config])))],
    ['text', sha256(encode(data.sha256))],
  ];
}

/** Compares facts. @throws MG_MPI_DIFFERENT on every rank, about the first that differs from rank 0 */
export function requireSame(transport: Transport, facts: readonly Fact[]): void {
  const mine = encode(facts.map(([, hash]) => hash).join(''));
  const all = new Uint8Array(mine.length * transport.size);
  transport.allGather(mine, all, new Int32Array(transport.size).fill(mine.length));
  const hashes = new TextDecoder().decode(all).match(new RegExp(`.{${DIGITS}}`, 'g')) ?? [];
  const other = hashes.findIndex((hash, i) => hash !== hashes[i % facts.length]);
  if (other < 0) return;
  throw new MicrogptError(
    'MG_MPI_DIFFERENT',
    `the ${facts[other % facts.length]?.[0]} of process ${Math.floor(other / facts.length)} and of process 0 differ`,
    'give every process the same command, the same files and the same version of microgpt',
  );
}

/**
 * Rank 0's weights, on every rank, so that only its machine needs the file that they come from. What arrived is compared. A rank that would
 * have drawn others, because its text or settings differ, has been refused before.
 */
export function shareWeights(transport: Transport, mine: Float64Array): Float64Array {
  const weights = transport.rank === 0 ? mine : mine.slice();
  transport.broadcast(bytesOf(weights));
  requireSame(transport, [['first weights', sha256(bytesOf(weights))]]);
  return weights;
}

/** Of a sha256. */
const DIGITS = 64;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
