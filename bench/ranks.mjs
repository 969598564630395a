// Training by 1, 2 and 4 processes under mpirun: tokens a second, efficiency, the share of time in communication, bytes a step.
//   node bench/ranks.mjs [--ranks 1,2,4] [--rounds N] [--round-steps N] [--save]     after npm run build; needs Open MPI (docs/distributed.md)
// Checks first: two steps must leave the weights of one process with as many parts, to the bit (bench/ranks-worker.mjs does the work).
// Each process has one thread and the same number of examples, so perfect scaling multiplies the tokens by the processes, as far as there are cores.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    ranks: { type: 'string', default: '1,2,4' },
    rounds: { type: 'string', default: '5' },
    'round-steps': { type: 'string', default: '10' },
    save: { type: 'boolean', default: false },
  },
});
const WORKER = fileURLToPath(new URL('ranks-worker.mjs', import.meta.url));
const SIZES = [
  { name: '2 × 64, context 16, 8 examples each', each: 8, nLayer: 2, nEmbd: 64, nHead: 4, blockSize: 16 },
  { name: '4 × 128, context 64, 12 examples each', each: 12, nLayer: 4, nEmbd: 128, nHead: 4, blockSize: 64 },
];
const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
const rows = [];
for (const { name, ...size } of SIZES) {
  let alone = null; // tokens a second and process, of the smallest number of processes
  for (const ranks of flags.ranks.split(',').map(Number)) {
    const job = JSON.stringify({ ...size, rounds: Number(flags.rounds), steps: Number(flags['round-steps']) });
    const mpi = ['--oversubscribe', '--bind-to', 'none', '-n', String(ranks), process.execPath, WORKER, job];
    const { status, stdout, stderr } = spawnSync('mpirun', mpi, { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`mpirun ended with ${status}: ${stderr}`);
    const measured = JSON.parse(stdout);
    alone ??= measured.tokensPerSecond / ranks;
    const efficiencyPercent = Math.round((100 * measured.tokensPerSecond) / (ranks * alone));
    const row = { work: name, ranks, ...measured, efficiencyPercent };
    rows.push(row);
    const crowded = ranks > availableParallelism() ? `, more processes than the ${availableParallelism()} cores` : '';
    console.log(
      `${name}, ${ranks} process${ranks > 1 ? 'es' : ''}: ${row.tokensPerSecond} tokens/s (${efficiencyPercent} %${crowded}), ` +
        `${row.stepMs} ms a step, of it ${row.communicationPercent} % in communication and waiting, ` +
        `${row.exchangeMs} ms where nobody waits, ${row.bytesPerStep} bytes out of each process`,
    );
  }
}
const result = {
  what: 'training under mpirun on one machine, one thread each, best round',
  node: process.version,
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  version: execFileSync('mpirun', ['--version'], { env, encoding: 'utf8' }).split('\n')[0],
  rows,
};
if (flags.save) writeFileSync(new URL('results/ranks.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
