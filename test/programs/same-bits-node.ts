/**
 * The program of same-bits.ts as a process of its own, for any version of Node.
 * Arguments: the file of names, then pairs of model and thread count. Prints one line of JSON: an Outcome for each pair.
 */
import { readFileSync } from 'node:fs';
import { nodeThreads } from '../../dist/node/threads.js';
import { type ModelName, type Outcome, sameBits } from './same-bits.js';

const [file, ...pairs] = process.argv.slice(2);
const names = readFileSync(file, 'utf8').trimEnd().split('\n');
const outcomes: Outcome[] = [];
for (let i = 0; i < pairs.length; i += 2) {
  const count = Number(pairs[i + 1]);
  const threads = count > 1 ? nodeThreads(count) : undefined;
  outcomes.push(await sameBits(pairs[i] as ModelName, names, { threads }));
}
console.log(JSON.stringify(outcomes));
