/**
 * The process beside rank 0: hears from mpirun's signals that ranks are being ended, and says which is gone and where training goes on.
 * Runs as a process of node/mpi/watch.ts and as nothing else.
 */
import { createInterface } from 'node:readline';
import { count } from '../../base/count.js';
import { MicrogptError } from '../../base/errors.js';
import { nodeFileSystem } from '../file-system.js';
import { checkpointSteps } from '../run-folder.js';
import type { ToWatch } from './watch.js';

/** mpirun kills a second after it has asked to end. Who saves in that time needs no message. */
const PATIENCE_MS = 500;
/** Rank 0 may be in the middle of a save, which it finishes before it waits for the one that is gone. */
const SETTLE_MS = 300;

let facts: ToWatch = {};
let isSaid = false;

async function say(what: string): Promise<void> {
  if (isSaid) return;
  isSaid = true;
  const { code, message, remedy } = new MicrogptError('MG_MPI_LOST', what, await wayOn(facts));
  process.stderr.write(`error ${code}: ${message}\n  → ${remedy}\n`);
}

async function wayOn({ run, again }: ToWatch): Promise<string> {
  if (run === undefined) return again ?? 'call it again: nothing was saved yet';
  const [step] = await checkpointSteps(nodeFileSystem, run).catch(() => []);
  const saved = step === undefined ? 'nothing was saved yet' : `step ${count(step)} is saved in ${run}`;
  return `${saved}; go on, with any number of processes: microgpt train --resume ${run}`;
}

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

async function look(settle = 0): Promise<void> {
  const gone = facts.peers?.filter(({ pid }) => !isThere(pid)).map(({ rank }) => rank) ?? [];
  if (gone.length > 0) {
    const [who, are] = gone.length === 1 ? ['process', 'is'] : ['processes', 'are'];
    await new Promise((done) => setTimeout(done, settle));
    await say(`${who} ${gone.join(', ')} ${are} gone, and the others cannot go on without`);
  }
}

// mpirun wakes the processes that it is about to end, then asks them to end, then kills them.
process.on('SIGCONT', () => void look(SETTLE_MS));
process.on('SIGTERM', () => {
  void look();
  setTimeout(() => void say('the processes are being ended, by a signal or because one of them is gone'), PATIENCE_MS);
});
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

createInterface({ input: process.stdin })
  .on('line', (line) => {
    facts = { ...facts, ...(JSON.parse(line) as ToWatch) };
    if (facts.end) process.exit(0);
  })
  .on('close', async () => {
    await say('process 0 is gone, and the others cannot go on without');
    process.exit(0);
  });
