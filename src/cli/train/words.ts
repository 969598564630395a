/**
 * microgpt train called from within, with the words of a command line: one of many trainings of one process.
 * Invariant: whatever happens becomes lines of output and an exit code, as if it had been a process of its own.
 */
import { Command, CommanderError } from 'commander';
import { EXIT, MicrogptError } from '../../base/errors.js';
import type { Ranks } from '../../train/ranks.js';
import { complain } from '../output.js';
import { refuseAlone, stoppedCode } from './ranks.js';
import { addTrain } from './train.js';

/** `ranks` are those that train along; they must call it with the same words. */
export async function trainByWords(words: readonly string[], ranks: Ranks | undefined): Promise<number> {
  let code: number = EXIT.ok;
  const program = new Command('microgpt').exitOverride().configureOutput({ outputError: () => {} });
  addTrain(
    program,
    (how) => {
      code = how;
    },
    async (flags, train) => {
      if (ranks === undefined) return train(flags, undefined);
      refuseAlone(flags);
      return stoppedCode(await train(flags, ranks), ranks);
    },
  );
  try {
    await program.parseAsync(['train', ...words], { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) return complain(error);
    const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
    return complain(new MicrogptError('MG_CLI_USAGE', message, 'see microgpt train --help'));
  }
}
