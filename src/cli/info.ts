/**
 * microgpt info: what is in a model file.
 */
import type { Command } from 'commander';
import { parameterTable } from '../model/parameters.js';
import { addModelFlags, type ModelFlags, openModel } from './generate.js';
import { count, printable, result } from './output.js';

export function addInfo(program: Command): void {
  const command = program
    .command('info')
    .summary('say what is in a model file')
    .description('Prints the format, architecture, parameters and tokenizer of a model file.');
  addModelFlags(command)
    .addHelpText(
      'after',
      `
Examples:
  microgpt info
  microgpt info --model model.json`,
    )
    .action((flags: ModelFlags) => printInfo(flags));
}

async function printInfo(flags: ModelFlags): Promise<void> {
  const { checkpoint, format, path } = await openModel(flags);
  const { config, tokenizer } = checkpoint;
  const table = parameterTable(config);
  const extras = [
    config.bias ? 'biases' : 'no biases',
    config.embedNorm ? 'norm after the embedding' : 'no norm after the embedding',
    config.finalNorm ? 'final norm' : 'no final norm',
  ];
  const rows: [string, string][] = [
    ['file', `${path} (${format})`],
    ['architecture', `${config.nLayer} × ${config.nEmbd} wide, ${config.nHead} heads, context ${config.blockSize}`],
    ['', `${config.norm}, ${config.activation}, ${extras.join(', ')}`],
    ['parameters', count(table.total)],
    ...table.list.map((p): [string, string] => ['', `${p.name.padEnd(18)} [${p.shape.join(', ')}]`]),
    ['tokenizer', `${tokenizer.kind}, ${tokenizer.size} tokens, BOS is token ${tokenizer.bos}`],
    ['characters', tokenizer.pieces.map((piece) => piece ?? '<BOS>').join(' ')],
    ['missing', 'optimizer state and step: this format has no place for them'],
  ];
  for (const [name, value] of rows) result(`${name.padEnd(14)}${printable(value)}`);
}
