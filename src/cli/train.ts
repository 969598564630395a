/**
 * microgpt train: a text in; a run folder with the model, its log and its checkpoints out, and samples of what it learned.
 */
import { stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint, FormatName } from '../checkpoint/checkpoint.js';
import { encodeModel, formatForPath } from '../checkpoint/formats.js';
import { createTraining, type Training, type TrainingOptions } from '../engine/training.js';
import { guessFileFormat, openCorpus } from '../node/corpus.js';
import { requireWritable } from '../node/files.js';
import { loadModel } from '../node/models.js';
import { type FoundScenario, findScenarioText, loadScenario, loadScenarioFile } from '../node/scenarios.js';
import { nodeThreads } from '../node/threads.js';
import type { Ranks } from '../train/ranks.js';
import { RECIPES, type RecipeName } from '../train/recipes.js';
import { type DataSettings, type Overrides, type Settings, withOverrides } from '../train/settings.js';
import { openProducts } from './accelerate.js';
import { note } from './output.js';
import { addTrainFlags, backendCalled, corpusOptions, settingsOf, type TrainFlags } from './train-flags.js';
import { amongRanks } from './train-ranks.js';
import { resumeTraining } from './train-resume.js';
import { runTraining } from './train-run.js';
import { stepsThatFit } from './train-time.js';

export function addTrain(program: Command, exit: (code: number) => void): void {
  const command = program
    .command('train')
    .summary('train a model on a text and save it')
    .description('Trains a model on a text, keeps the run in a folder, and prints samples of what it learned.')
    .argument('[scenario]', 'what to train on: names, stories, chat, alice, bytes');
  addTrainFlags(command);
  command
    .addHelpText(
      'after',
      `
Examples:
  microgpt train names                       the names that come with microgpt, by the canonical recipe
  microgpt train --data pets.txt             your own text, one example per line
  microgpt train --data book.txt --format chunked --time 5m
  microgpt train --data talks.jsonl --chat   conversations, to chat with
  microgpt train names --time 10s            a better model of the names, in ten seconds
  microgpt train --resume models/names       go on with a run that was stopped

Ctrl-C finishes the step, saves and says how to go on; a second one leaves at once.`,
    )
    .action(async (scenario: string | undefined, flags: TrainFlags) =>
      exit(await amongRanks(flags, (own, ranks) => train(scenario ?? flags.scenario, own, ranks))),
    );
}

async function train(scenarioName: string | undefined, flags: TrainFlags, ranks: Ranks | undefined): Promise<number> {
  if (flags.resume !== undefined) return resumeTraining(flags.resume, scenarioName, flags, ranks);
  const scenario = await scenarioOf(scenarioName, flags);
  const path = flags.data ?? (await findScenarioText(scenario as FoundScenario));
  const initFrom = flags.initFrom === undefined ? undefined : await openStart(flags.initFrom);
  const recipe = recipeOf(scenario, flags);
  const asked = withOverrides<Overrides<Settings>>(scenario?.settings ?? {}, settingsOf(flags));
  const name = scenario?.name ?? basename(path, extname(path));
  if (flags.output !== undefined) {
    await outputFormat(flags.output);
    if (!/[\\/]$/.test(flags.output)) await requireWritable(flags.output);
  }

  const base = RECIPES[recipe];
  const format = asked.data?.format ?? (scenario === null ? formatOf(path) : base.data.format);
  const data: DataSettings = { ...withOverrides(base.data, asked.data), format };
  const corpus = await openCorpus(path, corpusOptions(data, base.bosPlace, initFrom));
  try {
    const backend = backendCalled(flags.backend ?? scenario?.backend);
    const threads = nodeThreads(flags.threads);
    const options: TrainingOptions = {
      corpus,
      recipe,
      settings: withOverrides<Overrides<Settings>>(asked, { data: { format } }),
      seconds: flags.time,
      seed: flags.seed,
      backend,
      threads,
      products: await openProducts(flags.accelerate, backend, threads.count),
      ranks,
      initFrom,
    };
    const training = await startTraining(options, flags);
    // Rather now than after hours: some formats hold only some models.
    if (flags.output !== undefined) encodeModel(training.checkpoint(), await outputFormat(flags.output), flags.output);
    return await runTraining(training, {
      name,
      about: scenario?.description || `${basename(path)}, read as ${format}`,
      dataPath: path,
      folder: flags.run ?? join('models', name),
      resume: null,
      flags,
      ranks,
    });
  } finally {
    await corpus.close();
  }
}

async function startTraining(options: TrainingOptions, flags: TrainFlags): Promise<Training> {
  if (flags.time === undefined || flags.steps !== undefined) return createTraining(options);
  const steps = await stepsThatFit(options, flags.time);
  return createTraining({ ...options, steps });
}

async function scenarioOf(name: string | undefined, flags: TrainFlags): Promise<FoundScenario | null> {
  if (flags.config !== undefined && name !== undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      `"${name}" and --config ${flags.config} both say what to train on`,
      'leave one of them out',
    );
  }
  if (flags.config !== undefined) return loadScenarioFile(flags.config);
  if (name !== undefined) return loadScenario(name);
  if (flags.data !== undefined) return null;
  throw new MicrogptError(
    'MG_CLI_USAGE',
    'train needs something to train on',
    'try microgpt train names, or microgpt train --data FILE',
  );
}

/** The scenario's; ours where there is none, or where a time is given that the scenario's fixed sizes would not use well. */
function recipeOf(scenario: FoundScenario | null, flags: TrainFlags): RecipeName {
  if (flags.recipe !== undefined) return flags.recipe;
  if (scenario === null || (flags.time !== undefined && scenario.recipe === 'canonical')) return 'standard';
  return scenario.recipe;
}

function formatOf(path: string): DataSettings['format'] {
  const { format, because } = guessFileFormat(path);
  note(`read as ${format}: ${because}; choose another with --format`);
  return format;
}

async function outputFormat(path: string): Promise<FormatName> {
  return formatForPath(path, (await stat(path).catch(() => null))?.isDirectory() === true);
}

async function openStart(path: string): Promise<Checkpoint> {
  const { checkpoint, notes } = await loadModel(path);
  for (const sentence of notes) note(sentence);
  return checkpoint;
}
