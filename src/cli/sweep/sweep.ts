/**
 * microgpt sweep: trains one model for each of many settings, so many side by side, and ranks them.
 * Invariant: what is finished is never computed again; what was stopped goes on where it was.
 */
import { availableParallelism } from 'node:os';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { MicrogptError } from '../../base/errors.js';
import { parseJson } from '../../base/json.js';
import { decodeUtf8 } from '../../data/documents.js';
import { writeFileDurably } from '../../node/durable.js';
import { readFileBounded } from '../../node/files.js';
import { runJobs } from '../../node/process-pool.js';
import { rank, sweepLines, sweepPage } from '../../report/sweep.js';
import { readSweep, type Trial } from '../../train/sweep.js';
import { count, note, result, say } from '../output.js';
import { listenForSignals } from '../signals.js';
import { joinWatched } from '../train/ranks.js';
import { path, whole } from '../values.js';
import { ending, isFinal, openSweepFolder, type SweepFolder, trialsOf } from './folder.js';
import { type OpenSweep, sweepAmongRanks } from './ranks.js';

interface SweepFlags {
  readonly run?: string;
  readonly processes?: number;
  readonly ranksPerTrial?: number;
  readonly output?: string;
}

const BIN = fileURLToPath(new URL('../../../bin/microgpt.js', import.meta.url));
const MOST_BYTES = 1_000_000;

export function addSweep(program: Command, exit: (code: number) => void): void {
  program
    .command('sweep')
    .summary('train with many settings and rank the results')
    .description(
      'Trains a model for each of many settings, some side by side, and ranks them by their loss on held-out text.',
    )
    .argument('<file>', 'what to try, as JSON: see docs/sweep.md')
    .option('--run <folder>', 'where the trials are kept (default: sweeps/<name of the file>)', path('--run'))
    .option(
      '--processes <n>',
      'trials side by side (default: as the file says, or half the cores)',
      whole('--processes', 1, 1024),
    )
    .option(
      '--ranks-per-trial <n>',
      'under mpirun: processes that train one trial together (default: 1)',
      whole('--ranks-per-trial', 1, 4096),
    )
    .option('-o, --output <file>', 'where to write the page (default: sweep.html in the folder)', path('--output'))
    .addHelpText(
      'after',
      `
A file of four trials:
  { "scenario": "names",
    "fixed": { "recipe": "standard", "steps": 500 },
    "vary": { "lr": [0.001, 0.003], "n-embd": [32, 64] } }

Stop it with Ctrl-C and call it again: what is finished stays, what was stopped goes on.`,
    )
    .action(async (file: string, flags: SweepFlags) => exit(await sweep(file, flags)));
}

async function sweep(file: string, flags: SweepFlags): Promise<number> {
  const joined = await joinWatched();
  if (joined !== null) return sweepAmongRanks(joined, file, flags, () => openSweep(file, flags), conclude);
  if (flags.ranksPerTrial !== undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      '--ranks-per-trial is for a sweep under mpirun',
      `call it as mpirun -n N microgpt sweep ${file}, or leave --ranks-per-trial out`,
    );
  }
  const opened = await openSweep(file, flags);
  const { sweep: described, folder } = opened;
  const processes = flags.processes ?? described.processes ?? Math.max(1, Math.floor(availableParallelism() / 2));
  const signals = listenForSignals(() => note('stopping the trials that run …'));
  await runTrials(described.trials, folder, processes, signals.signal);
  signals.forget();
  await conclude(opened, `microgpt sweep ${file}`);
  return signals.exitCode();
}

/** @throws MG_FILE_*, MG_SWEEP_INVALID */
async function openSweep(file: string, flags: SweepFlags): Promise<OpenSweep> {
  const bytes = await readFileBounded(file, MOST_BYTES, 'give the path of a JSON file that says what to try');
  const described = readSweep(parseJson(decodeUtf8(bytes, file), file, 'MG_SWEEP_INVALID'), file);
  const name = basename(file, extname(file));
  const folder = await openSweepFolder(flags.run ?? join('sweeps', name));
  return { name, page: flags.output ?? join(folder.path, 'sweep.html'), sweep: described, folder };
}

/** The table and the page. @throws MG_SWEEP_INVALID when all trials failed */
async function conclude({ name, page, sweep: described, folder }: OpenSweep, command: string): Promise<void> {
  const outcomes = await Promise.all(described.trials.map(folder.outcome));
  const ranked = rank(outcomes.filter((outcome) => outcome !== null));
  await writeFileDurably(page, new TextEncoder().encode(sweepPage(name, ranked)));
  for (const line of sweepLines(ranked)) result(line);
  say(`the page: ${page}`);
  const left = described.trials.length - ranked.length;
  if (left > 0) say(`${count(left)} of ${trialsOf(described.trials.length)} left; go on: ${command}`);
  const [first] = ranked;
  if (left === 0 && first !== undefined && first.loss === null) {
    throw new MicrogptError(
      'MG_SWEEP_INVALID',
      ranked.length === 1
        ? `its only trial failed: ${first.failed}`
        : `all ${ranked.length} trials failed, the first: ${first.failed}`,
      `see ${join(folder.path, 'logs')}`,
    );
  }
}

async function runTrials(
  trials: readonly Trial[],
  folder: SweepFolder,
  processes: number,
  signal: AbortSignal,
): Promise<void> {
  const waiting = folder.waiting(trials);
  let finished = trials.length - waiting.length;
  say(`${trialsOf(trials.length)}, ${count(finished)} done, ${processes} at a time, in ${folder.path}`);
  const threads = Math.max(1, Math.floor(availableParallelism() / processes));
  await runJobs(
    processes,
    async () => {
      const trial = waiting.shift();
      if (trial === undefined) return null;
      const args = [BIN, 'train', ...(await folder.wordsFor(trial, threads))];
      return { key: trial, job: { command: process.execPath, args, log: folder.logOf(trial) } };
    },
    async (trial, { code, seconds }) => {
      await folder.note(trial, { code, seconds });
      if (isFinal(code)) finished++;
      const how = ending(trial, { code, seconds }, await folder.outcome(trial));
      say(`${String(finished).padStart(String(trials.length).length)}/${trials.length}  ${how}`);
    },
    signal,
  );
}
