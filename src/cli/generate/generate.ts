/**
 * microgpt generate: samples from a model file, on stdout as they come.
 */
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { MicrogptError } from '../../base/errors.js';
import type { Decoded } from '../../checkpoint/checkpoint.js';
import type { StreamOptions } from '../../engine/stream.js';
import { inOrder, stream } from '../../engine/stream.js';
import { ACTIVATIONS, type ModelConfig } from '../../model/config.js';
import { BUNDLED_MODELS, type BundledModel, findModel } from '../../node/bundled-models.js';
import { readDocuments } from '../../node/corpora.js';
import { loadModel, modelsByAge } from '../../node/models.js';
import { findScenarioText, loadScenario } from '../../node/scenarios.js';
import { readPrompt } from '../../tokenizer/small-letters.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import { trainingLines } from '../held-out.js';
import { note, unused } from '../output.js';
import { saysOfReading } from '../prompt-notes.js';
import { alias, oneOf, path, written } from '../values.js';
import { addGenerateFlags, type GenerateFlags, samplingOf, saysOfUnused, seedOf } from './flags.js';
import { createSamplePrinter } from './sample-printer.js';

export interface ModelFlags {
  readonly model?: string;
  readonly scenario?: string;
  readonly activation?: ModelConfig['activation'];
}

export function addGenerate(program: Command): void {
  const command = program
    .command('generate')
    .summary('print new samples from a model')
    .description('Prints new samples from a model, one per line. The same seed always gives the same samples.');
  addModelFlags(command);
  addGenerateFlags(command)
    .addHelpText(
      'after',
      `
Examples:
  microgpt generate                            20 samples from the newest model in ./models
  microgpt generate -n 5 --prompt an           5 that begin with "an"
  microgpt generate --model models/names --temperature 0.8 --seed 7
  microgpt generate -n 10 --unique --matches '[a-m]{4,6}' --ends-with a
  microgpt generate --scenario alice -n 1 --chain --max-tokens 1000 --prompt "Alice "

Every sample that is printed meets all of --min-length … --exclude. When there are fewer than asked for, the exit code is 3.
Filters come in this order: bias, ASCII, temperature, repetition penalty, top-k, top-p, min-p.`,
    )
    .action((flags: GenerateFlags & ModelFlags) => printSamples(flags));
}

/** --model and what belongs to it, for every command that opens a model. */
export function addModelFlags(command: Command): Command {
  command
    .option(
      '-m, --model <path>',
      'a model file, its folder, or a name: of a model in ./models, or names or chat, which come with microgpt (default: the newest in ./models or ./model.json, else a bundled one)',
      path('--model'),
    )
    .option('-s, --scenario <name>', 'the model that this scenario was trained to, in ./models', path('--scenario'))
    .option(
      '--activation <name>',
      `for files that do not say theirs: ${ACTIVATIONS.join(', ')}`,
      oneOf('--activation', ACTIVATIONS),
    );
  alias(command, '--model', '--model-dir');
  alias(command, '--model', '--load');
  return command;
}

/**
 * Opens the model that the flags name, or the one found without (see `findModel`); says on stderr what it had to find or assume.
 * For `chat`, models that were found and not asked for are passed over when they are none of conversations.
 */
export async function openModel(
  { model, scenario, activation }: ModelFlags,
  usual: BundledModel['name'] = 'names',
): Promise<Decoded & { readonly path: string }> {
  const asked = model ?? (await scenarioModel(scenario));
  if (model !== undefined && scenario !== undefined)
    unused(`--scenario ${scenario}`, `--model ${model} says which model`);
  let { path, bundled } = await findModel(asked, { usual });
  let decoded = await loadModel(path, { activation });
  if (usual === 'chat' && asked === undefined && decoded.checkpoint.tokenizer.roles === null) {
    note(`${path} was not trained on conversations`);
    const chat = bundled === null ? await newestOfConversations() : null;
    if (chat === null) bundled = BUNDLED_MODELS.find(({ name }) => name === usual)!;
    path = chat ?? bundled!.path;
    decoded = await loadModel(path);
  }
  if (bundled !== null) note(usesBundled(bundled));
  else if (path !== model) note(`using ${path}`);
  for (const sentence of decoded.notes) note(sentence);
  return { ...decoded, path };
}

/** Null when there is none here. One that cannot be read is passed over: nobody has asked for it. */
async function newestOfConversations(): Promise<string | null> {
  for (const path of await modelsByAge('.')) {
    const loaded = await loadModel(path).catch(() => null);
    if (loaded !== null && loaded.checkpoint.tokenizer.roles !== null) return path;
  }
  return null;
}

/** What is used and how to have one's own, for every command that falls back on a model of the package. */
export function usesBundled({ name, about, ownModel }: BundledModel): string {
  return `using ${name}, ${about} that comes with microgpt; train your own: ${ownModel}`;
}

/** Where `train NAME` saves. @throws MG_CLI_SCENARIO, MG_FILE_MISSING */
async function scenarioModel(name: string | undefined): Promise<string | undefined> {
  if (name === undefined) return undefined;
  await loadScenario(name);
  const path = join('models', name);
  if ((await stat(path).catch(() => null)) !== null) return path;
  throw new MicrogptError(
    'MG_FILE_MISSING',
    `scenario ${name} has not been trained here: there is no ${path}`,
    `train it first: microgpt train ${name}`,
  );
}

