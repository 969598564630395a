// Opens a text, takes batches and the validation set from it, and prints what that took: {seconds, openRss, rss (MB), facts}.
import { documentBatches } from '../../dist/data/batches.js';
import { keyedOrder } from '../../dist/data/order.js';
import { validationBatches } from '../../dist/data/validation.js';
import { openCorpus } from '../../dist/node/corpus.js';

const [path, folder] = process.argv.slice(2) as [string, string];
const started = performance.now();
const corpus = await openCorpus(path, { format: 'lines', heldOut: 0.05, inMemory: 0, folder });
const seconds = (performance.now() - started) / 1000;
const megabytes = () => Math.round(process.resourceUsage().maxRSS / 1024);
const openRss = megabytes();

let tokens = 0;
let batchSeconds = 0;
if (corpus.train.kind === 'documents') {
  const batches = documentBatches(corpus.train, keyedOrder(corpus.train.count, 42), 32, 256);
  const before = performance.now();
  for (let step = 0; step < 500; step++) tokens += batches(step).tokens.length;
  batchSeconds = (performance.now() - before) / 1000;
}
const validation =
  corpus.validation && validationBatches(corpus.validation, corpus.tokenizer, { batchSize: 32, blockSize: 256 });
const { documents, heldOut, notes } = corpus.facts;
corpus.close();
console.log(
  JSON.stringify({
    seconds,
    openRss,
    rss: megabytes(),
    batchSeconds,
    tokens,
    documents,
    heldOut,
    validation: validation?.tokens ?? 0,
    notes,
  }),
);
