/**
 * microgpt train: a text in, a model file and twenty samples out.
 */
import { stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import { EXIT, MicrogptError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { requireJsonSize } from '../checkpoint/nested-json.js';
import { BACKENDS, type BackendName } from '../engine/engine.js';
import { createTraining, type Training } from '../engine/training.js';
import { readDocuments } from '../node/corpora.js';
import { requireWritable } from '../node/files.js';
import { saveModel } from '../node/models.js';
import { loadScenario } from '../node/scenarios.js';
import { nodeThreads } from '../node/threads.js';
import { RECIPES, type RecipeName } from '../train/recipes.js';
import { count, duration, result, say, size } from './output.js';
import { createProgress, type Progress } from './progress.js';
import { alias, decimal, oneOf, path, seed, whole } from './values.js';

interface TrainFlags {
  readonly data?: string;
  readonly output?: string;
  readonly recipe?: RecipeName;
  readonly steps?: number;
  readonly seed?: bigint;
  readonly lr?: number;
  readonly nEmbd?: number;
  readonly nHead?: number;
  readonly nLayer?: number;
  readonly blockSize?: number;
  readonly batchSize?: number;
  readonly backend?: BackendName | 'auto';
  readonly threads?: number;
}

const SAMPLES = 20;
const YIELD_MS = 50; // how often signals get a chance

export function addTrain(program: Command, exit: (code: number) => void): void {
  const command = program
    .command('train')
    .summary('train a model on a text and save it')
    .description(
      'Trains a model on a text with one example per line, saves it as model.json and prints 20 samples of it.',
    )
    .argument('[scenario]', 'what to train on: names')
    .option('--data <file>', 'text to train on instead, one example per line', path('--data'))
    .option('--output <path>', 'where to save (default: models/<scenario or file name>/model.json)', path('--output'))
    .option(
      '--recipe <name>',
      `settings to start from: ${Object.keys(RECIPES).join(', ')}`,
      oneOf('--recipe', recipeNames()),
    )
    .option('--steps <n>', 'training steps', whole('--steps', 1))
    .option('--seed <n>', 'same seed, same model (default: 42)', seed('--seed'))
    .option('--lr <x>', 'learning rate at the first step', decimal('--lr', 0, 10, true))
    .option('--n-embd <n>', 'width: numbers per token', whole('--n-embd', 1, LIMITS.nEmbd))
    .option('--n-head <n>', 'attention heads', whole('--n-head', 1, LIMITS.nHead))
    .option('--n-layer <n>', 'layers', whole('--n-layer', 1, LIMITS.nLayer))
    .option('--block-size <n>', 'context length in tokens', whole('--block-size', 1, LIMITS.blockSize))
    .option('--batch-size <n>', 'examples per step', whole('--batch-size', 1, 65_536))
    .option(
      '--backend <name>',
      `what computes: ${[...BACKENDS, 'auto'].join(', ')}`,
      oneOf('--backend', [...BACKENDS, 'auto']),
    )
    .option(
      '--threads <n>',
      'threads for large models; any number gives the same model (default: all cores)',
      whole('--threads', 1, 256),
    )
    .addHelpText(
      'after',
      `
Examples:
  microgpt train names                       the names that come with microgpt, by the canonical recipe
  microgpt train --data pets.txt             your own text, one example per line
  microgpt train names --steps 200 --seed 7  shorter, and another model
  microgpt train names --backend value       one number at a time, as in the lesson (slow)

Ctrl-C saves what there is and stops.`,
    )
    .action(async (scenario: string | undefined, flags: TrainFlags) => exit(await train(scenario, flags)));
  alias(command, '--data', '--input');
}

async function train(scenarioName: string | undefined, flags: TrainFlags): Promise<number> {
  if (scenarioName === undefined && flags.data === undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      'train needs something to train on',
      'try microgpt train names, or microgpt train --data FILE',
    );
  }
  const scenario = scenarioName === undefined ? null : await loadScenario(scenarioName);
  const source = flags.data ?? scenario!.data;
  const output = await outputPath(flags.output, scenario?.name ?? basename(source, extname(source)));

  const documents = await readDocuments(source);
  const training = createTraining({
    documents,
    source: flags.data ?? scenario!.name,
    recipe: flags.recipe ?? scenario?.recipe,
    model: {
      nEmbd: flags.nEmbd,
      nHead: flags.nHead,
      nLayer: flags.nLayer,
      blockSize: flags.blockSize,
    },
    steps: flags.steps,
    seed: flags.seed,
    learningRate: flags.lr,
    batchSize: flags.batchSize,
    backend: flags.backend,
    threads: nodeThreads(flags.threads),
  });
  requireJsonSize(training.parameters);
  await requireWritable(output);
  describe(training, flags.data ?? scenario!.description, output);
  try {
    return await runAndSave(training, output);
  } finally {
    training.close();
  }
}

/** Trains to the end or to the first signal; gives the number of steps done. */
async function follow(training: Training, progress: Progress, signal: AbortSignal): Promise<number> {
  let done = 0;
  let paused = performance.now();
  try {
    for await (const event of training.events({ signal })) {
      if (event.type === 'step') progress.step(event);
      else done = event.step;
      if (performance.now() - paused < YIELD_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      paused = performance.now();
    }
  } finally {
    progress.end();
  }
  return done;
}

async function runAndSave(training: Training, output: string): Promise<number> {
  const started = performance.now();
  const signals = listenForSignals();
  const progress = createProgress(process.stderr, () => performance.now());
  try {
    const done = await follow(training, progress, signals.signal);
    const took = readableSeconds((performance.now() - started) / 1000);
    if (done < training.steps) return await saveInterrupted(training, output, done, signals.exitCode());
    const bytes = await saveModel(output, training.checkpoint());
    say(`saved ${output} (${size(bytes)}) after ${count(done)} steps, ${took}`);
  } finally {
    signals.forget();
  }
  for (const text of training.samples(SAMPLES)) result(text);
  say(`more of them: microgpt generate --model ${output} --seed 1`);
  return EXIT.ok;
}

/** A finished model is never replaced by an unfinished one: that goes beside it. */
async function saveInterrupted(training: Training, output: string, done: number, exitCode: number): Promise<number> {
  if (done === 0) {
    say('stopped before the first step: nothing to save');
    return exitCode;
  }
  const there = await stat(output).catch(() => null);
  const path = there === null ? output : `${output.replace(/\.json$/, '')}.interrupted.json`;
  const bytes = await saveModel(path, training.checkpoint());
  say(`saved ${path} (${size(bytes)}) after ${count(done)} of ${count(training.steps)} steps`);
  if (path !== output) say(`  ${output} is as it was`);
  say(`  try it:           microgpt generate --model ${path}`);
  say(
    '  train to the end: give the same command again; it starts over and goes the same way (a model.json keeps no optimizer state)',
  );
  return exitCode;
}

function readableSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.ceil(seconds * 1000)} ms`;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

/** The first signal ends the run after the step in progress, the second at once. */
function listenForSignals() {
  const controller = new AbortController();
  let code: number = EXIT.ok;
  const codes = { SIGINT: EXIT.sigint, SIGTERM: EXIT.sigterm, SIGHUP: EXIT.sighup } as const;
  const handlers = Object.entries(codes).map(([name, exitCode]) => {
    const handler = () => {
      if (controller.signal.aborted) process.exit(exitCode);
      code = exitCode;
      controller.abort();
    };
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  return {
    signal: controller.signal,
    exitCode: () => code,
    forget: () => {
      for (const off of handlers) off();
    },
  };
}

function describe(training: Training, about: string, output: string): void {
  const { config, engine } = training;
  say(about);
  say(
    `${count(training.documents)} documents, ${config.vocabSize} tokens, ${count(training.parameters)} parameters ` +
      `(${config.nLayer} layer${config.nLayer === 1 ? '' : 's'}, ${config.nEmbd} wide, ${config.nHead} heads, context ${config.blockSize})`,
  );
  say(
    `recipe ${training.recipe.name}, ${engine.backend} backend, seed ${training.seed}; a loss of ${Math.log(config.vocabSize).toFixed(2)} means it knows nothing`,
  );
  say(`will be saved as ${output}`);
}

async function outputPath(given: string | undefined, name: string): Promise<string> {
  if (given === undefined) return join('models', name, 'model.json');
  const isFolder = /[\\/]$/.test(given) || (await stat(given).catch(() => null))?.isDirectory() === true;
  return isFolder ? join(given, 'model.json') : given;
}

function recipeNames(): RecipeName[] {
  return Object.keys(RECIPES) as RecipeName[];
}
