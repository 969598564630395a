/**
 * Kills the thread that computes for a server in the middle of answers, as often as the argument says. A process of its own, because the
 * thread runs compiled code. Prints one line of JSON: what became of the answers, and how long until one came again.
 */
import type { Checkpoint } from '../../dist/checkpoint/checkpoint.js';
import { modelConfig } from '../../dist/model/config.js';
import { parameterTable } from '../../dist/model/parameters.js';
import { createWorkerCompute } from '../../dist/node/worker-compute.js';
import { createServer } from '../../dist/server/index.js';
import { charTokenizerFrom } from '../../dist/tokenizer/char.js';

const rounds = Number(process.argv[2]);
const tokenizer = charTokenizerFrom(['abcdefghij'], 'last');
const config = modelConfig({ nEmbd: 16, nHead: 2, blockSize: 4096, vocabSize: tokenizer.size });
const parameters = new Float64Array(parameterTable(config).total).map((_, i) => ((i * 7919) % 97) / 200 - 0.24);
const model: Checkpoint = { config, tokenizer, parameters };
const compute = createWorkerCompute(new Map([['model', model]]));
const server = createServer({ compute });

const post = (body: object) =>
  server.fetch('/v1/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'a', logit_bias: { [tokenizer.bos!]: -100 }, ...body }),
  });
const small = async () => {
  const response = await post({ max_tokens: 20 });
  return response.status === 200 ? await response.text() : null;
};
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const first = await small();
// What a question that is not made over HTTP gets.
let lost = '';
const asked = compute.ask(
  'model',
  { kind: 'samples', options: { maxTokens: 4000, stopAtBos: false } },
  new AbortController().signal,
);
setTimeout(() => compute.kill(), 20);
try {
  for await (const _ of asked);
} catch (error) {
  lost = (error as { readonly code: string }).code;
}
while (!compute.ready()) await pause(5);

let [told, hung, longest, same] = [0, 0, 0, true];
for (let round = 0; round < rounds; round++) {
  // Three streams, and three answers in one piece.
  const answers = Array.from({ length: 6 }, async (_, i) => {
    const response = await post({ max_tokens: 4000, stream: i % 2 === 0 });
    const text = await response.text();
    return (response.status === 503 || text.includes('"code":"overloaded"')) && !text.includes('[DONE]');
  });
  await pause(20);
  await compute.kill();
  const since = performance.now();
  const ended = await Promise.race([Promise.all(answers), pause(5000)]);
  if (Array.isArray(ended)) told += ended.filter(Boolean).length;
  else hung++;
  let again = await small();
  while (again === null && performance.now() - since < 10_000) {
    await pause(10);
    again = await small();
  }
  same &&= again === first;
  longest = Math.max(longest, performance.now() - since);
}
await server.close();
console.log(JSON.stringify({ rounds, lost, told, hung, longest, same }));
