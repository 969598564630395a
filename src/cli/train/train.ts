/**
 * microgpt train: a text in; a run folder with the model, its log and its checkpoints out, and samples of what it learned.
 */
import { stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import { MicrogptError } from '../../base/errors.js';
import type { Checkpoint, FormatName } from '../../checkpoint/checkpoint.js';
import { encodeModel, formatForPath } from '../../checkpoint/formats.js';
import { createTraining, type Training, type TrainingOptions } from '../../engine/training.js';
import { findModel } from '../../node/bundled-models.js';
import { requireWritable } from '../../node/files.js';
import { loadModel } from '../../node/models.js';
import { type FoundScenario, findScenarioText, loadScenario, loadScenarioFile } from '../../node/scenarios.js';
import { nodeThreads } from '../../node/threads.js';
import { isFollower } from '../../train/ranks.js';
import { RECIPES, type RecipeName } from '../../train/recipes.js';
import {
  type DataFormat,
  type DataSettings,
  type Overrides,
  type Settings,
  withOverrides,
} from '../../train/settings.js';
import { openProductsAmong } from '../accelerate.js';
import { count, counted, note } from '../output.js';
import { firstRowNotes } from '../table-flags.js';
import { eitherOf } from '../values.js';
import { refuseCppFlags, trainAsCpp } from './cpp.js';
import { defaultsTable } from './defaults.js';
import { addTrainFlags, backendCalled, corpusOptions, settingsOf, type TrainFlags } from './flags.js';
import { amongRanks, sharedModel, type WatchedRanks } from './ranks.js';
import { resumeTraining } from './resume.js';
import { runTraining } from './run.js';
import { formatOf, openText, requireReadable } from './text.js';
import { stepsThatFit } from './time.js';
import { unpackRun } from './unpack.js';

/** `among` finds out whether other processes train along, and calls what it is given. */
export function addTrain(program: Command, exit: (code: number) => void, among: typeof amongRanks = amongRanks): void {
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

Recipes: a text of your own is trained on by standard, a scenario by its own (names: canonical).
${defaultsTable()}

Ctrl-C finishes the step, saves and says how to go on; a second one leaves at once.`,
    )
    .action(async (scenario: string | undefined, flags: TrainFlags) =>
      exit(
        await among(flags, (own, ranks) =>
          train(eitherOf('the scenario', scenario, '--scenario', own.scenario), own, ranks),
        ),
      ),
    );
}

async function train(
  scenarioName: string | undefined,
  given: TrainFlags,
  ranks: WatchedRanks | undefined,
): Promise<number> {
  if (given.compat === 'cpp') return trainAsCpp(scenarioName, given);
  refuseCppFlags(given);
  refuseContradictions(given);
  if (given.resume !== undefined) {
    const goesOn = isFollower(ranks) ? { folder: given.resume, flags: given } : await unpackRun(given.resume, given);
    return resumeTraining(goesOn.folder, scenarioName, goesOn.flags, ranks);
  }
  // The run's record says which file it was, not what it was called. Only rank 0 looks: the others may not have it.
  const isNamed = given.initFrom !== undefined && !isFollower(ranks);
  const flags = isNamed ? { ...given, initFrom: (await findModel(given.initFrom)).path } : given;
  const scenario = await scenarioOf(scenarioName, flags);
  const path = flags.data ?? (await findScenarioText(scenario as FoundScenario));
  const { initFrom: from, activation } = flags;
  const initFrom = from === undefined ? undefined : await sharedModel(ranks, () => openStart(from, activation));
  const recipe = recipeOf(scenario, flags);
  const asked = withOverrides<Overrides<Settings>>(scenario?.settings ?? {}, settingsOf(flags));
  const name = scenario?.name ?? basename(path, extname(path));
  const writes = flags.output !== undefined && !isFollower(ranks);
  if (writes) {
    const isFolder = (await outputFormat(flags.output)) === 'weights.json + meta.json';
    await requireWritable(isFolder ? join(flags.output, 'meta.json') : flags.output);
  }

  const base = RECIPES[recipe];
  const stated = asked.data?.format ?? (scenario === null ? undefined : base.data.format);
  const { format, notes } =
    stated === undefined
      ? formatOf(path, initFrom?.tokenizer, flags.encoding === 'lossy')
      : { format: stated, notes: [] as string[] };
  if (initFrom !== undefined) requireReadable(format, initFrom.tokenizer, flags.initFrom as string);
  const data: DataSettings = { ...withOverrides(base.data, asked.data), format };
  // How the text was read may be what is wrong, unless it was read as most texts are.
  const explained = (error: unknown): never => {
    if (format !== 'lines') for (const sentence of notes) note(sentence);
    throw error;
  };
  const reading = corpusOptions(data, base.bosPlace, initFrom, flags.unknown);
  notes.push(...firstRowNotes(reading));
  const corpus = await openText(path, reading).catch(explained);
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
      products: await openProductsAmong(ranks, flags.accelerate, backend, threads.count),
      ranks,
      initFrom,
    };
    const training = await startTraining(options, flags).catch(explained);
    try {
      if (flags.time !== undefined && flags.steps === undefined) notes.push(repeatNote(flags.time, training.steps));
      notes.push(...unusedNotes(training, flags, initFrom));
      // Rather now than after hours: some formats hold only some models.
      if (writes) encodeModel(training.checkpoint(), await outputFormat(flags.output), flags.output);
    } catch (error) {
      training.close();
      throw error;
    }
    return await runTraining(training, {
      name,
      about: aboutRun(scenario, recipe, flags, path, format),
      notes,
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

/** The first line: what is trained on. A scenario's own words are about its own text. */
function aboutRun(
  scenario: FoundScenario | null,
  recipe: RecipeName,
  { data }: TrainFlags,
  path: string,
  format: string,
): string {
  if (scenario === null) return `${basename(path)}, read as ${format}`;
  if (recipe !== scenario.recipe) return `${basename(path)}, by the ${recipe} recipe`;
  if (data === undefined && scenario.description !== '') return scenario.description;
  return `${basename(path)}, by the settings of scenario ${scenario.name}`;
}

async function startTraining(options: TrainingOptions, flags: TrainFlags): Promise<Training> {
  if (flags.time === undefined || flags.steps !== undefined) return createTraining(options);
  const steps = await stepsThatFit(options, flags.time);
  return createTraining({ ...options, steps });
}

const repeatNote = (time: number, steps: number): string =>
  `${counted(steps, 'step')} fit into ${time} s on this machine; --steps ${steps} beside --time gives the same run again, to the bit`;

/** Flags that change nothing, since something else decides. @throws MG_CLI_USAGE for looks at held-out text where none is held out */
function unusedNotes({ settings, config }: Training, flags: TrainFlags, initFrom: Checkpoint | undefined): string[] {
  const looks = flags.patience ? '--patience' : flags.evalEvery ? '--eval-every' : null;
  if (looks !== null && settings.data.validation === 0) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      `${looks} looks at held-out text, and the ${settings.recipe} recipe holds none out`,
      'add --validation 0.1, or leave it out',
    );
  }
  const notes: string[] = [];
  if (initFrom !== undefined) {
    for (const [flag, name] of SIZES) {
      if (flags[name] !== undefined && flags[name] !== config[name])
        notes.push(`${flag} ${flags[name]} is not used: the model that training starts from has ${config[name]}`);
    }
  }
  for (const [flag, name, formats] of READING) {
    if (flags[name] !== undefined && !formats.includes(settings.data.format))
      notes.push(`${flag} is not used: the text is read as ${settings.data.format}`);
  }
  if (flags.unknown !== undefined && initFrom === undefined)
    notes.push('--unknown is not used: without --init-from the model learns every character of the text');
  if (flags.minLr !== undefined && settings.schedule === 'constant')
    notes.push('--min-lr is not used: the learning rate stays as it is (--schedule constant)');
  if (settings.warmup > settings.steps)
    notes.push(`the warm-up takes ${counted(settings.warmup, 'step')}, and the run has only ${count(settings.steps)}`);
  if (settings.accumulate > settings.batchSize)
    notes.push(`a batch of ${settings.batchSize} cannot be computed in ${settings.accumulate} parts: one example each`);
  return notes;
}

const SIZES = [
  ['--n-embd', 'nEmbd'],
  ['--n-head', 'nHead'],
  ['--n-layer', 'nLayer'],
  ['--block-size', 'blockSize'],
] as const;

/** What says how to read a text, and the formats that ask. */
const READING: readonly (readonly [
  string,
  'column' | 'header' | 'chunkSize' | 'chunkOverlap' | 'lossOn' | 'encoding',
  readonly DataFormat[],
])[] = [
  ['--column', 'column', ['csv', 'tsv']],
  ['--header', 'header', ['csv', 'tsv']],
  ['--encoding', 'encoding', ['lines', 'chunked', 'chat', 'csv', 'tsv']],
  ['--chunk-size', 'chunkSize', ['chunked']],
  ['--chunk-overlap', 'chunkOverlap', ['chunked']],
  ['--loss-on', 'lossOn', ['chat']],
];

/** @throws MG_CLI_USAGE for flags of which one would silently take the place of another, or that have no meaning here */
function refuseContradictions({ chat, format, resume, allowChanged, unknown }: TrainFlags): void {
  const refuse = (message: string, remedy: string): never => {
    throw new MicrogptError('MG_CLI_USAGE', message, remedy);
  };
  if (chat && format !== undefined && format !== 'chat')
    refuse(`--chat is --format chat, and --format is ${format}`, 'leave one of them out');
  if (resume === undefined && allowChanged !== undefined)
    refuse('--allow-changed is for a run that goes on', 'add --resume RUN, or leave it out');
  if (resume !== undefined && unknown !== undefined)
    refuse('--unknown is for --init-from, and --resume goes on with the characters of the run', 'leave it out');
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

async function outputFormat(path: string): Promise<FormatName> {
  return formatForPath(path, (await stat(path).catch(() => null))?.isDirectory() === true);
}

/** `activation` is for files that do not say theirs. */
async function openStart(path: string, activation: TrainFlags['activation']): Promise<Checkpoint> {
  const { checkpoint, notes } = await loadModel(path, { activation });
  for (const sentence of notes) note(sentence);
  return checkpoint;
}
