/**
 * microgpt sweep: trains one model for each of many settings, so many side by side, and ranks them.
 * Invariant: what is finished is never computed again; what was stopped goes on where it was.
 */
import { appendFile, mkdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { EXIT, MicrogptError } from '../base/errors.js';
import { parseJson } from '../base/json.js';
import { decodeUtf8 } from '../data/documents.js';
import { writeFileDurably } from '../node/durable.js';
import { readFileBounded } from '../node/files.js';
import { launchedBy } from '../node/mpi/launcher.js';
import { runJobs } from '../node/process-pool.js';
import type { RunLog } from '../report/record.js';
import { type Outcome, rank, sweepLines, sweepPage } from '../report/sweep.js';
import { readSweep, type Sweep, type Trial } from '../train/sweep.js';
import { count, note, printable, result, say } from './output.js';
import { readRun } from './report.js';
import { listenForSignals } from './signals.js';
import { path, whole } from './values.js';

interface SweepFlags {
  readonly run?: string;
  readonly processes?: number;
  readonly output?: string;
}

const BIN = fileURLToPath(new URL('../../bin/microgpt.js', import.meta.url));
const MOST_BYTES = 1_000_000;
const MOST_LOG_BYTES = 100_000_000;
/** Exit codes after which trying again would give the same: done, refused, bad data, diverged. */
const FINAL: readonly number[] = [EXIT.ok, EXIT.usage, EXIT.data, EXIT.diverged];

/** What is known of a trial: the code of its last attempt, and the seconds of all. */
interface Attempts {
  readonly code: number;
  readonly seconds: number;
}

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
  if (launchedBy(process.env) !== null) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      'a sweep has processes of its own, and mpirun started several',
      'leave out mpirun',
    );
  }
  const bytes = await readFileBounded(file, MOST_BYTES, 'give the path of a JSON file that says what to try');
  const described = readSweep(parseJson(decodeUtf8(bytes, file), file, 'MG_SWEEP_INVALID'), file);
  const name = basename(file, extname(file));
  const folder = flags.run ?? join('sweeps', name);
  await mkdir(join(folder, 'logs'), { recursive: true });
  const known = await readAttempts(folder);
  const processes = flags.processes ?? described.processes ?? Math.max(1, Math.floor(availableParallelism() / 2));

  const signals = listenForSignals(() => note('stopping the trials that run …'));
  await runTrials(described, folder, processes, known, signals.signal);
  signals.forget();

  const outcomes = await Promise.all(described.trials.map((trial) => outcomeOf(trial, folder, known.get(trial.id))));
  const ranked = rank(outcomes.filter((outcome) => outcome !== null));
  const page = flags.output ?? join(folder, 'sweep.html');
  await writeFileDurably(page, new TextEncoder().encode(sweepPage(name, ranked)));
  for (const line of sweepLines(ranked)) result(line);
  say(`the page: ${page}`);
  const left = described.trials.length - ranked.length;
  if (left > 0)
    say(`${count(left)} of ${count(described.trials.length)} trials are left; go on: microgpt sweep ${file}`);
  const [first] = ranked;
  if (left === 0 && first !== undefined && first.loss === null) {
    throw new MicrogptError(
      'MG_SWEEP_INVALID',
      `all ${ranked.length} trials failed, the first: ${first.failed}`,
      `see ${join(folder, 'logs')}`,
    );
  }
  return signals.exitCode();
}

