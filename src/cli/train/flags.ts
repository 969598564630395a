/**
 * The flags of microgpt train, and what they change in the settings of a run.
 */
import type { Command } from 'commander';
import { LIMITS } from '../../base/limits.js';
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import type { CorpusOptions } from '../../data/corpus.js';
import { BACKENDS, type BackendName } from '../../engine/engine.js';
import type { SampleOptions } from '../../engine/training-samples.js';
import { ACTIVATIONS, type ModelConfig } from '../../model/config.js';
import { RECIPES, type RecipeName } from '../../train/recipes.js';
import {
  DATA_FORMATS,
  type DataFormat,
  type DataSettings,
  type Overrides,
  type Settings,
} from '../../train/settings.js';
import { ACCELERATE, ACCELERATE_HELP, type Accelerate } from '../accelerate.js';
import { onOff } from '../generate/flags.js';
import { addTableFlags, headerOf, type TableFlags, tableOptions } from '../table-flags.js';
import { alias, decimal, oneOf, path, seconds, seed, whole } from '../values.js';

export interface TrainFlags extends TableFlags {
  readonly scenario?: string;
  readonly config?: string;
  readonly data?: string;
  readonly format?: DataFormat;
  readonly chat?: true;
  readonly chunkSize?: number;
  readonly chunkOverlap?: number;
  readonly lossOn?: 'assistant' | 'all';
  readonly encoding?: 'strict' | 'lossy';
  readonly unknown?: 'skip' | 'error';
  readonly validation?: number;

  readonly recipe?: RecipeName;
  readonly nEmbd?: number;
  readonly nHead?: number;
  readonly nLayer?: number;
  readonly blockSize?: number;
  readonly activation?: ModelConfig['activation'];

  readonly steps?: number;
  readonly time?: number;
  readonly batchSize?: number;
  readonly gradAccum?: number;
  readonly lr?: number;
  readonly minLr?: number;
  readonly schedule?: Settings['schedule'];
  readonly warmup?: number;
  readonly weightDecay?: number;
  readonly clip?: number;
  readonly dropout?: number;
  readonly evalEvery?: number;
  readonly patience?: number;
  readonly seed?: bigint;
  readonly backend?: BackendName | 'auto' | 'python' | 'numpy';
  readonly threads?: number;
  readonly accelerate?: Accelerate;

  readonly run?: string;
  readonly output?: string;
  readonly resume?: string;
  readonly allowChanged?: 'data';
  readonly initFrom?: string;
  readonly stopAfter?: number;
  readonly saveEvery?: number;
  readonly keep: number;
  readonly overwrite?: true;
  readonly samples?: number;
  readonly sampleEvery?: number;
  readonly prompt?: string;
  readonly gen?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly json?: true;
  readonly eta: boolean;
  readonly timing?: true;
  readonly compat?: 'cpp';
  readonly saveOpt?: boolean;
  readonly asciiOnly?: boolean;
  readonly escapeBytes?: boolean;
  readonly printNextTop?: number;
  readonly printNextTopEachStep?: boolean;
}

/** What the backends were called in the earlier system. */
const OLD_BACKENDS = { python: 'value', numpy: 'wasm' } as const;

export function backendCalled(name: string | null | undefined): BackendName | 'auto' {
  if (name === undefined || name === null) return 'auto';
  return (Object.hasOwn(OLD_BACKENDS, name) ? OLD_BACKENDS[name as 'python'] : name) as BackendName | 'auto';
}

