/**
 * The folder of a sweep: its trials' runs and logs, and one line for every attempt at a trial.
 * Refuses to know: who runs a trial, and where. Invariant: lines are only added, and by one process to a file, so that nothing is lost when
 * several machines share the folder; a trial whose last attempt would end alike again is over.
 */
import { appendFile, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EXIT } from '../../base/errors.js';
import { readFileBounded } from '../../node/files.js';
import type { RunLog } from '../../report/record.js';
import { lossName, type Outcome } from '../../report/sweep.js';
import type { Trial } from '../../train/sweep.js';
import { counted, printable } from '../output.js';
import { readRun } from '../report.js';

const MOST_LOG_BYTES = 100_000_000;
/** Exit codes after which trying again would give the same: done, refused, bad data, diverged. */
const FINAL: readonly number[] = [EXIT.ok, EXIT.usage, EXIT.data, EXIT.diverged];
const ATTEMPTS = /^trials(\.\d+)?\.jsonl$/;

/** What is known of a trial: the code of its last attempt, and the seconds of all. */
export interface Attempts {
  readonly code: number;
  readonly seconds: number;
}

export interface SweepFolder {
  readonly path: string;
  /** Trials that are not over. */
  waiting(trials: readonly Trial[]): Trial[];
  /** For microgpt train, the word `train` left out. */
  wordsFor(trial: Trial, threads: number): Promise<string[]>;
  logOf(trial: Trial): string;
  /** Notes how an attempt ended. `group` has a file of its own. */
  note(trial: Trial, attempt: Attempts, group?: number): Promise<void>;
  /** Null for a trial that is not over. */
  outcome(trial: Trial): Promise<Outcome | null>;
}

export const trialsOf = (n: number): string => counted(n, 'trial');

export const isFinal = (code: number): boolean => FINAL.includes(code);

export async function openSweepFolder(path: string): Promise<SweepFolder> {
  await mkdir(join(path, 'logs'), { recursive: true });
  const known = await readAttempts(path);
  const isOver = ({ id }: Trial): boolean => isFinal(known.get(id)?.code ?? -1);
  const runOf = ({ id }: Trial): string => join(path, 'runs', id);
  const logOf = ({ id }: Trial): string => join(path, 'logs', `${id}.log`);

  async function outcome(trial: Trial): Promise<Outcome | null> {
    const attempts = known.get(trial.id);
    if (attempts === undefined || !isFinal(attempts.code)) return null;
    const { code, seconds } = attempts;
    const folder = runOf(trial);
    const base = { number: trial.number, folder, values: trial.values, seconds };
    if (code !== EXIT.ok)
      return { ...base, loss: null, heldOut: false, parameters: null, failed: await reason(logOf(trial), code) };
    const log = await readRun(folder);
    return { ...base, ...lossOf(log), parameters: log.record.parameters, failed: null };
  }

  return {
    path,
    logOf,
    waiting: (trials) => trials.filter((trial) => !isOver(trial)),
    async wordsFor(trial, threads) {
      const run = runOf(trial);
      const isBegun = (await stat(join(run, 'run.json')).catch(() => null)) !== null;
      const own = trial.args.includes('--threads') ? [] : ['--threads', String(threads)];
      const words = isBegun ? ['--resume', run] : [...trial.args, '--run', run];
      return [...words, ...own, '--samples', '0', '--no-eta'];
    },
    async note({ id }, { code, seconds }, group = 0) {
      const file = group === 0 ? 'trials.jsonl' : `trials.${group}.jsonl`;
      await appendFile(join(path, file), `${JSON.stringify({ id, code, seconds })}\n`);
      add(known, id, { code, seconds });
    },
    outcome,
  };
}

/** How an attempt ended, in a line. */
export function ending({ values }: Trial, { code, seconds }: Attempts, outcome: Outcome | null): string {
  const chosen = Object.entries(values).map(([key, value]) => `${key} ${value}`);
  const took = `${seconds.toFixed(1)} s`;
  if (code >= EXIT.sighup) return `${chosen.join(', ')}: stopped after ${took}`;
  if (outcome === null) return `${chosen.join(', ')}: ended with code ${code} after ${took}, to be tried again`;
  if (outcome.loss === null) return `${chosen.join(', ')}: ${outcome.failed}`;
  return `${chosen.join(', ')}: ${lossName(outcome.heldOut)} ${outcome.loss.toFixed(4)}, ${took}`;
}

/** Lines that are not whole, after a power failure, count nothing: the trial is looked at again. */
async function readAttempts(folder: string): Promise<Map<string, Attempts>> {
  const known = new Map<string, Attempts>();
  for (const file of (await readdir(folder)).filter((name) => ATTEMPTS.test(name)).sort()) {
    const bytes = await readFileBounded(join(folder, file), MOST_LOG_BYTES, 'start a new sweep with --run');
    for (const line of new TextDecoder().decode(bytes).split('\n')) {
      try {
        const { id, code, seconds } = JSON.parse(line) as { id: string; code: number; seconds: number };
        add(known, id, { code, seconds });
      } catch {}
    }
  }
  return known;
}

/** Attempts of several groups come in no order: one that was final is not undone by another. */
function add(known: Map<string, Attempts>, id: string, { code, seconds }: Attempts): void {
  const before = known.get(id);
  const isSettled = before !== undefined && isFinal(before.code) && !isFinal(code);
  known.set(id, { code: isSettled ? before.code : code, seconds: seconds + (before?.seconds ?? 0) });
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
