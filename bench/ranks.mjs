// Training by 1, 2 and 4 processes under mpirun: tokens a second, and the share of time that went into communication.
//   node bench/ranks.mjs [--ranks 1,2,4] [--steps N] [--save]     after npm run build; needs Open MPI (docs/distributed.md)
// Each process has one thread and the same number of examples, so perfect scaling doubles the tokens with the processes, as far as there are cores.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    ranks: { type: 'string', default: '1,2,4' },
    steps: { type: 'string', default: '60' },
    save: { type: 'boolean', default: false },
  },
});
const BIN = fileURLToPath(new URL('../bin/microgpt.js', import.meta.url));
const EACH = 8;
const SIZES = [
  { name: '2 × 64, context 16', flags: ['--n-embd', '64', '--n-head', '4', '--n-layer', '2', '--block-size', '16'] },
  { name: '4 × 128, context 16', flags: ['--n-embd', '128', '--n-head', '4', '--n-layer', '4', '--block-size', '16'] },
];
const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
const rows = [];
for (const { name, flags: size } of SIZES) {
  for (const n of flags.ranks.split(',').map(Number)) {
    const cwd = mkdtempSync(join(tmpdir(), 'microgpt-ranks-'));
    const train = ['train', 'names', ...size, '--batch-size', String(EACH * n), '--steps', flags.steps];
    const rest = ['--threads', '1', '--samples', '0', '--run', 'run', '--json'];
    const mpi = ['--oversubscribe', '--bind-to', 'none', '-n', String(n), process.execPath, BIN, ...train, ...rest];
    const { status, stdout, stderr } = spawnSync('mpirun', mpi, { cwd, env, encoding: 'utf8', maxBuffer: 1e9 });
    rmSync(cwd, { recursive: true });
    if (status !== 0) throw new Error(stderr);
    const tokens = stdout
      .split('\n')
      .filter((line) => line.startsWith('{"type":"step"'))
      .reduce((sum, line) => sum + JSON.parse(line).predictions, 0);
    const [, amount, unit] = /after [\d,]+ steps, ([\d.]+) (ms|s)/.exec(stderr) ?? [];
    const seconds = Number(amount) / (unit === 'ms' ? 1000 : 1);
    const share = Number(/note: (\d+) % of the time/.exec(stderr)?.[1]);
    const row = { work: name, ranks: n, tokensPerSecond: Math.round(tokens / seconds), communicationPercent: share };
    rows.push(row);
    console.log(`${name}, ${n} processes: ${row.tokensPerSecond} tokens/s, ${share} % communication and waiting`);
  }
}
const version = execFileSync('mpirun', ['--version'], { env, encoding: 'utf8' }).split('\n')[0];
const result = {
  what: 'training under mpirun',
  node: process.version,
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  version,
  rows,
};
if (flags.save) writeFileSync(new URL('results/ranks.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
