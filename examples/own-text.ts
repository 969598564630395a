/**
 * Learns from a text of your own, one example a line, and writes new ones: none that was there, none twice.
 *
 *   node examples/own-text.ts [text file] [steps]      after npm start, on Node 22.18 or newer; else node dist/examples/own-text.js
 */
import { createTraining, generate } from 'microgpt';
import { readDocuments, saveModel } from 'microgpt/node';

const [file = 'examples/dinosaurs.txt', steps = '300'] = process.argv.slice(2);
const documents = await readDocuments(file);

// The recipe `standard` chooses sizes that suit the text. Stop with break, or with an AbortSignal: events({ signal }).
const training = createTraining({ documents, recipe: 'standard', steps: Number(steps), seed: 1 });
console.error(`${documents.length} lines, ${training.parameters} parameters`);
try {
  for await (const event of training.events()) {
    if (event.type === 'step' && event.step % 100 === 0)
      console.error(`step ${event.step}: loss ${event.loss.toFixed(3)}`);
  }
  const model = training.checkpoint();
  console.error(`own-text.safetensors: ${await saveModel('own-text.safetensors', model)} bytes`);
  const samples = generate(model, { samples: 10, temperature: 0.8, unique: true, notInTraining: documents, seed: 1 });
  for (const sample of samples) console.log(sample);
} finally {
  training.close();
}
