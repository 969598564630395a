/**
 * microgpt info: what is in a model file, and what is missing.
 */
import { Argument, type Command } from 'commander';
import type { Checkpoint, FormatName, JsonValue, RunState } from '../checkpoint/checkpoint.js';
import { computedBy } from '../engine/run-state.js';
import { parameterTable } from '../model/parameters.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { addModelFlags, type ModelFlags, openModel } from './generate/generate.js';
import { count, counted, printable, result } from './output.js';
import { eitherOf } from './values.js';

export function addInfo(program: Command): void {
  const command = program
    .command('info')
    .summary('say what is in a model file')
    .description(
      'Prints the format, architecture, parameters, tokenizer and step of a model, and what its file does not hold.',
    )
    .addArgument(new Argument('[path]', 'the same as --model'));
  addModelFlags(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  microgpt info
  microgpt info model.json`,
    )
    .action((path: string | undefined, flags: InfoFlags) =>
      printInfo(flags, eitherOf('the path', path, '--model', flags.model)),
    );
}

interface InfoFlags extends ModelFlags {
  readonly json?: boolean;
}

type Row = readonly [string, string];

async function printInfo(flags: InfoFlags, model: string | undefined): Promise<void> {
  const { checkpoint, format, path } = await openModel(model === undefined ? flags : { ...flags, model });
  const { config, tokenizer } = checkpoint;
  const table = parameterTable(config);
  if (flags.json) {
    const { kind, size, bos, roles, pieces } = tokenizer;
    const { optimizer, run } = checkpoint;
    result(
      JSON.stringify({
        file: path,
        format,
        config,
        parameters: table.total,
        tokenizer: {
          kind,
          size,
          bos,
          roles,
          ...(kind === 'char' ? { characters: pieces.filter((p) => p !== null) } : {}),
        },
        step: stepOf(checkpoint) ?? null,
        optimizer: optimizer === undefined ? null : { ...optimizer, moments: optimizer.moments !== null },
        run: run ?? null,
      }),
    );
    return;
  }
  const extras = [
    config.bias ? 'biases' : 'no biases',
    config.embedNorm ? 'norm after the embedding' : 'no norm after the embedding',
    config.finalNorm ? 'final norm' : 'no final norm',
  ];
  const heads = config.nHead === 1 ? '1 head' : `${config.nHead} heads`;
  const rows: readonly Row[] = [
    ['file', `${path} (${format})`],
    ['architecture', `${config.nLayer} × ${config.nEmbd} wide, ${heads}, context ${config.blockSize}`],
    ['', `${config.norm}, ${config.activation}, ${extras.join(', ')}`],
    ['parameters', count(table.total)],
    ...table.list.map((p): Row => ['', `${p.name.padEnd(18)} [${p.shape.join(', ')}]`]),
    ...tokenizerRows(tokenizer),
    ...trainingRows(checkpoint),
    ...missingRows(checkpoint, format),
  ];
  for (const [name, value] of rows) result(`${name.padEnd(14)}${printable(value)}`);
}

function tokenizerRows(tokenizer: Tokenizer): Row[] {
  const { kind, size, bos, roles, pieces } = tokenizer;
  const names = new Map<number, string>();
  if (bos !== null) names.set(bos, '<BOS>');
  if (roles !== null) names.set(roles.user, '<user>').set(roles.assistant, '<assistant>').set(roles.end, '<end>');
  const about = `${kind}, ${size} tokens, ${bos === null ? 'no BOS' : `BOS is token ${bos}`}${roles ? ', for conversations' : ''}`;
  const shown = pieces.map((piece, id) => piece ?? names.get(id) ?? '');
  return [
    ['tokenizer', about],
    kind === 'char' ? ['characters', shown.join(' ')] : ['special', [...names.values()].join(' ') || 'none'],
  ];
}

/** Undefined where the file does not say. */
function stepOf({ optimizer, run }: Checkpoint): number | undefined {
  const step = run?.['step'] ?? optimizer?.step;
  return typeof step === 'number' ? step : undefined;
}

function trainingRows(checkpoint: Checkpoint): Row[] {
  const { optimizer, run } = checkpoint;
  const step = stepOf(checkpoint);
  const rows: Row[] = step === undefined ? [] : [['step', count(step)]];
  if (optimizer !== undefined) {
    const { learningRate, beta1, beta2, eps, weightDecay, moments } = optimizer;
    const betas = `rate ${short(learningRate)}, β ${short(beta1)} and ${short(beta2)}, ε ${short(eps)}, decay ${short(weightDecay)}`;
    rows.push(['optimizer', `${betas}; ${moments === null ? 'without its moments' : 'with its moments'}`]);
  }
  return run === undefined ? rows : [...rows, ...runRows(run)];
}

/** In words what a run of ours says of itself; of others the beginning of what is there. */
function runRows(run: RunState): Row[] {
  const [settings, data, validation] = ['settings', 'data', 'validation'].map((name) => fieldsOf(run[name]));
  const rows: Row[] = [];
  if (typeof data['name'] === 'string') {
    const documents = typeof data['documents'] === 'number' ? `: ${counted(data['documents'], 'document')}` : '';
    rows.push(['trained on', `${data['name']}${documents}, sha256 ${String(data['sha256'] ?? 'unknown')}`]);
  }
  if (typeof settings['recipe'] === 'string') {
    const { recipe, steps, batchSize, seed } = settings;
    const pace =
      typeof steps === 'number'
        ? `, ${counted(steps, 'step')} of ${batchSize === 1 ? '1 example' : `${String(batchSize)} examples`}`
        : '';
    rows.push(['run', `recipe ${recipe}${pace}, seed ${String(seed ?? 'unknown')}`]);
  }
  const others = computedBy(run);
  if (others.length > 0) rows.push(['products', `by ${others.join(', then ')} (--accelerate)`]);
  if (typeof validation['loss'] === 'number')
    rows.push(['validation', `loss ${validation['loss'].toFixed(4)} at step ${count(Number(validation['step']))}`]);
  return rows.length > 0 ? rows : [['run', shorten(JSON.stringify(run))]];
}

type Fields = { readonly [name: string]: JsonValue };

const fieldsOf = (value: JsonValue | undefined): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

function missingRows({ optimizer, run }: Checkpoint, format: FormatName): Row[] {
  const missing = [
    ...(optimizer === undefined
      ? [typeof run?.['step'] === 'number' ? 'the optimizer' : 'optimizer and step']
      : optimizer.moments === null
        ? ["the optimizer's moments"]
        : []),
    ...(run === undefined ? ['what its run was'] : []),
  ];
  if (missing.length === 0) return [];
  const why =
    format === 'safetensors' ? 'it was saved without' : 'this format has no place for them, or they were left out';
  return [['missing', `${missing.join('; ')}: ${why}`]];
}

/** Seven digits: what a float32 was before it became one. */
const short = (x: number): string => String(Number(x.toPrecision(7)));

const shorten = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