async function printSamples(flags: GenerateFlags & ModelFlags): Promise<void> {
  // Beside --model, the scenario names the text that no sample may come from.
  const { scenario, ...named } = flags;
  const opened = await openModel(flags.model !== undefined && flags.notInTraining === true ? named : flags);
  const { tokenizer, config } = opened.checkpoint;
  const options = await optionsOf(flags, opened);
  saysOfReading(tokenizer, flags.prompt, true, options.compat !== undefined);
  saysOfUnused(flags);
  if (flags.compat === 'cpp') saysOfCpp(flags);
  saysOfLength(options, tokenizer, config.blockSize);
  if (flags.json) return await printJson(opened.checkpoint, options, flags);
  const printer = createSamplePrinter(process.stdout, tokenizer, {
    escape: flags.escapeBytes === true,
    bytes: flags.compat === 'cpp',
    top: flags.printNextTop ?? 0,
    everyStep: flags.printNextTopEachStep === true,
  });
  try {
    for await (const event of inOrder(stream(opened.checkpoint, options))) await printer.print(event);
  } finally {
    await printer.flush();
  }
}

/** One sample, one line. @throws MG_CLI_USAGE beside flags that change how text looks */
async function printJson(model: Decoded['checkpoint'], options: StreamOptions, flags: GenerateFlags): Promise<void> {
  const other = (['escapeBytes', 'printNextTop', 'printNextTopEachStep'] as const).find((name) => flags[name]);
  if (other !== undefined) {
    throw new MicrogptError('MG_CLI_USAGE', `${written(other)} and --json exclude each other`, 'leave one of them out');
  }
  let text = '';
  for await (const event of inOrder(stream(model, options))) {
    text += event.text;
    if (event.end === null) continue;
    const line = `${JSON.stringify({ sample: event.sample, text, end: event.end })}\n`;
    text = '';
    if (!process.stdout.write(line)) await once(process.stdout, 'drain');
  }
}

/** What the byte-level trainer does in its own way whatever else is asked. */
function saysOfCpp({ prompt, chain, chainContext, stopToken, stopAtBos }: GenerateFlags): void {
  if (prompt === '') note('--compat cpp writes nothing without --prompt, as that program does');
  if (chain || chainContext !== undefined)
    unused(
      chain ? '--chain' : '--chain-context',
      'with --compat cpp the context slides by one token, as in that program',
    );
  if (stopToken !== undefined || !stopAtBos)
    unused(stopToken === undefined ? '--no-stop-at-bos' : '--stop-token', 'with --compat cpp no token ends a sample');
}

async function optionsOf(
  flags: GenerateFlags & ModelFlags,
  { checkpoint: model, format, path }: Decoded & { readonly path: string },
): Promise<StreamOptions> {
  const { compat } = flags;
  const cpp = compat === 'cpp';
  const { printNextTop, printNextTopEachStep } = flags;
  return {
    samples: flags.samples ?? (cpp || flags.chain || flags.chainContext !== undefined ? 1 : 20),
    temperature: flags.temperature ?? (cpp ? 1 : 0.5),
    seed: seedOf(flags) ?? (cpp ? 1 : 42),
    compat: compat === 'python' && format === 'flat model.json' ? 'python-scenario' : compat,
    prompt: flags.prompt,
    maxTokens: flags.maxTokens,
    chain: flags.chainContext ?? flags.chain,
    stop: flags.stop,
    stopTokens: flags.stopToken,
    stopAtBos: flags.stopAtBos,
    ...samplingOf(flags, model.tokenizer),
    minLength: flags.minLength,
    maxLength: flags.maxLength,
    startsWith: flags.startsWith,
    endsWith: flags.endsWith,
    matches: flags.matches,
    unique: flags.unique,
    exclude: flags.exclude === undefined ? undefined : await readDocuments(flags.exclude),
    notInTraining: flags.notInTraining && (await trainingTexts(flags, model, path)),
    top: printNextTop || (printNextTopEachStep ? 10 : 0),
  };
}

/** The texts that the model has learned from: those that are named, those of its run, or those of its scenario. */
async function trainingTexts(
  { notInTraining, scenario }: GenerateFlags & ModelFlags,
  model: Decoded['checkpoint'],
  path: string,
): Promise<readonly string[]> {
  if (typeof notInTraining === 'string') return await readDocuments(notInTraining);
  const found = await trainingLines(model, path);
  if ('lines' in found) return found.lines;
  if (scenario !== undefined) return await readDocuments(await findScenarioText(await loadScenario(scenario)));
  throw new MicrogptError(
    'MG_CLI_USAGE',
    `--not-in-training does not know what the model was trained on: ${found.why}`,
    'name the text: --not-in-training FILE, or the scenario: --scenario NAME',
  );
}

function saysOfLength({ chain, compat, prompt = '' }: StreamOptions, tokenizer: Tokenizer, blockSize: number): void {
  const { ids } = compat === undefined ? readPrompt(tokenizer, prompt) : tokenizer.encode(prompt);
  const hasBos = tokenizer.bos !== null;
  const room = blockSize - (hasBos ? 1 : 0);
  if (ids.length <= room || chain || compat === 'cpp') return;
  note(
    `the prompt has ${ids.length} tokens and the context holds ${room}${hasBos ? ' after BOS' : ''}: the model reads the first ${room}; with --chain, the last`,
  );
}