export function addTrainFlags(command: Command): void {
  command
    .optionsGroup('What to train on:')
    .option('-s, --scenario <name>', 'the same as the argument')
    .option('-c, --config <file>', 'a scenario file of your own', path('--config'))
    .option('--data <file>', 'the text to train on', path('--data'))
    .option(
      '--format <name>',
      `how to read it: ${DATA_FORMATS.join(', ')} (default: by its name and content)`,
      oneOf('--format', DATA_FORMATS),
    )
    .option('--chat', 'the same as --format chat');
  addTableFlags(command)
    .option('--chunk-size <n>', 'chunked: characters in a window', whole('--chunk-size', 2, 65_536))
    .option(
      '--chunk-overlap <n>',
      'chunked: characters shared with the next window',
      whole('--chunk-overlap', 0, 65_535),
    )
    .option('--loss-on <whose>', 'chat: assistant or all', oneOf('--loss-on', ['assistant', 'all']))
    .option(
      '--encoding <how>',
      'bytes that are not UTF-8: strict refuses, lossy replaces',
      oneOf('--encoding', ['strict', 'lossy']),
    )
    .option(
      '--unknown <policy>',
      'characters that the model of --init-from does not know: skip leaves them out, error ends',
      oneOf('--unknown', ['skip', 'error']),
    )
    .option('--validation <share>', 'share of the text to hold out', decimal('--validation', 0, 0.5))

    .optionsGroup('The model:')
    .option(
      '--recipe <name>',
      `settings to start from: ${Object.keys(RECIPES).join(', ')}`,
      oneOf('--recipe', Object.keys(RECIPES) as RecipeName[]),
    )
    .option('--n-embd <n>', 'width: numbers per token', whole('--n-embd', 1, LIMITS.nEmbd))
    .option('--n-head <n>', 'attention heads', whole('--n-head', 1, LIMITS.nHead))
    .option('--n-layer <n>', 'layers', whole('--n-layer', 1, LIMITS.nLayer))
    .option('--block-size <n>', 'context length in tokens', whole('--block-size', 1, LIMITS.blockSize))
    .option('--activation <name>', ACTIVATIONS.join(', '), oneOf('--activation', ACTIVATIONS))
    .option(
      '--init-from <model>',
      'start from the weights of a model, with its sizes and its characters',
      path('--init-from'),
    )

    .optionsGroup('Training:')
    .option('--steps <n>', 'training steps', whole('--steps', 0))
    .option(
      '--time <duration>',
      'instead of steps: 60s, 10m, 2h; the steps that fit are measured first, then fixed',
      seconds('--time'),
    )
    .option('--batch-size <n>', 'examples per step', whole('--batch-size', 1, 65_536))
    .option('--grad-accum <n>', 'compute each batch in n parts, to save memory', whole('--grad-accum', 1, 65_536))
    .option('--lr <x>', 'learning rate at its highest', decimal('--lr', 0, 10, true))
    .option('--min-lr <share>', 'share of it that is left at the end', decimal('--min-lr', 0, 1))
    .option('--schedule <name>', 'constant, linear, cosine', oneOf('--schedule', ['constant', 'linear', 'cosine']))
    .option('--warmup <steps>', 'steps until the learning rate is at its highest', whole('--warmup', 0))
    .option('--weight-decay <x>', 'AdamW weight decay; 0 is plain Adam', decimal('--weight-decay', 0, 10))
    .option('--clip <norm>', 'largest gradient norm; 0 for no limit', decimal('--clip', 0, 1e6))
    .option('--dropout <share>', 'share of activations left out at random', decimal('--dropout', 0, 0.9))
    .option('--eval-every <steps>', 'look at the held-out text this often; 0 for never', whole('--eval-every', 0))
    .option('--patience <n>', 'end after n looks without a better result; 0 for never', whole('--patience', 0))
    .option('--seed <n>', 'same seed, same model (default: 42)', seed('--seed'))
    .option(
      '-b, --backend <name>',
      `what computes: ${[...BACKENDS, 'auto'].join(', ')}`,
      oneOf('--backend', [...BACKENDS, 'auto', 'python', 'numpy']),
    )
    .option(
      '--threads <n>',
      'threads for large models; any number gives the same model (default: all cores)',
      whole('--threads', 1, 256),
    )
    .option('--accelerate <how>', ACCELERATE_HELP, oneOf('--accelerate', ACCELERATE))

    .optionsGroup('The run:')
    .option('--run <folder>', 'where the run is kept (default: models/<name>)', path('--run'))
    .option(
      '-o, --output <path>',
      'save the finished model here too, in the format that the name says',
      path('--output'),
    )
    .option('--resume <path>', 'go on with a run that was stopped, or with one in a file', path('--resume'))
    .option('--allow-changed <what>', 'go on although this changed: data', oneOf('--allow-changed', ['data']))
    .option('--stop-after <n>', 'save after n steps and end; --resume goes on', whole('--stop-after', 1))
    .option(
      '--save-every <steps>',
      'save this often, also when the run goes on (default: every 30 seconds)',
      whole('--save-every', 1),
    )
    .option('--keep <n>', 'how many saves to keep', whole('--keep', 1, 1000), 2)
    .option('--overwrite', 'start over in a folder that holds an unfinished run')
    .option('--json', 'print events as JSON lines on stdout instead of samples')
    .option('--no-eta', 'leave the time that is left out of the progress line')
    .option('--timing', 'show the time per step too')

    .optionsGroup('Samples:')
    .option(
      '-n, --samples <n>',
      'samples to print at the end (default: 20; 5 of conversations; 1 with --prompt)',
      whole('--samples', 0, 10_000),
    )
    .option(
      '--sample-every <steps>',
      'show a few samples this often while training (default: at each look at the held-out text)',
      whole('--sample-every', 1),
    )
    .option('--prompt <text>', 'what the samples at the end begin with; in a conversation, what the user says')
    .option('--gen <n>', 'most tokens to add to each, also beyond the context', whole('--gen', 0, 10_000_000))
    .option(
      '-t, --temperature <x>',
      '0 takes the likeliest, 1 is as the model thinks',
      decimal('--temperature', 0, 100),
    )
    .option('--top-k <n>', 'only the k most likely tokens; 0 for all', whole('--top-k', 0));
  addCppFlags(command);
  alias(command, '--data', '--input');
  alias(command, '--output', '--save');
  alias(command, '--lr', '--learning-rate');
  alias(command, '--init-from', '--load');
  alias(command, '--gen', '--max-tokens');
  alias(command, '--samples', '--num-samples');
  alias(command, '--temperature', '--temp');
  alias(command, '--top-k', '--topk');
  for (const [name, other] of CPP_NAMES) alias(command, name, other);
}

