/**
 * A conversation as whoever types sees it: commands that begin with /, and what is said.
 * Refuses to know where lines come from and where replies go. Invariant: only what is no command reaches the model.
 */
import { MicrogptError } from '../../base/errors.js';
import type { Chat } from '../../engine/chat.js';
import { writeFileDurably } from '../../node/files.js';
import { note, say } from '../output.js';
import { decimal, path, seed } from '../values.js';

export const CHAT_COMMANDS: Readonly<Record<string, string>> = {
  '/help': 'these commands',
  '/clear': 'forget the conversation',
  '/seed N': 'other replies from now on',
  '/temp X': 'another temperature from now on',
  '/save FILE': 'write the conversation as a line of training data (JSON)',
  '/quit': 'leave; so do Ctrl-D, and Ctrl-C twice',
};

export interface Conversation {
  /** Carries a command out; `said` when the line is none. @throws MicrogptError when it cannot be carried out. */
  command(line: string): Promise<'quit' | 'done' | 'said'>;
  /** Says something; gives the reply bit by bit, and says on stderr what did not reach the model. */
  answer(line: string, signal?: AbortSignal): AsyncGenerator<string, void, undefined>;
}

export function createConversation(chat: Chat): Conversation {
  let leftOut = 0;
  return {
    async command(line) {
      if (!line.startsWith('/')) return 'said'; // what is to be said and begins with / can have a space in front
      const [name, ...rest] = line.trim().split(/\s+/);
      const value = line.trim().slice(name.length).trim();
      const alone = rest.length === 0;
      if (name === '/quit' && alone) return 'quit';
      if (name === '/help' && alone)
        for (const [command, about] of Object.entries(CHAT_COMMANDS)) say(`  ${command.padEnd(13)} ${about}`);
      else if (name === '/clear' && alone) {
        chat.clear();
        leftOut = 0;
        say('(the conversation is forgotten)');
      } else if (name === '/seed') {
        chat.set({ seed: seed('/seed')(value) });
        say(`(seed ${value} from now on)`);
      } else if (name === '/temp') {
        chat.set({ temperature: decimal('/temp', 0, 100)(value) });
        say(`(temperature ${value} from now on)`);
      } else if (name === '/save') await save(chat, path('/save')(value));
      else {
        const known = Object.keys(CHAT_COMMANDS).join(', ');
        throw new MicrogptError(
          'MG_CLI_USAGE',
          `there is no command ${JSON.stringify(line.trim())}`,
          `commands: ${known}`,
        );
      }
      return 'done';
    },
    async *answer(line, signal) {
      const { unknown, turnsLeftOut, tokensCut } = chat.prompt(line);
      if (unknown.length > 0) {
        const shown = unknown.slice(0, 10).map((c) => JSON.stringify(c));
        note(
          `the model does not know ${shown.join(', ')}${unknown.length > 10 ? ' …' : ''}: left out of what it reads`,
        );
      }
      if (turnsLeftOut > leftOut) note('the oldest turns do not fit into the context any more and are left out');
      if (tokensCut > 0) note(`${tokensCut} tokens do not fit into the context: the model reads the end`);
      leftOut = turnsLeftOut;
      for await (const { text } of chat.say(line, { signal })) if (text !== '') yield text;
    },
  };
}

async function save(chat: Chat, file: string): Promise<void> {
  await writeFileDurably(file, new TextEncoder().encode(`${JSON.stringify(chat.turns)}\n`));
  say(`(saved ${chat.turns.length} turns to ${file})`);
}
