/**
 * Learns what lines usually look like, and picks those that look otherwise: more surprising than 99 in 100 of the usual ones.
 *
 *   node examples/odd-lines.ts [usual lines] [lines to look at]      after npm start, on Node 22.18 or newer; else dist/examples/odd-lines.js
 */
import { createScorer, trainModel } from 'microgpt';
import { readDocuments } from 'microgpt/node';

const [usualFile = 'datasets/names.txt', file] = process.argv.slice(2);
const usual = await readDocuments(usualFile);
const lines = file === undefined ? ['maria', 'joseph', 'qxzvkwq', 'anna', 'r2-d2'] : await readDocuments(file);

// One line in ten is not learned from: only what the model has not seen says how surprising the usual is.
const learned = usual.filter((_, i) => i % 10 > 0);
const known = usual.filter((_, i) => i % 10 === 0);
const scorer = createScorer(await trainModel({ documents: learned, steps: 1000, seed: 1 }));
try {
  const { percentile } = scorer.calibrate(known);
  for (const { text, bitsPerCharacter, unknown } of scorer.score(lines)) {
    const share = percentile(bitsPerCharacter);
    if (share < 99) continue;
    const strange = unknown > 0 ? `, ${unknown} characters never seen` : '';
    console.log(`${text}\t${bitsPerCharacter.toFixed(1)} bits per character, above ${share.toFixed(0)}%${strange}`);
  }
} finally {
  scorer.close();
}
