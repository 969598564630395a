/**
 * A sweep under mpirun: groups of ranks take trials from one list, each trains its own in these processes, rank 0 makes the table.
 * Invariant: a trial is taken by one group, and its run has the bits of `mpirun -n <ranks per trial> microgpt train` with its flags; a trial that
 * fails on all ranks of its group is listed and the sweep goes on, one that fails on some of them only ends everything.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { EXIT, MicrogptError } from '../../base/errors.js';
import type { Group } from '../../node/mpi/index.js';
import { type Launched, threadsEach } from '../../node/mpi/launcher.js';
import type { Watch } from '../../node/mpi/watch.js';
import { createRanks, gather, share } from '../../train/ranks.js';
import type { Sweep, Trial } from '../../train/sweep.js';
import { count, divert, say, sayAside, silence } from '../output.js';
import { listenForSignals } from '../signals.js';
import { trainByWords } from '../train/words.js';
import { ending, openSweepFolder, type SweepFolder, trialsOf } from './folder.js';

export interface OpenSweep {
  readonly name: string;
  readonly page: string;
  readonly sweep: Sweep;
  readonly folder: SweepFolder;
}

/** What rank 0 tells the others. */
interface Plan {
  readonly folder: string;
  /** What is taken lies here; a folder of its own for each time that the sweep is called. */
  readonly taken: string;
  readonly trials: number;
  readonly waiting: readonly Trial[];
}

/** So long the ranks of a group wait for one another when a trial has failed: the same error comes to all of them about now, or never. */
const GRACE_MS = 30_000;

export async function sweepAmongRanks(
  {
    transport: world,
    launched,
    watch,
  }: { readonly transport: Group; readonly launched: Launched; readonly watch: Watch },
  file: string,
  flags: { readonly ranksPerTrial?: number; readonly processes?: number },
  open: () => Promise<OpenSweep>,
  conclude: (opened: OpenSweep, command: string) => Promise<void>,
): Promise<number> {
  const each = flags.ranksPerTrial ?? 1;
  const isFirst = world.rank === 0;
  // What rank 0 finds wrong it says alone: when it ends, mpirun ends the others.
  if (isFirst) requireGroups(world.size, each, flags.processes);
  const opened = isFirst ? await open() : null;
  const plan = await sharePlan(world, opened);
  const group = world.split(Math.floor(world.rank / each));
  await requireShared(world, plan);
  const groups = world.size / each;
  if (isFirst) {
    const done = plan.trials - plan.waiting.length;
    const who = each === 1 ? `${groups} processes` : `${groups} groups of ${each} processes`;
    say(`${trialsOf(plan.trials)}, ${count(done)} done, by ${who}, in ${plan.folder}`);
  }
  if (group.rank > 0) silence();

  const own = each === 1 ? '' : ` --ranks-per-trial ${each}`;
  const command = `mpirun -n ${world.size} microgpt sweep ${file}${own}`;
  watch.tell({ again: `what is finished stays; go on: ${command}` });
  const signals = listenForSignals(() => {
    watch.end(); // from now on ranks leave one after the other
    // Now, because mpirun leaves no time for it afterwards.
    if (isFirst) sayAside(`note: stopping the trials that run … go on: ${command}`);
  });
  const threads = threadsEach(availableParallelism(), launched, cpus().length);
  await runTrials(plan, group, { number: Math.floor(world.rank / each), threads, signal: signals.signal });
  const isOver = !signals.signal.aborted && (await world.meet(signals.signal));
  watch.end();
  if (isOver) world.close(); // after a signal mpirun answers nothing any more
  if (isFirst) {
    if (isOver) await rm(dirname(plan.taken), { recursive: true, force: true }); // with those of calls that were killed
    const all = { ...(opened as OpenSweep), folder: await openSweepFolder(plan.folder) };
    await conclude(all, command);
  }
  return signals.exitCode();
}