async function runTrials(
  { trials }: Sweep,
  folder: string,
  processes: number,
  known: Map<string, Attempts>,
  signal: AbortSignal,
): Promise<void> {
  const waiting = trials.filter(({ id }) => !FINAL.includes(known.get(id)?.code ?? -1));
  const done = trials.length - waiting.length;
  say(`${count(trials.length)} trials, ${count(done)} of them done, ${processes} at a time, in ${folder}`);
  const begun = new Set<string>();
  for (const { id } of waiting) {
    const there = await stat(join(folder, 'runs', id, 'run.json')).catch(() => null);
    if (there !== null) begun.add(id);
  }
  const threads = String(Math.max(1, Math.floor(availableParallelism() / processes)));
  let finished = done;
  await runJobs(
    processes,
    () => {
      const trial = waiting.shift();
      if (trial === undefined) return null;
      const run = join(folder, 'runs', trial.id);
      const own = trial.args.includes('--threads') ? [] : ['--threads', threads];
      const words = begun.has(trial.id) ? ['--resume', run] : [...trial.args, '--run', run];
      const args = [BIN, 'train', ...words, ...own, '--samples', '0', '--no-eta'];
      return { key: trial, job: { command: process.execPath, args, log: logOf(folder, trial) } };
    },
    async (trial, { code, seconds }) => {
      await appendFile(join(folder, 'trials.jsonl'), `${JSON.stringify({ id: trial.id, code, seconds })}\n`);
      known.set(trial.id, { code, seconds: seconds + (known.get(trial.id)?.seconds ?? 0) });
      if (FINAL.includes(code)) finished++;
      const values = Object.entries(trial.values).map(([key, value]) => `${key} ${value}`);
      const how = code === EXIT.ok ? `${seconds.toFixed(1)} s` : `ended with code ${code}`;
      say(`${String(finished).padStart(String(trials.length).length)}/${trials.length}  ${values.join(', ')}: ${how}`);
    },
    signal,
  );
}

const logOf = (folder: string, { id }: Trial): string => join(folder, 'logs', `${id}.log`);

/** Lines that are not whole, after a power failure, count nothing: the trial is looked at again. */
async function readAttempts(folder: string): Promise<Map<string, Attempts>> {
  const known = new Map<string, Attempts>();
  const file = join(folder, 'trials.jsonl');
  if ((await stat(file).catch(() => null)) === null) return known;
  const text = new TextDecoder().decode(await readFileBounded(file, MOST_LOG_BYTES, 'start a new sweep with --run'));
  for (const line of text.split('\n')) {
    try {
      const { id, code, seconds } = JSON.parse(line) as { id: string; code: number; seconds: number };
      known.set(id, { code, seconds: seconds + (known.get(id)?.seconds ?? 0) });
    } catch {}
  }
  return known;
}

/** Null for a trial that is not over. */
async function outcomeOf(trial: Trial, folder: string, attempts: Attempts | undefined): Promise<Outcome | null> {
  if (attempts === undefined || !FINAL.includes(attempts.code)) return null;
  const run = join(folder, 'runs', trial.id);
  const base = { number: trial.number, folder: run, values: trial.values, seconds: attempts.seconds };
  if (attempts.code !== EXIT.ok) {
    return {
      ...base,
      loss: null,
      heldOut: false,
      parameters: null,
      failed: await reason(logOf(folder, trial), attempts.code),
    };
  }
  const log = await readRun(run);
  return { ...base, ...lossOf(log), parameters: log.record.parameters, failed: null };
}

/** The best on held-out text, which is the model's; without any, the mean over the last tenth of training. */
function lossOf({ metrics, record }: RunLog): { readonly loss: number; readonly heldOut: boolean } {
  const evals = metrics.flatMap((metric) => (metric.type === 'eval' ? [metric.loss] : []));
  if (evals.length > 0) return { loss: Math.min(...evals), heldOut: true };
  const from = 0.9 * record.settings.steps;
  const last = metrics.flatMap((metric) => (metric.type === 'step' && metric.step > from ? [metric.loss] : []));
  return { loss: last.reduce((a, b) => a + b, 0) / last.length, heldOut: false };
}

async function reason(log: string, code: number): Promise<string> {
  const bytes = await readFileBounded(log, MOST_LOG_BYTES, 'see the log').catch(() => new Uint8Array(0));
  const line = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .findLast((text) => text.startsWith('error '));
  return printable(line ?? `ended with code ${code}`);
}
