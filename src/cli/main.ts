/**
 * The command line: `main(argv)` runs one command and gives back the exit code. Importing this file runs nothing.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT, MicrogptError } from '../base/errors.js';
import { addBench } from './bench.js';
import { addChat } from './chat.js';
import { addConvert } from './convert.js';
import { addData } from './data.js';
import { addEval } from './eval.js';
import { addExport } from './export.js';
import { addGenerate } from './generate.js';
import { addInfo } from './info.js';
import { addInspect } from './inspect.js';
import { addNovelty } from './novelty.js';
import { complain, say } from './output.js';
import { addPlayground } from './playground.js';
import { addReport } from './report.js';
import { addScore } from './score.js';
import { addServe } from './serve.js';
import { addSweep } from './sweep.js';
import { addTrain } from './train.js';

export async function main(argv: readonly string[]): Promise<number> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') say(`error: cannot write the output: ${error.message}`);
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.disk);
  });
  // Nobody listens to the progress any more: no reason to give up the work.
  process.stderr.on('error', () => {});

  let exitCode: number = EXIT.ok;
  const program = createProgram((code) => {
    exitCode = code;
  });
  if (argv.length === 0) {
    process.stderr.write(program.helpInformation());
    return EXIT.usage;
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok; // --help, --version
      if (error.code === 'commander.help') return EXIT.usage; // a command that needs another; its help was shown
      const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
      return complain(new MicrogptError('MG_CLI_USAGE', message, `see microgpt ${commandPath(program, argv)}--help`));
    }
    return complain(error);
  }
}

function createProgram(exit: (code: number) => void): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const program = new Command('microgpt')
    .description('Train, save and run a small GPT from scratch.')
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: () => {} }) // main() prints errors in its own form
    .addHelpText('after', '\nStart here:\n  microgpt train names\n  microgpt generate');
  addTrain(program, exit);
  addGenerate(program);
  addChat(program, exit);
  addScore(program, exit);
  addServe(program, exit);
  addEval(program);
  addNovelty(program);
  addInspect(program);
  addInfo(program);
  addConvert(program);
  addExport(program);
  addData(program);
  addBench(program);
  addReport(program);
  addSweep(program, exit);
  addPlayground(program, exit);
  return program;
}

/** "train " for the arguments of train, "" where there is no such command. */
function commandPath(program: Command, argv: readonly string[]): string {
  const known = program.commands.find((command) => command.name() === argv[0]);
  return known === undefined ? '' : `${known.name()} `;
}
