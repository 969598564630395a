/**
 * microgpt bench: how fast this machine trains and generates, after a check that it does so correctly.
 */
import { availableParallelism, cpus } from 'node:os';
import type { Command } from 'commander';
import { MicrogptError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { type BenchRow, bench } from '../../engine/bench.js';
import { type Expected, expectedLoss } from '../../engine/bench-check.js';
import { type BenchJob, createBenchJob } from '../../engine/bench-job.js';
import { benchSteps } from '../../engine/bench-steps.js';
import { BACKENDS, type BackendName, DEFAULT_BACKEND } from '../../engine/engine.js';
import { parameterTable } from '../../model/parameters.js';
import { type FoundScenario, findScenarioText, loadScenario } from '../../node/scenarios.js';
import { nodeThreads } from '../../node/threads.js';
import { RECIPES } from '../../train/recipes.js';
import { type Settings, withOverrides } from '../../train/settings.js';
import { ACCELERATE, ACCELERATE_HELP, type Accelerate, openProducts } from '../accelerate.js';
import { counted, result, say, unused } from '../output.js';
import { backendCalled, corpusOptions } from '../train/flags.js';
import { openText } from '../train/text.js';
import { eitherOf, list, oneOf, path, whole } from '../values.js';
import { benchTable, roughly, stepsLines } from './table.js';

interface BenchFlags {
  readonly scenario?: string;
  readonly data?: string;
  readonly backend?: readonly (BackendName | 'python' | 'numpy')[];
  readonly threads?: readonly number[];
  readonly accelerate?: Accelerate;
  readonly steps?: number;
  readonly nEmbd?: number;
  readonly nHead?: number;
  readonly nLayer?: number;
  readonly blockSize?: number;
  readonly vocabSize?: number;
  readonly batchSize?: number;
  readonly runs?: number;
  readonly json?: true;
}

const RUNS = 5;

export function addBench(program: Command): void {
  program
    .command('bench')
    .summary('measure how fast this machine trains and generates')
    .description(
      'Checks that each backend computes what the reference backend computes, then measures training and generating. ' +
        'Without a scenario, the batches are made-up tokens that fill the context.',
    )
    .argument('[scenario]', 'whose text and settings to measure with, as for train: names, alice, …')
    .option('-s, --scenario <name>', 'the same as the argument')
    .option('--data <file>', 'another text than the scenario’s', path('--data'))
    .option('--n-embd <n>', 'width: numbers per token', whole('--n-embd', 1, LIMITS.nEmbd))
    .option('--n-head <n>', 'attention heads', whole('--n-head', 1, LIMITS.nHead))
    .option('--n-layer <n>', 'layers', whole('--n-layer', 1, LIMITS.nLayer))
    .option('--block-size <n>', 'context length in tokens', whole('--block-size', 1, LIMITS.blockSize))
    .option(
      '--vocab-size <n>',
      'different tokens, without a scenario (default: 65)',
      whole('--vocab-size', 2, LIMITS.vocabSize),
    )
    .option('--batch-size <n>', 'examples per step', whole('--batch-size', 1, 65_536))
    .option(
      '-n, --steps <n>',
      'time only the first n steps of a run, and say how long the rest would take',
      whole('--steps', 1),
    )
    .option(
      '-b, --backend <names>',
      `what computes, separated by commas: ${BACKENDS.join(', ')} (default: ${DEFAULT_BACKEND})`,
      list('--backend', (flag) => oneOf(flag, [...BACKENDS, 'python', 'numpy'])),
    )
    .option(
      '--threads <numbers>',
      'thread counts of the wasm backend, separated by commas (default: 1 and all cores; with --steps, all cores)',
      list('--threads', (flag) => whole(flag, 1, 256)),
    )
    .option('--accelerate <how>', ACCELERATE_HELP, oneOf('--accelerate', ACCELERATE))
    .option(
      '--runs <n>',
      'runs of each measurement, of which the best and the median count (default: 5)',
      whole('--runs', 1, 1000),
    )
    .option('--json', 'print one JSON object instead of a table')
    .addHelpText(
      'after',
      `
Examples:
  microgpt bench names                                 the canonical model, as train runs it
  microgpt bench names --backend wasm,reference,value  every backend
  microgpt bench --scenario alice --steps 5            five steps, and what the full run would take
  microgpt bench --n-embd 128 --n-layer 4 --block-size 64 --batch-size 12 --threads 1,2
  microgpt bench names --json

GFLOP/s counts 6 operations for each matrix weight and token and 6·C·t·(t+1) of attention for each layer and sequence of t tokens.
The peak is the best 256 × 256 × 256 matrix product on the same backend and threads, measured before and after.`,
    )
    .action((scenario: string | undefined, flags: BenchFlags) =>
      runBench(eitherOf('the scenario', scenario, '--scenario', flags.scenario), flags),
    );
}

async function runBench(scenarioName: string | undefined, flags: BenchFlags): Promise<void> {
  if (scenarioName !== undefined && flags.vocabSize !== undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      '--vocab-size cannot be chosen with a scenario, whose texts decide it',
      'leave out --vocab-size or the scenario',
    );
  }
  const scenario = scenarioName === undefined ? null : await loadScenario(scenarioName);
  const { nEmbd, nHead, nLayer, blockSize } = flags;
  if (scenario === null && flags.data !== undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      '--data needs a scenario that says how to train',
      'name one: microgpt bench names --data FILE',
    );
  }
  const corpus = scenario === null ? undefined : await openScenario(scenario, flags.data);
  const job = createBenchJob({
    corpus,
    recipe: scenario?.recipe,
    settings: scenario?.settings,
    model: { nEmbd, nHead, nLayer, blockSize, vocabSize: flags.vocabSize },
    batchSize: flags.batchSize,
  });
  say(describe(job, scenario?.name));
  if (flags.steps !== undefined) {
    if (flags.runs !== undefined) unused('--runs', '--steps times the beginning of one run');
    if (flags.accelerate !== undefined) unused('--accelerate', '--steps times the backends by themselves');
  }
  if (flags.threads !== undefined && combinations(flags).every(([backend]) => backend !== 'wasm'))
    unused('--threads', 'only the wasm backend has more than one');
  const expected = expectedLoss(job);
  if (flags.steps !== undefined) return timeSteps(job, expected, scenario?.name, flags, flags.steps);
  const rows: BenchRow[] = [];
  for (const [backend, threads] of combinations(flags)) {
    say(`measuring ${backend}${backend === 'wasm' ? `, ${counted(threads, 'thread')}` : ''} …`);
    const row = bench(job, expected, backend, {
      now: () => performance.now(),
      runs: flags.runs ?? RUNS,
      threads: threads > 1 ? nodeThreads(threads) : undefined,
      products: backend === 'wasm' ? await openProducts(flags.accelerate, backend, threads) : undefined,
    });
    rows.push(row);
  }
  if (flags.json) result(JSON.stringify(report(job, scenario?.name, rows)));
  else for (const line of benchTable(job, rows)) result(line);
}

