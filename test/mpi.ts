// Runs the command under Open MPI's mpirun, as several processes of this machine.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { loadForeign } from '../src/node/foreign.js';
import { type Outcome, ROOT, type RunOptions, runCommand } from './cli.js';

const BIN = join(ROOT, 'bin/microgpt.js');
/** Root may run it here, and there may be more processes than cores. */
const ENV = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
export const COMMON = ['--oversubscribe', '--bind-to', 'none'];

/** Why there is nothing to test with, or null. */
export async function mpiMissing(): Promise<string | null> {
  const { stdout } = spawnSync('mpirun', ['--version'], { encoding: 'utf8', env: { ...process.env, ...ENV } });
  if (!/Open MPI|OpenRTE/.test(stdout ?? '')) return 'no mpirun of Open MPI on the path';
  const koffi = await loadForeign();
  return 'missing' in koffi ? koffi.missing : null;
}

export const mpirun = (args: readonly string[], options: RunOptions): Promise<Outcome> =>
  runCommand('mpirun', [...COMMON, ...args], { ...options, env: { ...ENV, ...options.env } });

/** microgpt on n ranks. */
export const onRanks = (n: number, args: readonly string[], options: RunOptions): Promise<Outcome> =>
  mpirun(['-n', String(n), process.execPath, BIN, ...args], options);

/** The part of an mpirun command line that starts microgpt on n ranks. */
export const ranksOf = (n: number, args: readonly string[]): string[] => [
  '-n',
  String(n),
  process.execPath,
  BIN,
  ...args,
];
