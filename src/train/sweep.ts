/**
 * A search over settings: from a description (sweep.json) to trials, each a list of arguments for microgpt train.
 * Refuses to know: processes, folders and what the arguments mean; train itself refuses what it does not know.
 * Invariant: a pure function of the description; trial k of a random search is the same however many there are.
 */
import { createCounterRandom } from '../base/counter-random.js';
import { MicrogptError } from '../base/errors.js';
import type { Json, JsonObject } from '../base/json.js';
import { exp, log } from '../base/math.js';
import { sha256 } from '../base/sha256.js';

export interface Trial {
  /** From 1. */
  readonly number: number;
  /** What varies, by flag. */
  readonly values: Readonly<Record<string, Value>>;
  /** For microgpt train, what is fixed included. */
  readonly args: readonly string[];
  /** Names the trial by its arguments, so that it is found again when the description has changed elsewhere. */
  readonly id: string;
}

export interface Sweep {
  readonly trials: readonly Trial[];
  /** How many run side by side, if the description says so. */
  readonly processes: number | null;
}

export type Value = string | number | boolean;

interface Span {
  readonly from: number;
  readonly to: number;
  readonly scale: 'linear' | 'log';
  readonly whole: boolean;
}

const MOST_TRIALS = 10_000;
/** The use of a seed, apart from those of training and generating. */
const STREAM = 77;
/** The sweep's own business. */
const TAKEN = [
  'run',
  'resume',
  'output',
  'overwrite',
  'json',
  'samples',
  'eta',
  'no-eta',
  'timing',
  'stop-after',
  'time',
];

/** @throws MG_SWEEP_INVALID */
export function readSweep(json: Json, source: string): Sweep {
  const invalid = (what: string, remedy = 'see docs/sweep.md'): never => {
    throw new MicrogptError('MG_SWEEP_INVALID', `${source}: ${what}`, remedy);
  };
  const object = (value: Json | undefined, what: string): JsonObject =>
    value instanceof Map
      ? value
      : invalid(
          `${what} is ${value === undefined ? 'missing' : 'no object'}`,
          'write it as in {"scenario": "names", "vary": {"lr": [0.001, 0.003]}}; see docs/sweep.md',
        );
  const whole = (value: Json | undefined, what: string, least: number, most: number): number =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? value
      : invalid(`${what} is ${String(value)}, expected a whole number from ${least} to ${most}`);
  const flag = (name: string): string => {
    if (!/^[a-z][a-z-]*$/.test(name))
      invalid(`"${name}" is no flag of train`, 'write it as in --n-embd, without dashes in front');
    if (TAKEN.includes(name)) invalid(`"${name}" cannot be chosen: the sweep decides it`, `leave out "${name}"`);
    return name;
  };
  const value = (of: Json | undefined, name: string): Value =>
    typeof of === 'string' || typeof of === 'boolean' || (typeof of === 'number' && Number.isFinite(of))
      ? of
      : invalid(
          `"${name}" is ${of instanceof Map ? 'an object' : String(of)}, expected a number, a text, true or false`,
        );

  const sweep = object(json, 'what it holds');
  const known = ['scenario', 'fixed', 'vary', 'random', 'processes'];
  for (const name of sweep.keys())
    if (!known.includes(name)) invalid(`"${name}" is not known`, `use ${known.join(', ')}`);
  const scenario = sweep.get('scenario');
  if (scenario !== undefined && (typeof scenario !== 'string' || !/^\w[\w-]*$/.test(scenario)))
    invalid('"scenario" is no name');
  const fixed = [...object(sweep.get('fixed') ?? new Map(), '"fixed"')].map(
    ([name, of]) => [flag(name), value(of, name)] as const,
  );

  const vary = [...object(sweep.get('vary'), '"vary"')].map(([name, of]): [string, readonly Value[] | Span] => {
    flag(name);
    if (fixed.some(([other]) => other === name)) invalid(`"${name}" is both fixed and varied`, 'leave one of them out');
    if (of instanceof Map) return [name, span(of, name)];
    if (!Array.isArray(of) || of.length === 0) return invalid(`"${name}" has no list of values to try`);
    return [name, of.map((one) => value(one, name))];
  });
  if (vary.length === 0) invalid('"vary" has no setting');

  function span(of: JsonObject, name: string): Span {
    const [from, to, scale = 'linear', isWhole = false] = ['from', 'to', 'scale', 'whole'].map((key) => of.get(key));
    const odd = [...of.keys()].find((key) => !['from', 'to', 'scale', 'whole'].includes(key));
    if (odd !== undefined) invalid(`"${name}" has "${odd}"`, 'use from, to, scale, whole');
    if (typeof from !== 'number' || typeof to !== 'number' || !(from < to))
      return invalid(`"${name}" has no from below its to`);
    if (scale !== 'linear' && scale !== 'log')
      return invalid(`"${name}" has the scale ${String(scale)}`, 'use linear or log');
    if (scale === 'log' && from <= 0) invalid(`"${name}" goes from ${from} on a log scale`, 'begin above 0');
    if (typeof isWhole !== 'boolean') return invalid(`"${name}": whole is neither true nor false`);
    return { from, to, scale, whole: isWhole };
  }

  const random = sweep.get('random');
  const chosen = random === undefined ? grid() : draws(object(random, '"random"'));

  function grid(): Record<string, Value>[] {
    const count = vary.reduce(
      (n, [name, of]) =>
        'from' in of
          ? invalid(`"${name}" is a range`, 'a grid needs lists; add "random" for a random search')
          : n * of.length,
      1,
    );
    if (count > MOST_TRIALS) invalid(`${count} trials, at most ${MOST_TRIALS}`, 'try fewer values, or a random search');
    let rows: Record<string, Value>[] = [{}];
    for (const [name, of] of vary)
      rows = rows.flatMap((row) => (of as readonly Value[]).map((one) => ({ ...row, [name]: one })));
    return rows;
  }

  function draws(of: JsonObject): Record<string, Value>[] {
    const { uniform } = createCounterRandom(whole(of.get('seed') ?? 1, 'seed', 0, Number.MAX_SAFE_INTEGER), STREAM);
    const count = whole(of.get('trials'), 'trials', 1, MOST_TRIALS);
    return Array.from({ length: count }, (_, k) =>
      Object.fromEntries(vary.map(([name, from], i) => [name, draw(from, uniform(k, i))])),
    );
  }

  const trials = chosen.map((values, i): Trial => {
    const flags = [...fixed, ...Object.entries(values)].flatMap(([name, of]) => words(name, of));
    const args = [...(typeof scenario === 'string' ? [scenario] : []), ...flags];
    return { number: i + 1, values, args, id: sha256(new TextEncoder().encode(JSON.stringify(args))).slice(0, 10) };
  });
  const different = new Map(trials.map((trial) => [trial.id, trial]));
  const processes = sweep.get('processes');
  return {
    trials: [...different.values()],
    processes: processes === undefined ? null : whole(processes, 'processes', 1, 1024),
  };
}

function words(name: string, value: Value): string[] {
  if (value === false) return [];
  return value === true ? [`--${name}`] : [`--${name}`, String(value)];
}

function draw(from: readonly Value[] | Span, u: number): Value {
  if (!('from' in from)) return from[Math.floor(u * from.length)] as Value;
  const { from: low, to: high, scale, whole } = from;
  // A whole number is one of those from low to high, each end included.
  const top = whole ? high + 1 : high;
  const x = scale === 'log' ? exp(log(low) + u * (log(top) - log(low))) : low + u * (top - low);
  return whole ? Math.min(high, Math.floor(x)) : Number(x.toPrecision(4));
}
