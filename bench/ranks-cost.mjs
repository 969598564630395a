// A model of what training among many processes costs, as the page docs/distributed.md has it.
//   node bench/ranks-cost.mjs [--write]     after npm run build; --write puts the tables into the page, and a test says when they are not current
// For P parameters and N processes, a step sends 8·P·(N − 1)/N bytes out of each (its slices of a gradient in f32, then the sum's) in 2·(N − 1)
// messages. It is a model: latency and bandwidth are assumed, computing goes on at the speed of one process, nothing overlaps, nobody waits.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { modelConfig } from '../dist/model/config.js';
import { parameterTable } from '../dist/model/parameters.js';

/** α seconds a message, β bytes a second out of one process; what such networks usually reach, not what we measured. */
export const NETWORKS = [
  { name: '10 Gbit Ethernet', latency: 20e-6, bandwidth: 1.1e9 },
  { name: '100 Gbit InfiniBand', latency: 2e-6, bandwidth: 11e9 },
];

/** `speed`: tokens a second of one process, assumed: one thread with BLAS. `tokens`: of one process in a step. */
export const MODELS = [
  { name: '4 × 128', nLayer: 4, nEmbd: 128, nHead: 4, blockSize: 64, tokens: 768, speed: 20_000 },
  { name: '6 × 384', nLayer: 6, nEmbd: 384, nHead: 6, blockSize: 256, tokens: 1024, speed: 2000 },
].map((model) => {
  const { nLayer, nEmbd, nHead, blockSize } = model;
  return {
    ...model,
    parameters: parameterTable(modelConfig({ nLayer, nEmbd, nHead, blockSize, vocabSize: 65 })).total,
  };
});

const RANKS = [8, 64, 512];

export const bytesOut = (parameters, ranks) => (8 * parameters * (ranks - 1)) / ranks;

/** Seconds of communication in a step. */
export const communication = ({ parameters }, { latency, bandwidth }, ranks) =>
  2 * (ranks - 1) * latency + bytesOut(parameters, ranks) / bandwidth;

/** Processes among which a batch of so many tokens can be shared before more of a step is communication than computing. */
export function paysUntil(model, network, batch) {
  let ranks = 1;
  while (batch / model.speed / (ranks + 1) >= communication(model, network, ranks + 1)) ranks++;
  return ranks;
}

const count = (n) => Math.round(n).toLocaleString('en');
const ms = (seconds) => `${Number((1000 * seconds).toPrecision(2))} ms`;
const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** A fixed share for each process: the batch grows with them. */
function weak() {
  const rows = MODELS.flatMap((model) =>
    NETWORKS.map((network, i) => {
      const computing = model.tokens / model.speed;
      const cells = RANKS.map((ranks) => {
        const seconds = communication(model, network, ranks);
        return `${ms(seconds)}, ${Math.round((100 * seconds) / (seconds + computing))} %`;
      });
      const about = `${model.name}, ${count(model.parameters)}`;
      return i === 0
        ? [about, `${model.tokens}, ${ms(computing)}`, network.name, ...cells]
        : ['', '', network.name, ...cells];
    }),
  );
  return table(
    ['model, parameters', 'tokens of a process, computing', 'network', ...RANKS.map((n) => `${n} processes`)],
    rows,
  );
}

/** A fixed batch: where sharing it further stops paying. */
function strong() {
  const batches = [8192, 65_536, 524_288];
  const rows = MODELS.flatMap((model) =>
    NETWORKS.map((network, i) => [
      i === 0 ? model.name : '',
      network.name,
      ...batches.map((batch) => count(paysUntil(model, network, batch))),
    ]),
  );
  return table(['model', 'network', ...batches.map((n) => `a batch of ${count(n)} tokens`)], rows);
}

function bytes() {
  const rows = MODELS.map((model) => [
    model.name,
    ...[2, ...RANKS].map((n) => `${(bytesOut(model.parameters, n) / 1e6).toFixed(1)} MB`),
  ]);
  return table(['out of each process, a step', ...[2, ...RANKS].map((n) => `${n} processes`)], rows);
}

export const TABLES = { bytes, weak, strong };
const PAGE = fileURLToPath(new URL('../docs/distributed.md', import.meta.url));

/** The page with the tables as they should be, each between `<!-- costs: name -->` and `<!-- end -->`. */
export const withTables = (page) =>
  page.replace(
    /(<!-- costs: (\w+) -->\n).*?(<!-- end -->)/gs,
    (_, begin, name, end) => `${begin}\n${TABLES[name]()}\n\n${end}`,
  );

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) writeFileSync(PAGE, withTables(readFileSync(PAGE, 'utf8')));
  else for (const make of Object.values(TABLES)) console.log(`${make()}\n`);
}