/** The way of the byte-level trainer, and what only it has. */
function addCppFlags(command: Command): void {
  command
    .optionsGroup('As the byte-level C++ trainer:')
    .option(
      '--compat <program>',
      'cpp: its windows of bytes, its steps, its output; goes on from --load, saves to --save, keeps no run folder',
      oneOf('--compat', ['cpp'] as const),
    );
  for (const [flags, about] of CPP_SWITCHES) command.option(flags, about, onOff(flags.slice(0, flags.indexOf(' '))));
  command.option(
    '--print-next-top <n>',
    'before the first token, print the likeliest ones',
    whole('--print-next-top', 0),
  );
}

const CPP_SWITCHES = [
  ['--save-opt [0|1]', 'save the optimizer too (default: 1)'],
  ['--ascii-only [0|1]', 'after --prompt only printable ASCII, tab and line ends'],
  ['--escape-bytes [0|1]', 'print bytes beyond printable ASCII as \\xHH'],
  ['--print-next-top-each-step [0|1]', 'before every token'],
] as const;

/** What the byte-level trainer calls sizes. */
const CPP_NAMES = [
  ['--batch-size', '--batch'],
  ['--block-size', '--seq'],
  ['--n-embd', '--dmodel'],
  ['--n-layer', '--layers'],
] as const;

/** What the flags change in the settings. */
export function settingsOf(flags: TrainFlags): Overrides<Settings> {
  const { nEmbd, nHead, nLayer, blockSize, activation } = flags;
  return {
    data: {
      format: flags.chat ? 'chat' : flags.format,
      column: flags.column,
      header: headerOf(flags),
      chunkSize: flags.chunkSize,
      chunkOverlap: flags.chunkOverlap,
      lossOn: flags.lossOn,
      encoding: flags.encoding,
      validation: flags.validation,
    },
    model: { nEmbd, nHead, nLayer, blockSize, activation },
    adam: { learningRate: flags.lr, weightDecay: flags.weightDecay },
    schedule: flags.schedule,
    warmup: flags.warmup,
    floor: flags.minLr,
    steps: flags.steps,
    batchSize: flags.batchSize,
    accumulate: flags.gradAccum,
    clip: flags.clip,
    dropout: flags.dropout,
    evalEvery: flags.evalEvery,
    patience: flags.patience,
  };
}

/** How the samples are drawn. What is not said here, the settings say. */
export function sampleOptions({ prompt, gen, temperature, topK }: TrainFlags): SampleOptions {
  return {
    ...(prompt === undefined ? {} : { prompt }),
    ...(gen === undefined ? {} : { maxTokens: gen }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
  };
}

/** What a corpus is opened with. */
export function corpusOptions(
  data: DataSettings,
  bosPlace: 'first' | 'last',
  start: Pick<Checkpoint, 'tokenizer'> | undefined,
  unknown?: 'skip' | 'error',
): CorpusOptions {
  return {
    format: data.format,
    bosPlace,
    tokenizer: start?.tokenizer ?? (data.format === 'bytes' ? 'byte' : 'char'),
    encoding: data.encoding,
    unknown,
    heldOut: data.validation,
    chunkSize: data.chunkSize,
    chunkOverlap: data.chunkOverlap,
    trailingBos: data.trailingBos,
    loss: data.lossOn,
    ...tableOptions(data.column, data.header),
  };
}
