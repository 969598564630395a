/**
 * Text that has to be of a certain form, and a choice among given texts: what a program can go on with, every time.
 *
 *   node examples/demands.ts      after npm start, on Node 22.18 or newer; else node dist/examples/demands.js
 */
import { choices, generate, MicrogptError } from 'microgpt';
import { findModel, loadModel } from 'microgpt/node';

const { path } = await findModel('names'); // a model of given names, or one that you have trained
const { checkpoint: model } = await loadModel(path);

// Each sample matches the whole pattern: the model chooses among what still leads there.
console.log(generate(model, { samples: 3, matches: 'k[a-z]{2,5}a', unique: true, seed: 1 }).join(' '));

// Which of these would it say? Probabilities among the candidates.
const found = choices(model, '', ['maria', 'xkcdq', 'anna']).toSorted((a, b) => b.probability - a.probability);
for (const { text, probability } of found) console.log(`${text} ${(100 * probability).toFixed(1)}%`);

// What cannot be is said at once, with a code for programs and the way out for people.
try {
  generate(model, { startsWith: '7' });
} catch (error) {
  if (!(error instanceof MicrogptError)) throw error;
  console.log(`${error.code}: ${error.message}\n→ ${error.remedy}`);
}
