/**
 * microgpt chat: a conversation with a model, on a terminal, from a pipe, or one message.
 * Refuses to know: how a conversation is read by the model. Invariant: replies go to stdout, all else to stderr.
 */
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { EXIT, MicrogptError } from '../base/errors.js';
import { type Chat, createChat } from '../engine/chat.js';
import { exchangesOf } from '../engine/conversation.js';
import { writeFileDurably } from '../node/files.js';
import { chatOnTerminal } from './chat-terminal.js';
import { addModelFlags, type ModelFlags, openModel } from './generate.js';
import { addSamplingFlags, biasOf, type GenerateFlags, seedOf } from './generate-flags.js';
import { harmless, note, say } from './output.js';
import { decimal, oneOf, path, seed, whole } from './values.js';

interface ChatFlags extends ModelFlags, Omit<GenerateFlags, 'compat'> {
  readonly message?: string;
  readonly compat?: 'rust';
}

export function addChat(program: Command, exit: (code: number) => void): void {
  const command = program
    .command('chat')
    .summary('talk with a model that was trained on conversations')
    .description(
      'A conversation with a model that was trained on conversations. Typed lines are answered as they come; Ctrl-C stops a reply.',
    );
  addModelFlags(command);
  addSamplingFlags(command)
    .option('--max-tokens <n>', 'most tokens of a reply', whole('--max-tokens', 1))
    .option('--message <text>', 'say this, print the reply, and leave')
    .option(
      '--compat <program>',
      'rust: no BOS, old tokens cut off anywhere, its random numbers',
      oneOf('--compat', ['rust'] as const),
    )
    .addHelpText(
      'after',
      `
While talking: ${Object.entries(COMMANDS)
        .map(([name, about]) => `\n  ${name.padEnd(13)} ${about}`)
        .join('')}

Examples:
  microgpt chat                          the newest model in ./models
  microgpt chat --message "Hello"        one reply
  microgpt chat < questions.txt          one line in, one line out`,
    )
    .action(async (flags: ChatFlags) => exit(await run(flags)));
}

export const COMMANDS: Readonly<Record<string, string>> = {
  '/help': 'these commands',
  '/clear': 'forget the conversation',
  '/seed N': 'other replies from now on',
  '/temp X': 'another temperature from now on',
  '/save FILE': 'write the conversation as a line of training data (JSON)',
  '/quit': 'leave; so do Ctrl-D, and Ctrl-C twice',
};

async function run(flags: ChatFlags): Promise<number> {
  const { checkpoint } = await openModel(flags, 'chat');
  const chat = createChat(checkpoint, {
    ...flags,
    seed: seedOf(flags),
    bias: flags.bias && biasOf(flags.bias, checkpoint.tokenizer),
  });
  const conversation = createConversation(chat);
  if (exchangesOf(checkpoint) === 1)
    note('this model answers each message by itself: it does not read what was said before');
  try {
    if (flags.message !== undefined) await answerLine(conversation, flags.message);
    else if (process.stdin.isTTY && process.stdout.isTTY) {
      say(`a conversation with ${checkpoint.config.blockSize} tokens of memory; /help lists commands`);
      await chatOnTerminal(conversation);
    } else await chatFromPipe(conversation);
    return EXIT.ok;
  } finally {
    chat.close();
  }
}

/** One reply per line: line ends inside a reply become \n. */
async function answerLine(conversation: Conversation, line: string): Promise<void> {
  let reply = '';
  for await (const text of conversation.answer(line)) reply += text;
  const shown = process.stdout.isTTY ? harmless(reply) : reply.replace(/\r?\n|\r/g, '\\n');
  await new Promise<void>((resolve) => process.stdout.write(`${shown}\n`, () => resolve()));
}

async function chatFromPipe(conversation: Conversation): Promise<void> {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue;
    const outcome = await conversation.command(line);
    if (outcome === 'quit') return;
    if (outcome === 'said') await answerLine(conversation, line);
  }
}

export interface Conversation {
  /** Carries a command out; `said` when the line is none. @throws MicrogptError when it cannot be carried out. */
  command(line: string): Promise<'quit' | 'done' | 'said'>;
  /** Says something; gives the reply bit by bit, and says on stderr what did not reach the model. */
  answer(line: string, signal?: AbortSignal): AsyncGenerator<string, void, undefined>;
}

function createConversation(chat: Chat): Conversation {
  let leftOut = 0;
  return {
    async command(line) {
      if (!line.startsWith('/')) return 'said'; // what is to be said and begins with / can have a space in front
      const [name, ...rest] = line.trim().split(/\s+/);
      const value = line.trim().slice(name.length).trim();
      const alone = rest.length === 0;
      if (name === '/quit' && alone) return 'quit';
      if (name === '/help' && alone)
        for (const [command, about] of Object.entries(COMMANDS)) say(`  ${command.padEnd(13)} ${about}`);
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
        const known = Object.keys(COMMANDS).join(', ');
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