function requireGroups(ranks: number, each: number, processes: number | undefined): void {
  const usage = (message: string, remedy: string) => new MicrogptError('MG_CLI_USAGE', message, remedy);
  if (processes !== undefined) {
    const message = `--processes ${processes} is for one machine, and mpirun started ${ranks} processes`;
    throw usage(message, 'leave out --processes, or mpirun');
  }
  if (ranks % each !== 0) {
    const message = `${ranks} processes do not make groups of ${each}`;
    throw usage(message, `start a multiple of ${each} with mpirun -n, or give another --ranks-per-trial`);
  }
}

async function sharePlan(world: Group, opened: OpenSweep | null): Promise<Plan> {
  let plan: Plan | null = null;
  if (opened !== null) {
    const { sweep, folder } = opened;
    const taken = join(folder.path, 'taken', `${Date.now()}-${process.pid}`);
    await mkdir(taken, { recursive: true });
    plan = { folder: folder.path, taken, trials: sweep.trials.length, waiting: folder.waiting(sweep.trials) };
  }
  return JSON.parse(new TextDecoder().decode(share(world, new TextEncoder().encode(JSON.stringify(plan)))));
}

/** @throws MG_MPI_DIFFERENT where machines do not see the same folder, which would give each trial to several groups. */
async function requireShared(world: Group, { folder, taken }: Plan): Promise<void> {
  const sees = (await stat(taken).catch(() => null)) === null ? 0 : 1;
  const blind = gather(world, Float64Array.of(sees)).indexOf(0);
  if (blind < 0) return;
  if (world.rank > 0) silence();
  throw new MicrogptError(
    'MG_MPI_DIFFERENT',
    `process ${blind} does not see the folder ${folder} of process 0`,
    'give a --run folder on a disk that all machines share',
  );
}

async function runTrials(
  plan: Plan,
  group: Group,
  { number, threads, signal }: { readonly number: number; readonly threads: number; readonly signal: AbortSignal },
): Promise<void> {
  const folder = await openSweepFolder(plan.folder);
  for (;;) {
    const next = group.rank > 0 || signal.aborted ? null : await take(plan);
    const given = share(
      group,
      new TextEncoder().encode(JSON.stringify(next && [next, await folder.wordsFor(next, threads)])),
    );
    const work = JSON.parse(new TextDecoder().decode(given)) as [Trial, string[]] | null;
    if (work === null) return;
    const [trial, words] = work;
    const start = performance.now();
    const { code, said } = await runTrial(words, group, group.rank === 0 ? folder.logOf(trial) : null);
    const seconds = (performance.now() - start) / 1000;
    if (group.rank === 0) {
      await folder.note(trial, { code, seconds }, number);
      say(
        `${String(trial.number).padStart(String(plan.trials).length)}/${plan.trials}  ${ending(trial, { code, seconds }, await folder.outcome(trial))}`,
      );
    }
    const together = await group.meet(code === EXIT.ok ? undefined : AbortSignal.timeout(GRACE_MS));
    if (!together) throw failedAlone(trial, group, said);
  }
}

/** The first trial that nobody has taken yet; null when there is none. Making a folder succeeds for one only, on shared disks too. */
async function take({ taken, waiting }: Plan): Promise<Trial | null> {
  for (const trial of waiting) {
    try {
      await mkdir(join(taken, trial.id));
      return trial;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  return null;
}

/** Trains with what it prints in the log. */
async function runTrial(
  words: readonly string[],
  group: Group,
  log: string | null,
): Promise<{ readonly code: number; readonly said: string }> {
  const file = log === null ? null : openSync(log, 'a');
  let said = '';
  divert((text) => {
    said = `${said}${text}`.slice(-2000);
    if (file !== null) writeSync(file, text);
  });
  try {
    const code = await trainByWords(words, group.size === 1 ? undefined : createRanks(group));
    return { code, said };
  } finally {
    divert(null);
    if (file !== null) closeSync(file);
  }
}

function failedAlone(trial: Trial, group: Group, said: string): MicrogptError {
  silence(false);
  const error = said.split('\n').findLast((line) => line.startsWith('error ')) ?? 'it ended';
  return new MicrogptError(
    'MG_MPI_DIFFERENT',
    `trial ${trial.number} failed on process ${group.rank} of its group only: ${error}`,
    'mend it and call the sweep again: what is finished stays',
  );
}
