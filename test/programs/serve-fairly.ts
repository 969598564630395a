/**
 * Many streams at once from a server whose models are computed in a thread; a process of its own, because the thread runs compiled code.
 * Arguments: how many streams, of how many tokens. Prints one line of JSON, of counts and no times:
 *   mostInATurn  events that were passed on between two turns of the event loop, at most
 *   shares       of the streams: tokens that one got, by those that an equal share of all would have been while it ran; least and most
 *   apart        of those that were let in first: the farthest by which one was ahead of another since all of them had begun
 *   whole, same  streams that came to their end; whether all texts are equal
 */
import type { Checkpoint } from '../../dist/checkpoint/checkpoint.js';
import { modelConfig } from '../../dist/model/config.js';
import { parameterTable } from '../../dist/model/parameters.js';
import { createWorkerCompute } from '../../dist/node/worker-compute.js';
import { createServer } from '../../dist/server/index.js';
import { charTokenizerFrom } from '../../dist/tokenizer/char.js';

const [count, tokens] = process.argv.slice(2).map(Number);
const PLACES = 32;
const tokenizer = charTokenizerFrom(['abcdefghij'], 'last');
const config = modelConfig({ nEmbd: 16, nHead: 2, blockSize: 512, vocabSize: tokenizer.size });
const parameters = new Float64Array(parameterTable(config).total).map((_, i) => ((i * 7919) % 97) / 200 - 0.24);
const model: Checkpoint = { config, tokenizer, parameters };
const compute = createWorkerCompute(new Map([['model', model]]));
const server = createServer({ compute, limits: { active: PLACES, queued: count } });
const body = JSON.stringify({
  prompt: 'a',
  max_tokens: tokens,
  stream: true,
  logit_bias: { [tokenizer.bos!]: -100 },
});
const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
await (await server.fetch('/v1/completions', init)).text();

interface Reading {
  got: number;
  /** The equal share of all tokens when its first one came, and when its last one did. */
  from: number;
  to: number;
  text: string;
}
const readings: Reading[] = [];
let running = 0;
let share = 0; // what an equal share would have been so far
const ahead: number[] = []; // of the first ones, since all of them had begun
let apart = 0;

function arrived(reading: Reading, i: number): void {
  if (reading.got++ === 0) {
    reading.from = share;
    running++;
  } else share += 1 / running;
  if (reading.got === tokens) {
    reading.to = share;
    running--;
  }
  if (i >= PLACES || ahead.length === 0) return;
  ahead[i]++;
  // Until the first of them is at its end.
  if (reading.got === tokens) ahead.length = 0;
  else apart = Math.max(apart, Math.max(...ahead) - Math.min(...ahead));
}

let begun = 0;
async function read(i: number): Promise<void> {
  const reading = { got: 0, from: 0, to: 0, text: '' };
  readings.push(reading);
  const response = await server.fetch('/v1/completions', init);
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const text = decoder.decode(chunk);
    reading.text += text;
    if (!text.startsWith('data: {') || reading.got === tokens) continue; // [DONE], and the end without text
    arrivals++;
    arrived(reading, i);
    if (reading.got === 1 && i < PLACES && ++begun === PLACES) ahead.push(...new Array<number>(PLACES).fill(0));
  }
}

let arrivals = 0;
let mostInATurn = 0;
let watching = true;
function watch(): void {
  mostInATurn = Math.max(mostInATurn, arrivals);
  arrivals = 0;
  if (watching) setImmediate(watch);
}
watch();
await Promise.all(Array.from({ length: count }, (_, i) => read(i)));
watching = false;
await server.close();
const shares = readings.map(({ got, from, to }) => (got - 1) / (to - from));
console.log(
  JSON.stringify({
    mostInATurn,
    shares: [Math.min(...shares), Math.max(...shares)],
    apart,
    whole: readings.filter(({ got, text }) => got === tokens && text.endsWith('data: [DONE]\n\n')).length,
    same: new Set(readings.map(({ text }) => text)).size === 1,
  }),
);
