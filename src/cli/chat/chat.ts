/**
 * microgpt chat: a conversation with a model, on a terminal, from a pipe, or one message.
 * Refuses to know: how a conversation is read by the model. Invariant: replies go to stdout, all else to stderr.
 */
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { EXIT, MicrogptError } from '../../base/errors.js';
import { createChat } from '../../engine/chat.js';
import { exchangesOf } from '../../engine/conversation.js';
import { addSamplingFlags, type GenerateFlags, samplingOf, saysOfUnused, seedOf } from '../generate/flags.js';
import { addModelFlags, type ModelFlags, openModel } from '../generate/generate.js';
import { harmless, note, say } from '../output.js';
import { oneOf, whole } from '../values.js';
import { CHAT_COMMANDS, type Conversation, createConversation } from './conversation.js';
import { chatOnTerminal } from './terminal.js';

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
While talking: ${Object.entries(CHAT_COMMANDS)
        .map(([name, about]) => `\n  ${name.padEnd(13)} ${about}`)
        .join('')}

Examples:
  microgpt chat                          the newest model of conversations in ./models
  microgpt chat --message "Hello"        one reply
  microgpt chat < questions.txt          one line in, one line out`,
    )
    .action(async (flags: ChatFlags) => exit(await run(flags)));
}

async function run(flags: ChatFlags): Promise<number> {
  if (flags.message?.trim() === '') {
    const remedy = 'give --message something to say, or leave it out to talk';
    throw new MicrogptError('MG_CLI_VALUE', '--message is empty: there is nothing to answer', remedy);
  }
  const { checkpoint } = await openModel(flags, 'chat');
  const chat = createChat(checkpoint, {
    temperature: flags.temperature,
    seed: seedOf(flags),
    maxTokens: flags.maxTokens,
    compat: flags.compat,
    ...samplingOf(flags, checkpoint.tokenizer),
  });
  saysOfUnused(flags);
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
