/**
 * A conversation that remembers itself: say something, get the reply bit by bit.
 * Refuses to know: screens. Invariant: what was said and what came of the reply is kept, also when the reply was broken off.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { type ChatPrompt, promptOf, REPLY_NAMES, type ReplyOptions, requireReply, type Turn } from './conversation.js';
import { COMPUTER_NAMES, type GenerateOptions } from './generate-options.js';
import { type OptionNames, requireCall, requireNames, requireText } from './options.js';
import type { SampleEvent } from './samples.js';
import { createService } from './service.js';

export { type ChatPrompt, type ChatPromptOptions, chatPrompt, type Turn } from './conversation.js';

/** How replies are drawn, and who computes them. Every reply is one sample. */
export interface ChatOptions
  extends Omit<ReplyOptions, 'signal' | 'samples'>,
    Pick<GenerateOptions, 'backend' | 'threads'> {}

const { signal: _signal, samples: _samples, ...EACH_REPLY } = REPLY_NAMES;
const CHAT_NAMES: OptionNames<ChatOptions> = { ...EACH_REPLY, ...COMPUTER_NAMES };
const SAY_NAMES = { signal: true } as const;
const SET_NAMES: OptionNames<Pick<ChatOptions, 'seed' | 'temperature'>> = { seed: true, temperature: true };

/** A bit of a reply; the last one says why it ended. */
export type ReplyEvent = Omit<SampleEvent, 'sample'>;

/** A conversation with a model. Close it when it is over. */
export interface Chat {
  /** All turns so far. */
  readonly turns: readonly Turn[];
  /** What the next reply would be given to read, were this said. */
  prompt(text: string): ChatPrompt;
  /** Says something and streams the reply; when it is aborted, the stream ends within a token. */
  say(
    text: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<ReplyEvent, void, undefined>;
  /** Settings for the replies that follow. */
  set(options: Pick<ChatOptions, 'seed' | 'temperature'>): void;
  clear(): void;
  close(): void;
}

/** Opens a conversation; it holds an engine until it is closed. @throws MG_CHAT_MODEL, MG_OPTION_VALUE */
export function createChat(model: Checkpoint, options: ChatOptions = {}): Chat {
  requireCall('createChat', model, options, CHAT_NAMES);
  const { backend, threads, ...first } = options;
  requireReply(first, model);
  const service = createService(model, { backend, threads, places: 1 });
  let settings: Omit<ReplyOptions, 'signal'> = first;
  let turns: Turn[] = [];

  const promptFor = (text: string) => promptOf(model, [...turns, { role: 'user', content: text }], settings);

  async function* say(text: string, options: { readonly signal?: AbortSignal | undefined } = {}) {
    requireText('what is said', text);
    requireNames('say', options, SAY_NAMES);
    const { signal } = options;
    const asked: Turn[] = [...turns, { role: 'user', content: text }];
    const reply = service.reply(asked, { ...settings, signal });
    turns = asked;
    let said = '';
    try {
      for await (const { sample: _, ...event } of reply) {
        said += event.text;
        yield event;
      }
    } finally {
      turns = [...turns, { role: 'assistant', content: said }];
    }
  }

  return {
    get turns() {
      return turns;
    },
    prompt: promptFor,
    say,
    set(changed) {
      requireNames('set', changed, SET_NAMES);
      requireReply({ ...settings, ...changed }, model);
      settings = { ...settings, ...changed };
    },
    clear() {
      turns = [];
    },
    close: service.close,
  };
}
