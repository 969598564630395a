/**
 * The command line: `main(argv)` runs one command and gives back the exit code. Importing this file runs nothing.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT, MicrogptError } from '../base/errors.js';
import { shellWord } from '../base/shell-word.js';
import { complain, say, worksOnUnread } from './output.js';

/** Adds a command to the program; `exit` takes its exit code where that is not 0. */
type Add = (program: Command, exit: (code: number) => void) => void;

/** The commands, in the order in which --help shows them. Only the one that is called is loaded. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  train: async () => (await import('./train/train.js')).addTrain,
  generate: async () => (await import('./generate/generate.js')).addGenerate,
  chat: async () => (await import('./chat/chat.js')).addChat,
  score: async () => (await import('./score.js')).addScore,
  serve: async () => (await import('./serve/serve.js')).addServe,
  eval: async () => (await import('./eval.js')).addEval,
  novelty: async () => (await import('./novelty.js')).addNovelty,
  inspect: async () => (await import('./inspect/inspect.js')).addInspect,
  info: async () => (await import('./info.js')).addInfo,
  convert: async () => (await import('./convert.js')).addConvert,
  export: async () => (await import('./export.js')).addExport,
  data: async () => (await import('./data/data.js')).addData,
  bench: async () => (await import('./bench/bench.js')).addBench,
  report: async () => (await import('./report.js')).addReport,
  sweep: async () => (await import('./sweep/sweep.js')).addSweep,
  playground: async () => (await import('./playground.js')).addPlayground,
};

export async function main(argv: readonly string[]): Promise<number> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' && worksOnUnread()) return;
    if (error.code !== 'EPIPE') say(`error: cannot write the output: ${error.message}`);
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.disk);
  });
  // Nobody listens to the progress any more: no reason to give up the work.
  process.stderr.on('error', () => {});

  let exitCode: number = EXIT.ok;
  const program = await createProgram(argv[0], (code) => {
    exitCode = code;
  });
  // commander answers `help nosuch` with the help of everything and not a word about it.
  const isLost =
    argv[0] === 'help' && argv.length > 1 && !program.commands.some((command) => command.name() === argv[1]);
  if (argv.length === 0) {
    process.stderr.write(program.helpInformation());
    return EXIT.usage;
  }
  try {
    await program.parseAsync(isLost ? argv.slice(1, 2) : argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok; // --help, --version
      if (error.code === 'commander.help') return EXIT.usage; // a command that needs another; its help was shown
      const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
      const help = `see microgpt ${commandPath(program, argv)}--help`;
      const wayOut = error.code === 'commander.excessArguments' ? modelInstead(program, argv) : undefined;
      return complain(new MicrogptError('MG_CLI_USAGE', message, wayOut === undefined ? help : `${wayOut}; ${help}`));
    }
    return complain(error);
  }
}

async function createProgram(called: string | undefined, exit: (code: number) => void): Promise<Command> {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const program = new Command('microgpt')
    .description('Train, save and run a small GPT from scratch.')
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: () => {} }) // main() prints errors in its own form
    .addHelpText('after', '\nStart here:\n  microgpt train names\n  microgpt generate');
  const alone = called !== undefined && Object.hasOwn(COMMANDS, called) ? COMMANDS[called] : undefined;
  for (const load of alone === undefined ? Object.values(COMMANDS) : [alone]) (await load())(program, exit);
  return program;
}

/** Who has typed `train names` types `generate names` next. */
function modelInstead(program: Command, [called, word]: readonly string[]): string | undefined {
  const takesModel = program.commands
    .find((command) => command.name() === called)
    ?.options.some(({ long }) => long === '--model');
  if (!takesModel || word === undefined || word.startsWith('-')) return undefined;
  return `a model is named by its flag: microgpt ${called} --model ${shellWord(word)}`;
}

/** "train " for the arguments of train, "data inspect " for those of data inspect, "" where there is no such command. */
function commandPath(parent: Command, [called, ...more]: readonly string[]): string {
  const known = parent.commands.find((command) => command.name() === called);
  return known === undefined ? '' : `${known.name()} ${commandPath(known, more)}`;
}
