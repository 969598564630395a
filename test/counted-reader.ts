// A model for the tests of the scheduler: its logits depend on everything that was read of a sequence, and it notes how much it reads.
import { createChoose } from '../src/generate/filters.js';
import { counterDraw } from '../src/generate/sampler.js';
import { createScheduler, type End, type Generation, type Reader } from '../src/generate/scheduler.js';

export const V = 8;
export const BOS = 7;

/** A model whose logits depend on everything that was read of a sequence, and that notes how much it reads. */
export function reader(sequences: number, blockSize: number) {
  const read: number[][] = Array.from({ length: sequences }, () => []);
  const turns: number[] = [];
  const fake: Reader & { turns: number[]; places: number[][] } = {
    sequences,
    turns,
    places: read,
    position: (place) => read[place].length,
    restart(place, keep = 0) {
      read[place].length = Math.min(keep, read[place].length);
    },
    read(tokens, of) {
      turns.push(tokens.length);
      const out = new Float64Array(tokens.length * V);
      for (let r = 0; r < tokens.length; r++) {
        read[of[r]].push(tokens[r]);
        if (read[of[r]].length > blockSize) throw new Error('read beyond the context');
        let hash = 17;
        for (const token of read[of[r]]) hash = (hash * 31 + token + 1) % 1_000_003;
        for (let v = 0; v < V; v++) out[r * V + v] = ((hash * (v + 3)) % 97) / 40;
      }
      return out;
    },
  };
  return fake;
}

export const ends = Uint8Array.from({ length: V }, (_, v) => (v === BOS ? 1 : 0));
export const choose = createChoose({ temperature: 1 }, V, counterDraw(5), [BOS]);

export function generation(sample: number, more: Partial<Generation>, done: (end: End) => void): Generation {
  return { start: [BOS], sample, choose, ends, maxTokens: 40, onEnd: done, ...more };
}

/** Runs generations on so many places, added a few turns apart. */
export function run(places: number, all: ((done: (end: End) => void) => Generation)[], apart = 0, blockSize = 16) {
  const model = reader(places, blockSize);
  const scheduler = createScheduler(model, blockSize, V);
  const results: End[] = [];
  let added = 0;
  const add = () => {
    const i = added++;
    scheduler.add(
      all[i]((end) => {
        results[i] = end;
      }),
    );
  };
  if (apart === 0) while (added < all.length) add();
  for (let turn = 0; ; turn++) {
    if (apart > 0 && turn % apart === 0 && added < all.length) add();
    const more = scheduler.turn();
    if (!more && added === all.length) break;
  }
  return { results, model };
}

export const prompts = [
  [BOS],
  [BOS, 1, 2, 3],
  [BOS, 1, 2, 3],
  [BOS, 4],
  [BOS, 1, 2, 5, 6, 1, 2, 3, 4, 5],
  [BOS, 1, 2, 3, 0],
];
export const many = Array.from(
  { length: 60 },
  (_, i) => (done: (end: End) => void) => generation(i, { start: prompts[i % prompts.length] }, done),
);