/** The first steps of a run, as the benchmark of the earlier scenario scripts times them. */
function timeSteps(
  job: BenchJob,
  expected: Expected,
  scenario: string | undefined,
  flags: BenchFlags,
  steps: number,
): void {
  const rows = combinations({ ...flags, threads: flags.threads ?? [availableParallelism()] }).map(
    ([backend, threads]) =>
      benchSteps(job, expected, backend, {
        now: () => performance.now(),
        steps,
        threads: threads > 1 ? nodeThreads(threads) : undefined,
      }),
  );
  if (flags.json) result(JSON.stringify({ ...about(job, scenario), rows }));
  else for (const line of rows.flatMap((row) => stepsLines(job, row))) result(line);
}

async function openScenario(scenario: FoundScenario, text: string | undefined) {
  const { data, bosPlace } = withOverrides<Settings>(RECIPES[scenario.recipe], scenario.settings);
  return openText(text ?? (await findScenarioText(scenario)), corpusOptions(data, bosPlace, undefined));
}

/** Backends and thread counts; only wasm has threads. */
function combinations(flags: BenchFlags): [BackendName, number][] {
  const threads = flags.threads ?? [...new Set([1, availableParallelism()])];
  const backends = new Set((flags.backend ?? [DEFAULT_BACKEND]).map(backendCalled) as BackendName[]);
  return [...backends].flatMap((name) =>
    (name === 'wasm' ? threads : [1]).map((n): [BackendName, number] => [name, n]),
  );
}

function describe({ config, batchSize, steps }: BenchJob, scenario: string | undefined): string {
  const { total } = parameterTable(config);
  return (
    `${scenario ?? 'made-up tokens'}: ${counted(total, 'parameter')} (${config.nLayer} × ${config.nEmbd} wide, ${config.nHead} heads, ` +
    `context ${config.blockSize}, ${config.vocabSize} tokens), ${batchSize} a step, ${counted(steps, 'step')}\n` +
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores`
  );
}

function report(job: BenchJob, scenario: string | undefined, rows: readonly BenchRow[]) {
  return { ...about(job, scenario), rows: rows.map((row) => ({ ...row, fullRun: roughly(row.fullRunSeconds) })) };
}

function about({ config, batchSize, steps }: BenchJob, scenario: string | undefined) {
  return {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    scenario: scenario ?? null,
    model: { ...config, parameters: parameterTable(config).total },
    batchSize,
    steps,
  };
}
