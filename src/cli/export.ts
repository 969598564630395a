/**
 * microgpt export: a model for other runtimes (ONNX), or as one web page that generates by itself.
 */
import type { Command } from 'commander';
import { MicrogptError } from '../base/errors.js';
import { encodeSafetensors } from '../checkpoint/safetensors.js';
import { htmlPage } from '../export/html.js';
import { encodeOnnx } from '../export/onnx.js';
import { writeFileDurably } from '../node/files.js';
import { pageModules } from '../node/page-modules.js';
import { addModelFlags, type ModelFlags, openModel } from './generate/generate.js';
import { count, say, size, unused } from './output.js';
import { path } from './values.js';

interface ExportFlags extends ModelFlags {
  readonly html?: string;
  readonly onnx?: string;
  readonly half?: boolean;
}

export function addExport(program: Command): void {
  const command = program
    .command('export')
    .summary('write a model for other runtimes, or as a web page')
    .description('Writes a model as an ONNX graph, or as one web page with the model inside that generates offline.');
  addModelFlags(command)
    .option('--html <path>', 'one page that generates by double click, without a network', path('--html'))
    .option('--onnx <path>', 'one graph with caches of keys and values, in float32', path('--onnx'))
    .option('--half', 'in the page, round weights to 16 bits')
    .addHelpText(
      'after',
      `
Examples:
  microgpt export --html names.html
  microgpt export --model models/names --onnx names.onnx`,
    )
    .action((flags: ExportFlags) => exportModel(flags));
}

async function exportModel(flags: ExportFlags): Promise<void> {
  if (flags.html === undefined && flags.onnx === undefined) {
    const remedy = 'give --html PATH, or --onnx PATH, or both';
    throw new MicrogptError('MG_CLI_USAGE', 'export needs to know what to write', remedy);
  }
  if (flags.half && flags.html === undefined) unused('--half', 'an ONNX graph is always written in float32');
  const { checkpoint, path: from } = await openModel(flags);
  if (flags.onnx !== undefined) await save(flags.onnx, encodeOnnx(checkpoint));
  if (flags.html !== undefined) {
    const { config, parameters, tokenizer } = checkpoint;
    const { optimizer: _, run: __, ...model } = checkpoint; // of no use to a page
    const html = htmlPage({
      title: `microgpt: ${from.split(/[\\/]/).slice(-2).join('/')}`,
      about:
        `A GPT of ${count(parameters.length)} numbers: ${config.nLayer} × ${config.nEmbd} wide, context ${config.blockSize}, ` +
        `${tokenizer.size} tokens. It is in this file and runs in this page; nothing is sent anywhere.`,
      model: encodeSafetensors(model, { precision: flags.half ? 'half' : 'exact' }),
      modules: await pageModules(),
    });
    await save(flags.html, new TextEncoder().encode(html));
  }
}

async function save(to: string, bytes: Uint8Array): Promise<void> {
  await writeFileDurably(to, bytes);
  say(`saved ${to} (${size(bytes.length)})`);
}
